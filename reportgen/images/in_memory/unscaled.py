"""Images that were given as a model takes them, back on the scale of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from reportgen.autoencoder import Note
from reportgen.errors import DataError
from reportgen.images.image_set import ImageSet, PixelStore

# Pixels may lie so far beyond [0, 1], as sharpened or compressed ones do.
BEYOND = 0.02
BATCH = 256


@dataclass(frozen=True)
class Unscaled:
    """Another store's numbers times `scale` plus `shift`, by channel; see `PixelStore`."""

    pixels: PixelStore
    shift: np.ndarray
    scale: np.ndarray

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(n,) row numbers → (n, C, H, W) float32."""
        pixels: np.ndarray = self.pixels.read(rows) * self.scale + self.shift
        return pixels


def unscaled(
    images: ImageSet, shift: Sequence[float], scale: Sequence[float], name: str
) -> ImageSet:
    """The images as pixels in [0, 1], where the model takes (pixels − shift) / scale.

    `shift` and `scale` hold one number, or one for each channel; `name` is what that is called.
    Raises DataError where what comes out is no such pixel, so that another scaling was used.
    """
    factor, offset = (
        np.array(numbers, np.float32).reshape(1, -1, 1, 1) for numbers in (scale, shift)
    )
    text = f"The images were given as the model takes them; normalize={name!r} was taken back."
    pixels = replace(
        images,
        pixels=Unscaled(images.pixels, offset, factor),
        pixel_range=(0.0, 1.0),
        notes=(*images.notes, Note("scaling", text)),
    )
    extremes = [(float(b.min()), float(b.max())) for _, b in pixels.batches(BATCH)]
    low, high = min(e[0] for e in extremes), max(e[1] for e in extremes)
    if low < -BEYOND or high > 1 + BEYOND:
        raise DataError(
            f"images lie between {low:.3g} and {high:.3g} once normalize={name!r} is taken back, "
            "and not in [0, 1]: they were scaled in another way, or are pixels (given='pixels')."
        )
    return pixels
