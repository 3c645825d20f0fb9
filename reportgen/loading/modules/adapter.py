"""A function of the user's own that returns an encoder and a decoder, for models of any kind."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reportgen.autoencoder import Note
from reportgen.errors import ModelError
from reportgen.loading.modules.labels import LabelFeed
from reportgen.loading.modules.model_class import RAISED, find_named, reason_of
from reportgen.loading.modules.model_parts import optional_arguments, required_arguments
from reportgen.loading.modules.own_errors import own_reason
from reportgen.loading.options import LoadingOptions
from reportgen.loading.sentences import shape_text
from reportgen.loading.split import ImageMap, Model, Split, exact_arithmetic

TRIED_IMAGES = 4
_PATTERN = re.compile(r"(?P<where>.+\.py|[A-Za-z_][\w.]*):(?P<name>[A-Za-z_]\w*)")


def is_adapter(path: str) -> bool:
    """Tell whether a model is given as "file.py:function" or "package.module:function"."""
    return _PATTERN.fullmatch(path) is not None and not Path(path).exists()


def adapter_file(spec: str) -> Path | None:
    """The file of "file.py:function"; None for a function of a package."""
    path = Path(spec.rpartition(":")[0])
    return path if path.suffix == ".py" else None


class UserFunctions(Model):
    """The functions (encode, decode) or (encode, decode, forward) that a user's function returns.

    The user's function is called without arguments. The returned ones map (n, C, H, W) float32
    images on the data's scale to (n, …) codes, codes to images, and images to images, as torch
    tensors, or as NumPy arrays if they take only those. Of a conditional model they take the
    images' classes as a second input.

    Raises ModelError where something else is returned.
    """

    takes_labels = True
    feed: LabelFeed | None = None

    def __init__(self, spec: str) -> None:
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
        self._spec = spec
        self._given: Sequence[Callable[..., Any]] = returned
        self._functions: Sequence[Callable[[Any], Any]] = returned

    def split(self, sample: Tensor, options: LoadingOptions) -> Split:
        """Try each function on a few images, and return them as a `Split`."""
        with exact_arithmetic(options.device):
            if self.feed is not None:
                return self.feed.split(lambda feed: self._split_fed(feed, sample, options.device))
            return self._split(sample[:TRIED_IMAGES], options.device)

    def _split_fed(self, feed: LabelFeed, sample: Tensor, device: str) -> Split:
        def takes(function: Callable[..., Any]) -> bool:
            inputs = (*required_arguments(function), *optional_arguments(function))
            return len(inputs) > 1

        self._functions = [feed.bound(given, takes(given)) for given in self._given]
        return self._split(sample[:TRIED_IMAGES], device)

    def _split(self, images: Tensor, device: str) -> Split:
        encode = self._tensor_function("encode", images, device)
        code = encode(images)
        if code.dim() < 2 or len(code) != len(images):
            raise ModelError(
                f"encode, from {self._spec}, returns {shape_text(code.shape)} for {len(images)} "
                "images; it must return one code for each."
            )
        decode = self._image_function("decode", code, images, device)
        forward = None
        if len(self._functions) == 3:
            forward = self._image_function("forward", images, images, device)
        shape = tuple(code.shape[1:])
        note = (
            f"Code: {math.prod(shape)} numbers ({shape_text(shape)}), by encode and decode of "
            f"{self._spec}."
        )
        return Split(encode, decode, forward, forward, None, shape, (Note("code", note),))

    def _image_function(self, name: str, given: Tensor, images: Tensor, device: str) -> ImageMap:
        function = self._tensor_function(name, given, device)
        shape = function(given).shape
        if shape != images.shape:
            raise ModelError(
                f"{name}, from {self._spec}, returns {shape_text(shape)} where images of "
                f"{shape_text(images.shape)} are expected."
            )
        return function

    def _tensor_function(self, name: str, given: Tensor, device: str) -> ImageMap:
        """One of the functions as one on tensors; through NumPy where it does not take tensors."""
        function = self._functions[("encode", "decode", "forward").index(name)]
        what = f"{name}, from {self._spec},"

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
                raise ModelError(f"{what} fails: {own_reason(first)}.") from first
            return on_arrays
        return on_tensors


def _tensor(value: Any, what: str) -> Tensor:
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(np.ascontiguousarray(value))
    if not isinstance(value, Tensor):
        raise ModelError(f"{what} returns a {type(value).__name__}; it must return an array.")
    return value.float()
