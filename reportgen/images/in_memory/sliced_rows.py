"""Rows of whatever has a shape and takes slices: HDF5 and Zarr arrays, tensors, JAX arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from reportgen.errors import DataError
from reportgen.shown import shown

SPAN_BYTES = 16 * 2**20
# Rows no further apart than this are read in one slice, with those between.
NEAR = 16


class SlicedRows:
    """An array of a library's own, of which slices alone come into memory.

    Parameters
    ----------
    given : has `shape` and `dtype`, and gives rows as `given[start:stop]`.
    where : its name, for sentences.

    Raises DataError where a slice of it is no array.
    """

    def __init__(self, given: Any, where: str) -> None:
        self._given, self._where = given, where
        self.shape = tuple(int(size) for size in given.shape)
        self.dtype = self._slice(0, 1).dtype

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """(n,) row numbers → (n, …) values. Raises DataError where they cannot be read."""
        values = np.empty((len(rows), *self.shape[1:]), self.dtype)
        order = np.argsort(rows, kind="stable")
        ordered = np.asarray(rows)[order]
        row_bytes = max(1, math.prod(self.shape[1:]) * self.dtype.itemsize)
        longest = max(1, SPAN_BYTES // row_bytes)
        start = 0
        while start < len(ordered):
            first = int(ordered[start])
            stop = start + 1
            while (
                stop < len(ordered)
                and ordered[stop] - ordered[stop - 1] <= NEAR
                and ordered[stop] - first < longest
            ):
                stop += 1
            span = ordered[start:stop]
            values[order[start:stop]] = self._slice(first, int(span[-1]) + 1)[span - first]
            start = stop
        return values

    def _slice(self, start: int, stop: int) -> np.ndarray:
        try:
            return as_array(self._given[start:stop])
        except Exception as error:
            # Whatever the library raises: a closed file, a lost connection, a damaged chunk.
            reason = shown(str(error).partition("\n")[0]).rstrip(".")
            raise DataError(
                f"{self._where}: rows {start} to {stop - 1} cannot be read: "
                f"{type(error).__name__}: {reason}."
            ) from error


def as_array(value: Any) -> np.ndarray:
    """A tensor or anything that NumPy takes, as an array, in the same memory where it may be."""
    if hasattr(value, "detach"):
        tensor = value.detach().cpu().resolve_conj().resolve_neg()
        is_brief = str(tensor.dtype) == "torch.bfloat16"
        array: np.ndarray = (tensor.float() if is_brief else tensor).numpy()
        return array
    return np.asarray(value)
