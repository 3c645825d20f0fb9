"""Objects with transform and inverse_transform, such as scikit-learn's PCA, NMF and pipelines."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reportgen.autoencoder import Note
from reportgen.errors import ModelError
from reportgen.loading.modules.adapter import SAME, TRIED_IMAGES, Functions, as_tensor
from reportgen.loading.options import LoadingOptions
from reportgen.loading.sentences import first_line, shape_text
from reportgen.loading.split import Model, Split, relative_difference

CHANNELS_LAST, CHANNELS_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


def is_transformer(model: object) -> bool:
    """Tell whether an object transforms rows and takes that back."""
    # Those of a pipeline or a search depend on what it holds.
    return all(callable(getattr(model, name, None)) for name in ("transform", "inverse_transform"))


class Transformer(Model):
    """An object that maps rows of numbers to codes (n, K), and codes to rows.

    Images are handed over as rows in float64, or in float32 where it takes only that; sparse codes
    are made dense. Where the code of an image depends on those beside it, as in solvers that stop
    once a batch has converged, images are handed over one at a time. Where it takes no numbers
    below zero, as NMF, those of pictures of moved codes are taken as zero.

    Parameters
    ----------
    given : fitted.
    channels_last : whether a row holds an image pixel by pixel, and not channel by channel.
    """

    def __init__(self, given: Any, *, channels_last: bool = False) -> None:
        self._given, self._channels_last = given, channels_last
        self._name = type(given).__name__
        self._dtype: type[np.floating[Any]] = np.float64
        self._takes_negative = True

    def split(self, sample: Tensor, options: LoadingOptions) -> Split:
        """Try it on a few images. Raises ModelError where it is not fitted, or on other images."""
        image = tuple(sample.shape[1:])
        self._dtype = self._taken_dtype(sample[:1])
        self._takes_negative = float(sample.min()) < 0 or self._takes(sample[:1] - 1)

        def encode(images: Tensor) -> Tensor:
            rows = self._rows(images)
            if not self._takes_negative:
                rows = rows.clip(min=0)
            codes = as_tensor(self._called("transform", rows), f"{self._name}.transform")
            if codes.numel() % len(rows):
                raise ModelError(
                    f"{self._name}.transform returns {shape_text(codes.shape)} for {len(rows)} "
                    "images; it must return one code for each."
                )
            # Some give a vector for a single row.
            return codes.reshape(len(rows), -1)

        def encode_each(images: Tensor) -> Tensor:
            return torch.cat([encode(image[None]) for image in images])

        def decode(codes: Tensor) -> Tensor:
            given = codes.cpu().numpy().astype(self._dtype)
            name = f"{self._name}.inverse_transform"
            rows = as_tensor(self._called("inverse_transform", given), name)
            if rows.numel() != len(codes) * math.prod(image):
                raise ModelError(
                    f"{name} returns {rows.numel() // max(1, len(codes))} numbers where an image "
                    f"has {math.prod(image)}; fit it on images like these."
                )
            return self._images(rows, image)

        tried = sample[:TRIED_IMAGES]
        is_mixing = relative_difference(encode_each(tried), encode(tried)) > SAME
        split = Functions((encode_each if is_mixing else encode, decode)).split(sample, options)
        text = f"Code: {split.code_shape[0]} numbers, by {self._name}.transform; images as rows"
        order = ", pixel by pixel" if self._channels_last else ""
        alone = ", one at a time, as a code depends on the rows beside" if is_mixing else ""
        notes = [Note("code", f"{text}{order}{alone}.")]
        if not self._takes_negative:
            below = (
                f"{self._name} takes no numbers below 0: where pictures of moved codes hold some, "
                "they were taken as 0 before those were encoded again."
            )
            notes.append(Note("code", below))
        return replace(split, notes=tuple(notes))

    def _takes(self, images: Tensor) -> bool:
        try:
            self._called("transform", self._rows(images))
        except ModelError:
            return False
        return True

    def _taken_dtype(self, image: Tensor) -> type[np.floating[Any]]:
        """The type of number that it takes; some take only that which they were fitted on."""
        for dtype in (np.float64, np.float32):
            self._dtype = dtype
            with suppress(ModelError):
                self._called("inverse_transform", self._called("transform", self._rows(image)))
                return dtype
        # What is wrong is said of the usual type.
        return np.float64

    def _rows(self, images: Tensor) -> np.ndarray:
        arranged = images.permute(CHANNELS_LAST) if self._channels_last else images
        return arranged.reshape(len(images), -1).cpu().numpy().astype(self._dtype)

    def _images(self, rows: Tensor, image: tuple[int, ...]) -> Tensor:
        if not self._channels_last:
            return rows.reshape(-1, *image)
        channels, height, width = image
        return rows.reshape(-1, height, width, channels).permute(CHANNELS_FIRST).contiguous()

    def _called(self, name: str, given: np.ndarray) -> Any:
        function: Callable[[np.ndarray], Any] = getattr(self._given, name)
        try:
            return function(given)
        except Exception as error:
            # The library's own traceback says nothing more to the caller.
            raise ModelError(self._sentence(name, error)) from error

    def _sentence(self, name: str, error: Exception) -> str:
        reason = first_line(error).rstrip(".")
        if type(error).__name__ == "NotFittedError" and name == "transform":
            return f"{self._name} is not fitted: {reason}; fit it on images like these first."
        return f"{self._name}.{name} fails: {type(error).__name__}: {reason}."
