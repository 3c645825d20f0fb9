"""Plain factors of an image, computed from its pixels: brightness, place, extent, colour."""

from __future__ import annotations

import numpy as np

from reportgen.statistics.blocks import row_blocks

# Factors in degrees that go round, and after how many.
PERIODS = {"orientation": 180.0, "hue": 360.0}


def image_factors(images: np.ndarray, shape: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """(n, P) images → name → (n,) factor; NaN where an image has none (a blank image's centre).

    Brightness and contrast are the mean and sd over pixels of the mean over channels. Centre,
    extent and orientation come from the first and second moments of |pixel − background|, the
    background being the median of the image's border. Hue (degrees) and saturation, of colour
    images only, are HSV's, of the foreground's mean colour.
    """
    parts = [_factors(images[block], shape) for block in row_blocks(images)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _factors(images: np.ndarray, shape: tuple[int, int, int]) -> dict[str, np.ndarray]:
    channels, height, width = shape
    pixels = images.reshape(-1, channels, height, width).astype(np.float64)
    grey = pixels.mean(axis=1)
    foreground = np.abs(pixels - _border(pixels)[:, :, None, None]).mean(axis=1)
    factors = {
        "brightness": grey.mean(axis=(1, 2)),
        "contrast": grey.std(axis=(1, 2)),
        **_moments(foreground),
    }
    if channels == 3:
        factors |= _colours(pixels, foreground)
    return factors


def _border(pixels: np.ndarray) -> np.ndarray:
    """(n, C) median over the outermost ring of pixels."""
    sides = [pixels[:, :, 0], pixels[:, :, -1], pixels[:, :, :, 0], pixels[:, :, :, -1]]
    return np.median(np.concatenate(sides, axis=2), axis=2)


def _moments(weights: np.ndarray) -> dict[str, np.ndarray]:
    """Centre and extent (root mean square radius) in pixels, orientation in degrees, [0, 180)."""
    total = weights.sum(axis=(1, 2))
    weights = np.divide(
        weights,
        total[:, None, None],
        out=np.full_like(weights, np.nan),
        where=total[:, None, None] > 0,
    )
    y, x = np.mgrid[: weights.shape[1], : weights.shape[2]].astype(np.float64)
    centre_x, centre_y = (np.einsum("nhw,hw->n", weights, axis) for axis in (x, y))
    across, down = x - centre_x[:, None, None], y - centre_y[:, None, None]
    xx, yy, xy = (
        np.einsum("nhw,nhw->n", weights, square) for square in (across**2, down**2, across * down)
    )
    return {
        "centre x": centre_x,
        "centre y": centre_y,
        "extent": np.sqrt(np.maximum(xx + yy, 0)),
        "orientation": np.degrees(0.5 * np.arctan2(2 * xy, xx - yy)) % 180,
    }


def _colours(pixels: np.ndarray, foreground: np.ndarray) -> dict[str, np.ndarray]:
    total = foreground.sum(axis=(1, 2))
    weighted = np.einsum("nchw,nhw->nc", pixels, foreground)
    known = total > 0
    colour = np.divide(weighted, total[:, None], out=np.zeros_like(weighted), where=known[:, None])
    hue, saturation = _hue_and_saturation(np.clip(colour, 0, 1))
    return {
        "hue": np.where(known, hue, np.nan),
        "saturation": np.where(known, saturation, np.nan),
    }


def _hue_and_saturation(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) red, green, blue in [0, 1] → degrees and [0, 1], 0 for greys (Smith 1978)."""
    largest = colours.max(axis=1)
    chroma = largest - colours.min(axis=1)
    red, green, blue = colours.T
    # Each third of the circle starts at the primary that is largest there.
    difference = np.choose(colours.argmax(axis=1), [green - blue, blue - red, red - green])
    turn = np.divide(difference, chroma, out=np.zeros_like(chroma), where=chroma > 0)
    hue = 60 * (2 * colours.argmax(axis=1) + turn) % 360
    saturation = np.divide(chroma, largest, out=np.zeros_like(chroma), where=largest > 0)
    return hue, saturation
