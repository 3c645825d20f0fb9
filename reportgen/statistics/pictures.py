"""Pictures: images as the report keeps and shows them, averaged down where they are large."""

from __future__ import annotations

import numpy as np

from reportgen.statistics.blocks import column_blocks, in_parallel

LARGEST_KEPT, LARGEST_TILE = 128, 64


def shrink_factor(shape: tuple[int, int, int], largest: int) -> int:
    """The whole factor by which images (C, H, W) shrink to at most `largest` pixels a side."""
    return max(1, -(-max(shape[1], shape[2]) // largest))


def averaged_down(images: np.ndarray, shape: tuple[int, int, int], factor: int) -> np.ndarray:
    """(n, P) → (n, C, h, w) float64, each pixel the mean of factor × factor; edges are cropped.

    Images narrower than `factor` are averaged over what they have.
    """
    channels, height, width = shape
    pixels = np.asarray(images, dtype=np.float64).reshape(-1, channels, height, width)
    if factor == 1:
        return pixels
    rows, columns = _averaged_size(shape, factor)
    down, across = min(factor, height), min(factor, width)
    kept = pixels[:, :, : rows * down, : columns * across]
    in_rows = kept.reshape(-1, channels, rows, down, columns * across).sum(axis=3)
    # A mean over so short an axis takes five times as long.
    sums = sum(in_rows[..., column::across] for column in range(across))
    return np.asarray(sums / (down * across))


def picture_shape(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """(C, h, w): the shape in which images (C, H, W) are kept for the page.

    Images of more than 128 pixels across are kept as the page shows them, at most 64 pixels
    across; else the frames of walks alone would take gigabytes.
    """
    return (shape[0], *_averaged_size(shape, _kept_factor(shape)))


def pictures_of(images: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """(…, P) → (…, p) float32: images (C, H, W), or differences of them, as pictures.

    Averaging is linear, so what adds up as images adds up as pictures.
    """
    factor = _kept_factor(shape)
    if factor == 1:
        return np.asarray(images, dtype=np.float32)
    flat = images.reshape(-1, images.shape[-1])
    pictures = np.empty((len(flat), int(np.prod(picture_shape(shape)))), dtype=np.float32)

    def fill(rows: slice) -> None:
        pictures[rows] = averaged_down(flat[rows], shape, factor).reshape(-1, pictures.shape[1])

    for _ in in_parallel(fill, column_blocks(flat.T)):
        pass
    return pictures.reshape(*images.shape[:-1], pictures.shape[1])


def _kept_factor(shape: tuple[int, int, int]) -> int:
    return 1 if max(shape[1:]) <= LARGEST_KEPT else shrink_factor(shape, LARGEST_TILE)


def _averaged_size(shape: tuple[int, int, int], factor: int) -> tuple[int, int]:
    _, height, width = shape
    return height // min(factor, height), width // min(factor, width)
