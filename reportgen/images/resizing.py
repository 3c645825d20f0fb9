"""Images of any size → one size: scaled until they cover it, then cropped around the centre."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from reportgen.images.image_set import ImageSet, PixelStore
from reportgen.images.picture_notes import size_notes


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


@dataclass(frozen=True)
class Resized:
    """Pixels of another store, in one size; see `PixelStore`."""

    pixels: PixelStore
    size: tuple[int, int]

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(n,) row numbers → (n, C, *size) float32."""
        return np.stack([cover(image, self.size) for image in self.pixels.read(rows)])


def resized(images: ImageSet, size: tuple[int, int] | None) -> ImageSet:
    """The images in a size, (height, width); as they are where it is theirs, or None."""
    if size is None or images.shape[1:] == size:
        return images
    return replace(
        images,
        shape=(images.shape[0], *size),
        pixels=Resized(images.pixels, size),
        with_alpha=None,
        notes=(*images.notes, *size_notes({images.shape[1:]: len(images)}, size)),
    )
