"""Flat images (n, P) to tiles of pixels (n, h, w, 3) on one scale, never one scale per tile."""

from __future__ import annotations

from math import isqrt

import numpy as np

from reportgen.figures.colours import around_grey, diverging
from reportgen.statistics.pictures import averaged_down

COLOUR_CHANNELS = 3
# Grey, colour, and colour with an alpha that is not drawn; all else is shown channel by channel.
IN_ONE_TILE = (1, 3, 4)
# Pixels between the channels of one picture.
GAP = 1
MID_GREY = 128


def channel_grid(channels: int) -> tuple[int, int]:
    """(rows, columns) in which the channels of one picture stand; (1, 1) for grey and colour."""
    if channels in IN_ONE_TILE:
        return 1, 1
    columns = isqrt(channels - 1) + 1
    return -(-channels // columns), columns


def is_in_colour(channels: int) -> bool:
    """Tell whether a picture of so many channels is drawn in its colours."""
    return channels in IN_ONE_TILE and channels >= COLOUR_CHANNELS


def image_tiles(
    images: np.ndarray, shape: tuple[int, int, int], pixel_range: tuple[float, float], factor: int
) -> np.ndarray:
    """(n, P) images → (n, h, w, 3) uint8: `pixel_range` to black and white, clipped beyond.

    Channels that are no colours stand side by side, row by row, each in grey.
    """
    low, high = pixel_range
    levels = averaged_down(images, shape, factor) - low
    levels /= high - low
    # Of a number and NaN, fmax gives the number.
    np.fmax(levels, 0, out=levels)
    np.fmin(levels, 1, out=levels)
    levels *= 255
    return _colour(_side_by_side(np.rint(levels).astype(np.uint8), MID_GREY))


def difference_tiles(
    differences: np.ndarray, shape: tuple[int, int, int], limit: float, factor: int
) -> np.ndarray:
    """(n, P) signed differences → (n, h, w, 3) uint8 on the symmetric scale ± `limit`.

    One channel takes the diverging map, and so does each of those that are no colours; colours
    stay colours around mid-grey. A limit of 0
    stands for "no difference anywhere" and gives neutral tiles.
    """
    pixels = averaged_down(differences, shape, factor)
    signed = pixels / limit if limit > 0 else np.zeros_like(pixels)
    if is_in_colour(shape[0]):
        return _colour(around_grey(signed))
    return diverging(_side_by_side(signed, 0)[:, 0])


def symmetric_limit(*differences: np.ndarray) -> float:
    """The largest absolute value among arrays that share one scale."""
    return max((float(np.abs(part).max()) for part in differences if part.size), default=0.0)


def _side_by_side(pixels: np.ndarray, between: float) -> np.ndarray:
    """(n, C, h, w) → (n, 1, …) with channels that are no colours in a grid, the others as is."""
    count, channels, height, width = pixels.shape
    rows, columns = channel_grid(channels)
    if (rows, columns) == (1, 1):
        return pixels
    down, across = height + GAP, width + GAP
    grid = np.full((count, 1, rows * down - GAP, columns * across - GAP), between, pixels.dtype)
    for channel in range(channels):
        top, left = channel // columns * down, channel % columns * across
        grid[:, 0, top : top + height, left : left + width] = pixels[:, channel]
    return grid


def _colour(pixels: np.ndarray) -> np.ndarray:
    """(n, C, h, w) → (n, h, w, 3): grey from one channel, the first three of more."""
    if pixels.shape[1] < COLOUR_CHANNELS:
        return np.repeat(pixels[:, 0, :, :, None], COLOUR_CHANNELS, axis=-1)
    return np.moveaxis(pixels[:, :COLOUR_CHANNELS], 1, -1)
