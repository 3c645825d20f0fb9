"""The pass over all images: every image's code, and the pixels of those that are kept.

Codes are small and all of them are kept, on disk where they are many; pixels are large, and only
those of chosen rows stay. What a pass holds in memory does therefore not grow with the images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reportgen.engine import Engine
from reportgen.process.ranks import ALONE, Ranks
from reportgen.process.scratch import Scratch
from reportgen.study.code_cache import CodeCache
from reportgen.study.copies import fingerprints

if TYPE_CHECKING:
    from reportgen.images import ImageSet

LARGEST_BATCH, BATCH_BYTES = 256, 2**27
SPOOLED_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Encoded:
    """Codes, fingerprints and kept pixels of n images, from one pass over them.

    Attributes
    ----------
    codes : (n, code_size) float32.
    fingerprints : (n, 2) int64, equal where pixels are; see `copies`.
    pixels : (kept, P) float32 of the rows that were to be kept, as they stand.
    """

    codes: np.ndarray
    fingerprints: np.ndarray
    pixels: np.ndarray


def encode_all(
    images: ImageSet,
    engine: Engine,
    kept: np.ndarray,
    *,
    cache: CodeCache | None = None,
    ranks: Ranks = ALONE,
    scratch: Scratch | None = None,
    on_encoded: Callable[[int, int], None] = lambda done, of: None,
) -> Encoded:
    """The codes of all images, and the pixels of the rows `kept`, in their order.

    `on_encoded(done, of)` is told how far the pass is. With a cache that holds the codes of these
    images, only the kept rows are read. Codes that are many lie in `scratch`.
    """
    batch_size = _batch_size(images)
    numbers = engine.numbers_of(images.labels)

    def labels(rows: slice) -> np.ndarray | None:
        return None if numbers is None else numbers[rows]

    first = stored = None
    before = engine.encodes.copy()
    if cache is not None:
        pixels = _read(images, np.arange(min(batch_size, len(images))))
        first = engine.encode(pixels, labels(slice(len(pixels))))
        stored = cache.find(images, first)
    # Ranks on other machines may have another cache, and a pass takes all of them.
    missing = ranks.largest(float(stored is None))
    if stored is not None and not missing:
        # They took as many encodes when they were made: the report is the same either way.
        for asked_by, count in (engine.encodes - before).items():
            engine.encodes[asked_by] += len(images) - count
        return Encoded(*stored, _read(images, kept))
    codes = _new_array((len(images), engine.code_size), scratch or Scratch())
    prints = np.zeros((len(images), 2), dtype=np.int64)
    pixels = np.zeros((len(kept), engine.image_size), dtype=np.float32)
    order = np.argsort(kept)
    in_order = kept[order]
    for block in ranks.mine(-(-len(images) // batch_size)).tolist():
        start = batch_size * block
        rows = slice(start, min(start + batch_size, len(images)))
        batch = images.read(rows)
        flat = batch.reshape(len(batch), -1)
        codes[rows] = engine.encode(flat, labels(rows)) if first is None or block > 0 else first
        prints[rows] = fingerprints(flat)
        places = slice(*np.searchsorted(in_order, [rows.start, rows.stop]))
        pixels[order[places]] = flat[in_order[places] - start]
        on_encoded(rows.stop, len(images))
    ranks.add_up(codes, prints, pixels)
    if cache is not None and first is not None and ranks.writes:
        cache.store(images, first, codes, prints)
    return Encoded(codes, prints, pixels)


def _batch_size(images: ImageSet) -> int:
    """Images that are read at a time, of large ones fewer."""
    return int(np.clip(BATCH_BYTES // (4 * np.prod(images.shape)), 1, LARGEST_BATCH))


def _read(images: ImageSet, rows: np.ndarray) -> np.ndarray:
    """(rows, P), read in the order in which they lie."""
    order = np.argsort(rows)
    pixels = np.empty((len(rows), int(np.prod(images.shape))), dtype=np.float32)
    batch_size = _batch_size(images)
    for start in range(0, len(rows), batch_size):
        places = order[start : start + batch_size]
        pixels[places] = images.read(rows[places]).reshape(len(places), -1)
    return pixels


def _new_array(shape: tuple[int, int], scratch: Scratch) -> np.ndarray:
    """Zeros for codes: in memory, or in an unnamed file where they are many."""
    if 4 * shape[0] * shape[1] <= SPOOLED_BYTES:
        return np.zeros(shape, dtype=np.float32)
    return scratch.zeros(shape)
