"""Images in memory, by the four things that loading uses of an `ImageSet`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class ImageArray:
    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels.astype(np.float32)
        self.shape = (int(pixels.shape[1]), int(pixels.shape[2]), int(pixels.shape[3]))
        self.names = tuple(f"image {row}" for row in range(len(pixels)))

    def __len__(self) -> int:
        return len(self.pixels)

    def read(self, rows: Sequence[int]) -> np.ndarray:
        return self.pixels[list(rows)]


def random_images(shape: tuple[int, int, int], count: int = 24, seed: int = 0) -> ImageArray:
    return ImageArray(np.random.default_rng(seed).random((count, *shape)))
