"""The scale of an array's values, and the way to [0, 1] where that scale is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

ROUNDING = 1e-3


@dataclass(frozen=True)
class ValueSummary:
    """The facts about an array's values from which their scale is found.

    Attributes
    ----------
    low, high : smallest and largest value.
    whole : whether every value is a whole number.
    """

    low: float
    high: float
    whole: bool


@dataclass(frozen=True)
class PixelScale:
    """A scale of values, by which pixels are (value − zero) / span in float32.

    Attributes
    ----------
    zero : the value that becomes pixel 0.
    span : the difference of values that becomes a difference of 1 between pixels.
    pixel_range : (low, high) of the pixels that come out: (0, 1) where the scale is known.
    sentence : what was seen and done.
    """

    zero: float
    span: float
    pixel_range: tuple[float, float]
    sentence: str

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Values of any number type → float32 pixels."""
        pixels = values.astype(np.float32)
        if self.zero != 0:
            pixels -= np.float32(self.zero)
        if self.span != 1:
            pixels /= np.float32(self.span)
        return pixels


def summarise(
    blocks: Iterable[tuple[int, np.ndarray]], on_bad_row: Callable[[int], Exception]
) -> ValueSummary:
    """Find smallest and largest value in blocks, each (number of its first row, (n, …) values).

    Raises `on_bad_row(row)` at the first row with NaN or infinity. A number beyond float32 counts
    as infinite.
    """
    low, high, whole = np.inf, -np.inf, True
    for first, values in blocks:
        block = values
        if block.dtype.kind == "f":
            with np.errstate(over="ignore"):
                block = block.astype(np.float32, copy=False)
            bad = ~np.isfinite(block).reshape(len(block), -1).all(axis=1)
            if bad.any():
                raise on_bad_row(first + int(np.argmax(bad)))
            whole = whole and bool((block == np.rint(block)).all())
        low, high = min(low, float(block.min())), max(high, float(block.max()))
    return ValueSummary(low, high, whole)


def find_scale(dtype: np.dtype, values: ValueSummary) -> PixelScale:
    """The scale of values of this type: by type for whole numbers, by range for floats.

    Whole numbers: 0 and 1 only → as they are; up to 255 → / 255; uint16 → / 65535. Floats: within
    [0, 1] → as they are; within [−1, 1], below −½ somewhere → [−1, 1]; within [0, 255], whole or
    above 64 somewhere → / 255. Anything else stays as it is, shown between its extremes.
    """
    low, high = values.low, values.high
    seen = f"values from {low:.4g} to {high:.4g}"
    if dtype.kind == "b" or (low >= -ROUNDING and high <= 1 + ROUNDING):
        return PixelScale(0, 1, (0.0, 1.0), f"{seen} were taken as [0, 1] and kept.")
    if dtype.kind == "f" and -1 - ROUNDING <= low < -0.5 and high <= 1 + ROUNDING:
        return PixelScale(-1, 2, (0.0, 1.0), f"{seen} were taken as [−1, 1] and mapped to [0, 1].")
    if low >= 0 and high <= 255 and (values.whole or high > 64):
        return PixelScale(0, 255, (0.0, 1.0), f"{seen} were divided by 255.")
    # Whatever the byte order, which is a part of the type.
    if dtype.kind == "u" and dtype.itemsize == 2:
        return PixelScale(0, 65535, (0.0, 1.0), f"{seen} of 16 bits were divided by 65535.")
    top = high if high > low else low + 1
    return PixelScale(0, 1, (low, top), f"{seen} are on no usual pixel scale and were kept.")
