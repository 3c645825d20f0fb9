"""Rows of an array out of a stream: only those that are wanted are kept in memory."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np

from reportgen.autoencoder import Note
from reportgen.errors import DataError
from reportgen.images.open_options import OpenOptions
from reportgen.shown import shown

MOST_BYTES = 4 * 2**30
BLOCK_BYTES = 16 * 2**20
# A row's number, name and label.
ROW_OVERHEAD = 256


@dataclass(frozen=True)
class ArrayHeader:
    """The shape and type of the array that a file claims to hold, from byte `offset` on."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype
    offset: int

    @property
    def row_bytes(self) -> int:
        """The number of bytes of one row, exact however large it is."""
        size = self.dtype.itemsize
        for length in self.shape[1:]:
            size *= length
        return size

    @property
    def data_bytes(self) -> int:
        """The number of bytes of all rows."""
        return self.row_bytes * self.shape[0]


class RowsOnDisk:
    """An array in a file, of which only the rows asked for come into memory.

    Rows are read, not memory-mapped: mapped pages count as this process's memory, and if a mapped
    file shrinks, the process ends.
    """

    def __init__(self, path: Path, header: ArrayHeader) -> None:
        self._path = path
        self._header = header
        self.shape = header.shape
        self.dtype = header.dtype

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """(n,) row numbers → (n, …) values. Raises DataError where the file has shrunk."""
        if self._header.fortran_order:
            # Each row is scattered over the whole file.
            return np.array(self._mapped()[rows])
        kept = np.empty((len(rows), *self.shape[1:]), self.dtype)
        content = kept.reshape(-1).view(np.uint8)
        size = self._header.row_bytes
        starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1).tolist()
        with self._path.open("rb", buffering=0) as stream:
            for first, last in pairwise((*starts, len(rows))):
                stream.seek(self._header.offset + int(rows[first]) * size)
                wanted = content[first * size : last * size]
                if stream.readinto(wanted.data) < len(wanted):
                    raise DataError(f"{shown(str(self._path))} has become shorter; start again.")
        return kept

    def _mapped(self) -> np.memmap:
        place = self._header.offset
        return np.memmap(self._path, self.dtype, "r", place, self.shape, order="F")


def require_complete(header: ArrayHeader, file_bytes: int, where: str) -> None:
    """Raise DataError where the header claims more than the file has."""
    if header.offset + header.data_bytes > file_bytes:
        raise DataError(
            f"{where} is truncated: its header promises {header.data_bytes} bytes of numbers, "
            f"{file_bytes - header.offset} are there."
        )


def beyond_notes(header: ArrayHeader, file_bytes: int, where: str) -> tuple[Note, ...]:
    """A note of the bytes that a file has behind its array, where it has any."""
    beyond = file_bytes - header.offset - header.data_bytes
    if beyond <= 0:
        return ()
    text = f"{where} goes on for {beyond} bytes beyond its array, which were left out."
    return (Note("images", text),)


def choose_rows(count: int, limit: int | None, seed: int) -> np.ndarray:
    """Row numbers in order: all, or a seeded random `limit` of them."""
    if limit is None or limit >= count:
        return np.arange(count, dtype=np.intp)
    return np.sort(np.random.default_rng([seed, count]).choice(count, limit, replace=False))


def rows_to_read(header: ArrayHeader, options: OpenOptions, where: str) -> np.ndarray:
    """Choose rows as `choose_rows` does. Raises DataError where they do not fit into memory."""
    count = header.shape[0]
    all_kept = options.limit is None or header.fortran_order
    kept = count if all_kept else min(count, options.limit or 0)
    require_room(header.row_bytes, kept, where)
    return choose_rows(count, options.limit, options.seed)


def require_room(row_bytes: int, rows: int, where: str) -> None:
    """Raise DataError where so many rows are more than may be read into memory.

    Call it before making anything with one entry a row: a header may claim any number of rows.
    """
    needed = (row_bytes + ROW_OVERHEAD) * rows
    if needed > MOST_BYTES:
        raise DataError(
            f"{where}: {rows} images take {needed / 2**30:.1f} GiB; use a smaller "
            "--limit, or save the array as .npy, which is read from disk."
        )


def read_rows(stream: IO[bytes], header: ArrayHeader, rows: np.ndarray, where: str) -> np.ndarray:
    """(len(rows), …) values of increasing `rows` from a stream that stands at `header.offset`.

    Raises DataError where the stream ends early.
    """
    if header.dtype.itemsize == 0:
        raise DataError(f"{where} holds values of no bytes; save it again as numbers or text.")
    if header.fortran_order:
        numbers = np.frombuffer(_exactly(stream, header.data_bytes, where), header.dtype)
        everything: np.ndarray = numbers.reshape(header.shape, order="F")
        chosen: np.ndarray = everything[rows]
        return chosen
    kept = np.empty((len(rows), *header.shape[1:]), header.dtype)
    step = max(1, BLOCK_BYTES // header.row_bytes)
    for start in range(0, int(rows[-1]) + 1, step):
        stop = min(start + step, header.shape[0])
        content = _exactly(stream, (stop - start) * header.row_bytes, where)
        block = np.frombuffer(content, header.dtype).reshape(stop - start, *header.shape[1:])
        first, last = np.searchsorted(rows, (start, stop))
        kept[first:last] = block[rows[first:last] - start]
    return kept


def _exactly(stream: IO[bytes], size: int, where: str) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise DataError(f"{where} is truncated.")
    return content
