"""Parts of a matrix of images small enough to copy in float64."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

ROW_BLOCK_BYTES = 32 * 2**20
COLUMN_BLOCK_BYTES = 4 * 2**20
CACHED_BYTES = 2**20


def row_blocks(images: np.ndarray) -> Iterator[slice]:
    """Slices of the rows of (n, P) such that a float64 copy of one block is at most 32 MiB."""
    rows, columns = images.shape
    return _slices(rows, ROW_BLOCK_BYTES // (8 * columns))


def column_blocks(targets: np.ndarray) -> Iterator[slice]:
    """Slices of the columns of (n, P) such that a float64 copy of one is at most 4 MiB."""
    rows, columns = targets.shape
    return _slices(columns, COLUMN_BLOCK_BYTES // (8 * max(1, rows)))


def cached_columns(images: np.ndarray) -> Iterator[slice]:
    """Slices of the columns of (n, P) such that a float64 copy of one stays in a core's cache.

    What is made of a whole image in float64 is new memory each time, which costs more than the
    arithmetic: ten times as much, measured on 22 images of 64×64×3.
    """
    rows, columns = images.shape
    return _slices(columns, CACHED_BYTES // (8 * max(1, rows)))


def centred_squares(targets: np.ndarray) -> np.ndarray:
    """(n,) squared distances of images or other targets (n, P) from their mean."""
    squares = np.zeros(len(targets))
    for columns in column_blocks(targets):
        block = targets[:, columns].astype(np.float64)
        block -= block.mean(axis=0)
        squares += np.vecdot(block, block)
    return squares


def _slices(length: int, step: int) -> Iterator[slice]:
    step = max(1, step)
    return (slice(start, start + step) for start in range(0, length, step))
