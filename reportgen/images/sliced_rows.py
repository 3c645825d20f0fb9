"""Rows of an array that gives slices alone, as HDF5's, Zarr's and their like do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from reportgen.errors import DataError

BLOCK_BYTES = 16 * 2**20
# The last block is kept up to this size; a larger one would be unpacked for each row.
KEPT_BYTES = 128 * 2**20
LARGEST_CHUNK = 2**30
MOST_ROWS = 2**31
MOST_BLOCKS = 2**16


class Sliceable(Protocol):
    """An array of known shape and type that may be anywhere: slices of it come into memory.

    It may have an attribute `chunks`: the shape of the blocks that it is stored in, or None.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        ...

    @property
    def dtype(self) -> Any:
        """Its type, as NumPy takes it."""
        ...

    def __getitem__(self, rows: slice) -> Any:
        """Some rows, as NumPy takes them."""
        ...


class SlicedRows:
    """Rows of an array of which only blocks come into memory, never all of it.

    Rows are read a block of the file's at a time, and the last block is kept, so that going through
    an array in order unpacks each block once.

    Parameters
    ----------
    array : h5py.Dataset, zarr.Array, numpy.memmap, numpy.ndarray or the like.
    where : the array's name and its file's, for sentences.
    chunk_rows : rows of each block it is stored in; found from `array.chunks` where not given.
    reading : context in which it is read, to make its errors sentences.

    Raises DataError where a block is too large to be read.
    """

    def __init__(
        self,
        array: Sliceable,
        where: str,
        chunk_rows: int | None = None,
        reading: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._array, self._where, self._reading = array, where, reading
        self.shape = tuple(int(length) for length in array.shape)
        self.dtype = np.dtype(array.dtype)
        self._row_bytes = max(1, _product(self.shape[1:]) * self.dtype.itemsize)
        if self.shape and self.shape[0] > MOST_ROWS:
            raise DataError(f"{where} claims to have {self.shape[0]} rows; that is refused.")
        if self._row_bytes > LARGEST_CHUNK:
            raise DataError(f"{where} has images of {self._row_bytes} bytes, more than are read.")
        chunks = getattr(array, "chunks", None)
        if isinstance(chunks, tuple) and chunks and all(isinstance(n, int) for n in chunks):
            if _product(chunks) * self.dtype.itemsize > LARGEST_CHUNK:
                raise DataError(
                    f"{where} is stored in blocks of more than {LARGEST_CHUNK // 2**30} GiB, which "
                    "are read whole; save it in smaller chunks."
                )
            sides = zip(self.shape[1:], chunks[1:], strict=False)
            if _product(tuple(-(-side // max(1, chunk)) for side, chunk in sides)) > MOST_BLOCKS:
                # Blocks that are not there cost nothing on disk, and time to look for each.
                raise DataError(
                    f"{where} has each image in more than {MOST_BLOCKS} blocks; save it in larger "
                    "chunks."
                )
            chunk_rows = chunk_rows or chunks[0]
        rows = max(1, chunk_rows or 1)
        self._block = rows if rows * self._row_bytes <= KEPT_BYTES else 1
        self._kept: tuple[int, np.ndarray] | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """(n,) row numbers, in any order → (n, …) values. Raises DataError."""
        rows = np.asarray(rows, np.intp)
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        starts = np.flatnonzero(self._is_new_read(ordered)).tolist()
        for first, last in pairwise((*starts, len(ordered))):
            wanted = ordered[first:last]
            begin, values = self._read(int(wanted[0]), int(wanted[-1]) + 1)
            found[order[first:last]] = values[wanted - begin]
        return found

    def _is_new_read(self, rows: np.ndarray) -> np.ndarray:
        """(n,) which of increasing rows do not come with the one before."""
        if self._block > 1:
            is_new: np.ndarray = np.diff(rows // self._block, prepend=-1) != 0
            return is_new
        # Runs of rows, in pieces of a bounded size.
        most = max(1, BLOCK_BYTES // self._row_bytes)
        begins: np.ndarray = np.diff(rows, prepend=-2) > 1
        piece = (rows - rows[begins][np.cumsum(begins) - 1]) // most
        begins |= np.diff(piece, prepend=0) != 0
        return begins

    def _read(self, start: int, stop: int) -> tuple[int, np.ndarray]:
        """Rows from `start` to `stop`, or more of them, and the number of the first."""
        if self._block == 1:
            return start, self._slice(start, stop)
        block = start // self._block
        kept = self._kept
        if kept is None or kept[0] != block:
            first = block * self._block
            kept = block, self._slice(first, min(first + self._block, self.shape[0]))
            self._kept = kept
        return block * self._block, kept[1]

    def _slice(self, start: int, stop: int) -> np.ndarray:
        with self._reading():
            values = np.asarray(self._array[start:stop])
        if values.shape != (stop - start, *self.shape[1:]):
            raise DataError(f"{self._where} is damaged: rows {start} to {stop - 1} are not there.")
        return values


def _product(lengths: tuple[int, ...]) -> int:
    # Exact, however large a file's claims are.
    product = 1
    for length in lengths:
        product *= int(length)
    return product
