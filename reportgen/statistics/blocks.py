"""Parts of a matrix of images small enough to copy in float64, several at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from reportgen.statistics.norms import squared_norms

ROW_BLOCK_BYTES = 32 * 2**20
COLUMN_BLOCK_BYTES = 4 * 2**20
CACHED_BYTES = 2**20
# So many of one image are worth a thread of their own.
PIXELS_TOGETHER = 2**16
MOST_THREADS = 8

Part = TypeVar("Part")
Result = TypeVar("Result")


def in_parallel(compute: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
    """Yield `compute` of each part, in order; one part for each core is computed ahead.

    It pays for products and sums of large arrays, during which numpy lets other threads run.
    """
    threads = available_threads()
    if threads == 1:
        yield from map(compute, parts)
        return
    ahead: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for part in parts:
            ahead.append(pool.submit(compute, part))
            if len(ahead) > threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def available_threads() -> int:
    """The number of threads that OpenMP may use, as `torchrun` sets it; else of available cores."""
    allowed = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if allowed.isdigit():
        cores = int(allowed)
    elif hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min(cores, MOST_THREADS))


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

    A float64 copy of whole images would be new memory each time, which costs ten times as much as
    the arithmetic (measured on 22 images of 64×64×3).
    """
    rows, columns = images.shape
    return _slices(columns, CACHED_BYTES // (8 * max(1, rows)))


def over_pixels(compute: Callable[[slice], Result], pixels: int) -> Iterator[Result]:
    """Return `compute` of every part of images that have so many pixels, in order.

    Small images are one part. The parts of large ones are computed on several threads.
    """
    if pixels <= PIXELS_TOGETHER:
        yield compute(slice(0, pixels))
    else:
        yield from in_parallel(compute, _slices(pixels, PIXELS_TOGETHER))


def centred_squares(targets: np.ndarray) -> np.ndarray:
    """(n,) squared Euclidean distances of images or other targets (n, P) from their mean."""

    def of(columns: slice) -> np.ndarray:
        block = targets[:, columns].astype(np.float64)
        block -= block.mean(axis=0)
        return squared_norms(block)

    squares = np.zeros(len(targets))
    for some in in_parallel(of, column_blocks(targets)):
        squares += some
    return squares


def column_deviations(values: np.ndarray) -> np.ndarray:
    """(m,) sd (ddof 0) of each column of (n, m), without a second copy of them."""
    mean = values.mean(axis=0, dtype=np.float64)
    squares = np.zeros(values.shape[1])
    for block in row_blocks(values):
        squares += np.square(values[block] - mean).sum(axis=0)
    return np.sqrt(squares / len(values))


def columns_filled(
    rows: int, targets: np.ndarray, compute: Callable[[slice], np.ndarray]
) -> np.ndarray:
    """(rows, P) float64, filled block by block with what `compute` makes of columns of (n, P)."""
    filled = np.empty((rows, targets.shape[1]))

    def fill(columns: slice) -> None:
        filled[:, columns] = compute(columns)

    for _ in in_parallel(fill, column_blocks(targets)):
        pass
    return filled


def _slices(length: int, step: int) -> Iterator[slice]:
    step = max(1, step)
    return (slice(start, start + step) for start in range(0, length, step))
