"""A function of the user's own that returns an encoder and a decoder, for models of any kind."""

from __future__ import annotations

import math
import os
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
from reportgen.loading.split import (
    ImageMap,
    Model,
    Split,
    exact_arithmetic,
    relative_difference,
)
from reportgen.shown import of_kind

TRIED_IMAGES = 4
# A share of the range; rounding on several threads is below it.
SAME = 1e-4
_PATTERN = re.compile(r"(?P<where>.+\.py|[A-Za-z_][\w.]*):(?P<name>[A-Za-z_]\w*)")


def is_adapter(path: str) -> bool:
    """Tell whether a model is given as "file.py:function" or "package.module:function"."""
    return _PATTERN.fullmatch(path) is not None and not os.path.exists(path)  # noqa: PTH110


def adapter_file(spec: str) -> Path | None:
    """The file of "file.py:function"; None for a function of a package."""
    path = Path(spec.rpartition(":")[0])
    return path if path.suffix == ".py" else None


class Functions(Model):
    """The functions (encode, decode) or (encode, decode, forward), of whatever kind of model.

    They map (n, C, H, W) float32 images on the data's scale to (n, …) codes, codes to images, and
    images to images, as torch tensors, or as arrays if they take only those. Of a conditional model
    they take the images' classes as a second input.

    Parameters
    ----------
    functions : the two or three.
    origin : words behind a function's name in sentences, such as ", from file.py:function".
    """

    takes_labels = True
    feed: LabelFeed | None = None

    def __init__(self, functions: Sequence[Callable[..., Any]], origin: str = "") -> None:
        self._given, self._origin = functions, origin
        self._functions: Sequence[Callable[[Any], Any]] = functions

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
                f"{self._named('encode')} returns {shape_text(code.shape)} for {len(images)} "
                "images; it must return one code for each."
            )
        self._refuse_noise("encode", code, encode(images))
        decode = self._image_function("decode", code, images, device)
        self._refuse_noise("decode", decode(code), decode(code))
        forward = None
        if len(self._functions) == 3:
            forward = self._image_function("forward", images, images, device)
        shape = tuple(code.shape[1:])
        numbers = f"{math.prod(shape)} numbers ({shape_text(shape)})"
        note = f"Code: {numbers}, by encode and decode{self._origin}."
        return Split(encode, decode, forward, forward, None, shape, (Note("code", note),))

    def _image_function(self, name: str, given: Tensor, images: Tensor, device: str) -> ImageMap:
        function = self._tensor_function(name, given, device)
        shape = function(given).shape
        if shape != images.shape:
            raise ModelError(
                f"{self._named(name)} returns {shape_text(shape)} where images of "
                f"{shape_text(images.shape)} are expected."
            )
        return function

    def _refuse_noise(self, name: str, one: Tensor, other: Tensor) -> None:
        """Raise ModelError where two calls differ by more than rounding."""
        if one.shape == other.shape and relative_difference(one, other) > SAME:
            raise ModelError(
                f"{self._named(name)} gives something else each time that it is called, as a model "
                "with dropout or sampling does in training; put it into evaluation mode, or take "
                "the mean."
            )

    def _named(self, name: str) -> str:
        """A function's name and where it comes from, for sentences."""
        return f"{name}{self._origin}{',' if self._origin else ''}"

    def _tensor_function(self, name: str, given: Tensor, device: str) -> ImageMap:
        """One of the functions as one on tensors; through NumPy where it does not take tensors."""
        function = self._functions[("encode", "decode", "forward").index(name)]
        what = self._named(name)

        # Some functions change what they are given.
        def on_tensors(values: Tensor) -> Tensor:
            return as_tensor(function(values.clone()), what).to(device)

        def on_arrays(values: Tensor) -> Tensor:
            return as_tensor(function(values.cpu().numpy().copy()), what).to(device)

        try:
            on_tensors(given)
        except ModelError:
            raise
        except Exception as first:
            try:
                on_arrays(given)
            except ModelError:
                raise
            except Exception as second:
                raise ModelError(f"{what} fails{_reasons(first, second)}.") from second
            return saying(what, on_arrays)
        return saying(what, on_tensors)


def functions_of(spec: str) -> Functions:
    """The functions that a function of the user's returns, which is called without arguments.

    Raises ModelError where something else is returned.
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
    if not are_functions(returned):
        raise ModelError(f"{spec} must return (encode, decode) or (encode, decode, forward).")
    return Functions(returned, f", from {spec}")


def _reasons(on_tensors: Exception, on_arrays: Exception) -> str:
    """ ": ZeroDivisionError …"; both reasons where tensors fail in another way than arrays."""
    first, second = own_reason(on_tensors), own_reason(on_arrays)
    return f": {first}" if first == second else f" on arrays: {second}; and on tensors: {first}"


def are_functions(value: Any) -> bool:
    """Tell whether a value is (encode, decode) or (encode, decode, forward)."""
    is_tuple = isinstance(value, tuple | list) and len(value) in (2, 3)
    return is_tuple and all(callable(part) for part in value)


def saying(what: str, function: ImageMap) -> ImageMap:
    """A function whose errors are one sentence, a ModelError that begins with `what`."""

    def run(values: Tensor) -> Tensor:
        try:
            return function(values)
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(f"{what} fails: {own_reason(error)}.") from error

    return run


def as_tensor(value: Any, what: str) -> Tensor:
    """An array of any library as a float32 tensor. Raises ModelError, beginning with `what`."""
    if not isinstance(value, Tensor):
        try:
            if hasattr(value, "toarray"):
                value = value.toarray()
            array = np.asarray(value)
            kind = array.dtype.kind if array.ndim > 0 else ""
        except Exception:
            # Whatever a stranger's class raises where it is asked for an array.
            kind = ""
        if kind == "c":
            raise ModelError(f"{what} returns complex numbers; it must return real ones.")
        if kind not in set("buif"):
            raise ModelError(f"{what} returns {of_kind(value)}; it must return an array.")
        return torch.from_numpy(np.array(array, np.float32))
    if value.is_complex():
        raise ModelError(f"{what} returns complex numbers; it must return real ones.")
    tensor: Tensor = value.detach().float()
    return tensor
