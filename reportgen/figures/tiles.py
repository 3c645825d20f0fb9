"""Flat images (n, P) to tiles of pixels (n, h, w, 3) on one scale, never one scale per tile."""

from __future__ import annotations

import numpy as np

from reportgen.figures.colours import around_grey, diverging
from reportgen.statistics.pictures import averaged_down

COLOUR_CHANNELS = 3


def image_tiles(
    images: np.ndarray, shape: tuple[int, int, int], pixel_range: tuple[float, float], factor: int
) -> np.ndarray:
    """(n, P) images → (n, h, w, 3) uint8: `pixel_range` to black and white, clipped beyond."""
    low, high = pixel_range
    levels = averaged_down(images, shape, factor) - low
    levels /= high - low
    # Of a number and NaN, fmax gives the number.
    np.fmax(levels, 0, out=levels)
    np.fmin(levels, 1, out=levels)
    levels *= 255
    return _colour(np.rint(levels).astype(np.uint8))


def difference_tiles(
    differences: np.ndarray, shape: tuple[int, int, int], limit: float, factor: int
) -> np.ndarray:
    """(n, P) signed differences → (n, h, w, 3) uint8 on the symmetric scale ± `limit`.

    One channel takes the diverging map; colour channels stay colours around mid-grey. A limit of 0
    stands for "no difference anywhere" and gives neutral tiles.
    """
    pixels = averaged_down(differences, shape, factor)
    signed = pixels / limit if limit > 0 else np.zeros_like(pixels)
    if shape[0] < COLOUR_CHANNELS:
        return diverging(signed[:, 0])
    return _colour(around_grey(signed))


def symmetric_limit(*differences: np.ndarray) -> float:
    """The largest absolute value among arrays that share one scale."""
    return max((float(np.abs(part).max()) for part in differences if part.size), default=0.0)


def _colour(pixels: np.ndarray) -> np.ndarray:
    """(n, C, h, w) → (n, h, w, 3): grey from one channel, the first three of more."""
    if pixels.shape[1] < COLOUR_CHANNELS:
        return np.repeat(pixels[:, 0, :, :, None], COLOUR_CHANNELS, axis=-1)
    return np.moveaxis(pixels[:, :COLOUR_CHANNELS], 1, -1)
