"""A linear sketch of images, for sums of squares when whole stacks would not fit in memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

SKETCH_SIZE = 4096
# What these images make of one block of pixels stays in a core's cache.
IMAGES_TOGETHER = 8


def compressor(
    pixels: int, stacked: int, seed: int, limit: int
) -> tuple[Callable[[np.ndarray], np.ndarray], int, bool]:
    """Return the function that shortens images (n, P) before `stacked` of them are kept together.

    Returns the function, the length of the vectors that it makes, and whether it is a sketch. If
    the images fit into `limit` bytes it is the identity. Above, it is a CountSketch of length 4096
    (Charikar et al., 2002): linear, so that it commutes with sums and transforms; the standard
    error of one squared norm is 2.2 %.
    """
    if stacked * pixels * 4 <= limit or pixels <= SKETCH_SIZE:
        return (lambda images: images), pixels, False
    return _CountSketch(pixels, seed), SKETCH_SIZE, True


class _CountSketch:
    """Sums of pixels with random signs, (n, P) → (n, 4096) of the same type.

    A block of 4,096 pixels is added to all sums at once, from a random one on, around the end.
    Pixels of one block therefore never meet, and any others with probability 1/4096: as the
    variance of a squared norm is 2 Σ_{p≠q} P(p meets q) x_p² x_q², it is at most that of sums
    which every pixel picks for itself, at a tenth of the time.
    """

    def __init__(self, pixels: int, seed: int) -> None:
        generator = np.random.default_rng([seed, pixels])
        self._signs = generator.choice(np.array([-1.0, 1.0], dtype=np.float32), size=pixels)
        self._starts = generator.integers(SKETCH_SIZE, size=-(-pixels // SKETCH_SIZE))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        sketches = np.empty((len(images), SKETCH_SIZE), images.dtype)
        for first in range(0, len(images), IMAGES_TOGETHER):
            rows = slice(first, first + IMAGES_TOGETHER)
            sketches[rows] = self._of_some(images[rows])
        return sketches

    def _of_some(self, images: np.ndarray) -> np.ndarray:
        unwound = np.zeros((len(images), 2 * SKETCH_SIZE), images.dtype)
        for block, start in enumerate(self._starts):
            pixels = slice(block * SKETCH_SIZE, (block + 1) * SKETCH_SIZE)
            signed = images[:, pixels] * self._signs[pixels]
            unwound[:, start : start + signed.shape[1]] += signed
        return unwound[:, :SKETCH_SIZE] + unwound[:, SKETCH_SIZE:]
