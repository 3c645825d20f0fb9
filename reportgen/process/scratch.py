"""Room on disk for arrays that are too large for memory."""

from __future__ import annotations

import math
import mmap
import os
import tempfile

import numpy as np

FLOAT_BYTES = 4


class Scratch:
    """Files without a name, which are gone when the process is.

    Parameters
    ----------
    descriptor : of one that is open already, for a process that may open none; None otherwise.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = descriptor

    def zeros(self, shape: tuple[int, ...]) -> np.ndarray:
        """A float32 array of zeros that lies in a file. Raises OSError where there is no room."""
        if self._descriptor is None:
            with tempfile.TemporaryFile() as file:
                return np.memmap(file, dtype=np.float32, mode="w+", shape=shape)
        # Behind what lies there already, where a page of memory may begin.
        end = os.fstat(self._descriptor).st_size
        start = -(-end // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        os.ftruncate(self._descriptor, start + FLOAT_BYTES * math.prod(shape))
        with os.fdopen(os.dup(self._descriptor), "r+b") as file:
            return np.memmap(file, dtype=np.float32, mode="r+", offset=start, shape=shape)
