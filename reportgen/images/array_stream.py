"""Rows of an array out of a stream: only those that are wanted are kept in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

import numpy as np

from reportgen.errors import DataError

MOST_BYTES = 4 * 2**30
BLOCK_BYTES = 16 * 2**20
# A row's number, name and label.
ROW_OVERHEAD = 256


@dataclass(frozen=True)
class ArrayHeader:
    """What a file claims to hold from `offset` on."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype
    offset: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one row, exactly, however large."""
        size = self.dtype.itemsize
        for length in self.shape[1:]:
            size *= length
        return size

    @property
    def data_bytes(self) -> int:
        """Bytes of all rows."""
        return self.row_bytes * self.shape[0]


def require_complete(header: ArrayHeader, file_bytes: int, where: str) -> None:
    """Raise DataError where the header claims more than the file has."""
    if header.offset + header.data_bytes > file_bytes:
        raise DataError(
            f"{where} is truncated: its header promises {header.data_bytes} bytes of numbers, "
            f"{file_bytes - header.offset} are there."
        )


def choose_rows(count: int, limit: int | None, seed: int) -> np.ndarray:
    """Row numbers in order: all, or a seeded random `limit` of them."""
    if limit is None or limit >= count:
        return np.arange(count, dtype=np.intp)
    return np.sort(np.random.default_rng([seed, count]).choice(count, limit, replace=False))


def rows_to_read(header: ArrayHeader, limit: int | None, seed: int, where: str) -> np.ndarray:
    """Row numbers as `choose_rows` gives them, if they fit into memory. Raises DataError."""
    count = header.shape[0]
    kept = count if limit is None or header.fortran_order else min(count, limit)
    require_room(header.row_bytes, kept, where)
    return choose_rows(count, limit, seed)


def require_room(row_bytes: int, rows: int, where: str) -> None:
    """Raise DataError where so many rows are more than is read into memory.

    To be asked before anything is made with one entry a row: headers may claim any number.
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
    if header.fortran_order:
        everything = np.frombuffer(_exactly(stream, header.data_bytes, where), header.dtype)
        return everything.reshape(header.shape, order="F")[rows]
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
