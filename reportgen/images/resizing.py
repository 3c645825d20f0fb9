"""Images of any size → one size: scaled until they cover it, then cropped around the centre."""

from __future__ import annotations

import numpy as np
from PIL import Image


def cover(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(C, H, W) uint8, uint16 or float32 → (C, *size) of the same type.

    Bilinear and antialiased, as Pillow's `ImageOps.fit` and torchvision's `Resize` of Pillow
    images; pixels that are the same size already stay as they are.
    """
    if pixels.shape[1:] == size:
        return pixels
    return np.stack([_covered(channel, size) for channel in pixels])


def _covered(channel: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    (height, width), (new_height, new_width) = channel.shape, size
    kept_height = min(height, width * new_height / new_width)
    kept_width = min(width, height * new_width / new_height)
    top, left = (height - kept_height) / 2, (width - kept_width) / 2
    # Pillow scales 8-bit pixels in whole numbers, and has no 16-bit mode that it can scale.
    depth = np.uint8 if channel.dtype == np.uint8 else np.float32
    picture = Image.fromarray(np.ascontiguousarray(channel, depth))
    # Rounding must not lead out of the picture.
    box = (left, top, min(left + kept_width, width), min(top + kept_height, height))
    scaled = np.asarray(picture.resize((new_width, new_height), Image.Resampling.BILINEAR, box=box))
    return scaled if channel.dtype == depth else np.rint(scaled).astype(channel.dtype)
