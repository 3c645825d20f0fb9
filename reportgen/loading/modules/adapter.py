"""A function of the user's own that returns an encoder and a decoder, for models of any kind."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reportgen.autoencoder import Note
from reportgen.errors import ModelError
from reportgen.loading.image_layout import text
from reportgen.loading.modules.model_class import RAISED, find_named, reason_of
from reportgen.loading.split import ImageMap, Split

TRIED_IMAGES = 4
_PATTERN = re.compile(r"(?P<where>.+\.py|[A-Za-z_][\w.]*):(?P<name>[A-Za-z_]\w*)")


def is_adapter(path: str) -> bool:
    """Whether a model is given as "file.py:function" or "package.module:function"."""
    return _PATTERN.fullmatch(path) is not None and not Path(path).exists()


def adapter_file(spec: str) -> Path | None:
    """The file of "file.py:function"; None for a function of a package."""
    path = Path(spec.rpartition(":")[0])
    return path if path.suffix == ".py" else None


def split_adapter(spec: str, sample: Tensor, device: str) -> Split:
    """Call the function and check what it returns.

    It is called without arguments and returns (encode, decode), or (encode, decode, forward). They
    map (n, C, H, W) float32 images on the data's scale to (n, …) codes, codes to images, and images
    to images; as torch tensors, or NumPy arrays if they only take those.

    Raises ModelError where they do not.
    """
    function = find_named(spec, "MODEL")
    if not callable(function):
        raise ModelError(f"{spec} is no function; it must return (encode, decode).")
    try:
        returned = function()
    except RAISED as error:
        raise ModelError(
            f"{spec}, which is called without arguments, fails: {reason_of(error)}."
        ) from error
    is_tuple = isinstance(returned, tuple | list) and len(returned) in (2, 3)
    if not is_tuple or not all(callable(part) for part in returned):
        raise ModelError(f"{spec} must return (encode, decode) or (encode, decode, forward).")
    images = sample[:TRIED_IMAGES]
    encode = _tensor_function(returned[0], images, f"encode, from {spec},", device)
    code = encode(images)
    if code.dim() < 2 or len(code) != len(images):
        raise ModelError(
            f"encode, from {spec}, returns {text(tuple(code.shape))} for {len(images)} images; it "
            "must return one code for each."
        )
    decode = _tensor_function(returned[1], code, f"decode, from {spec},", device)
    maps = [decode] if len(returned) == 2 else [
        decode, _tensor_function(returned[2], images, f"forward, from {spec},", device)
    ]  # fmt: skip
    for name, function, given in zip(("decode", "forward"), maps, (code, images), strict=False):
        shape = tuple(function(given).shape)
        if shape != tuple(images.shape):
            raise ModelError(
                f"{name}, from {spec}, returns {text(shape)} where images of "
                f"{text(tuple(images.shape))} are expected."
            )
    forward = maps[1] if len(maps) == 2 else None
    size = int(code[0].numel())
    note = f"Code: {size} numbers ({text(tuple(code.shape[1:]))}), by encode and decode of {spec}."
    return Split(
        encode, decode, forward, forward, None, tuple(code.shape[1:]), (Note("code", note),)
    )


def _tensor_function(
    function: Callable[[Any], Any], given: Tensor, what: str, device: str
) -> ImageMap:
    """The function on tensors; through NumPy where it does not take them."""

    def on_tensors(values: Tensor) -> Tensor:
        return _tensor(function(values), what).to(device)

    def on_arrays(values: Tensor) -> Tensor:
        return _tensor(function(values.cpu().numpy()), what).to(device)

    try:
        on_tensors(given)
    except ModelError:
        raise
    except Exception as first:
        try:
            on_arrays(given)
        except Exception:
            # The user's function is meant for tensors, and this is what went wrong.
            raise ModelError(f"{what} fails: {type(first).__name__}: {first}") from first
        return on_arrays
    return on_tensors


def _tensor(value: Any, what: str) -> Tensor:
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(np.ascontiguousarray(value))
    if not isinstance(value, Tensor):
        raise ModelError(f"{what} returns a {type(value).__name__}; it must return an array.")
    return value.float()
