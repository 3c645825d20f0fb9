"""Where decoded images lie: memory that is used again, and images that may be asked for again."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Mapping

import numpy as np

SMALLEST_LENT = 16 * 2**20


class ImageMemory:
    """Arrays for images, each in the memory of an earlier one that nobody holds any more.

    New memory has to be cleared by the system, page by page: measured a third of all that a
    decoder of few operations takes for 512×512×3. Of small arrays the C library does as much.
    """

    def __init__(self, image_size: int) -> None:
        self._image_size = image_size
        self._free: list[np.ndarray] = []

    def images(self, count: int) -> np.ndarray:
        """(count, P) float32 with anything in it."""
        if 4 * count * self._image_size < SMALLEST_LENT:
            return np.empty((count, self._image_size), dtype=np.float32)
        # What does not fit is given up, so that no more is kept than was in use at once; and
        # nothing larger is lent than was asked for, which others count.
        self._free[:] = [array for array in self._free if len(array) == count]
        array = self._free.pop() if self._free else np.empty((count, self._image_size), np.float32)
        lent = _Lent(array)
        weakref.finalize(lent, self._free.append, array).atexit = False
        return np.asarray(lent)

    def forget(self) -> None:
        """Give up what is free now, and what is lent once it is free."""
        self._free.clear()
        # What is lent comes back to the list that it left.
        self._free = []


class _Lent:
    """An array's memory as numpy knows it, which lives as long as any array that lies in it."""

    def __init__(self, array: np.ndarray) -> None:
        self.__array_interface__ = array.__array_interface__


class ImageStore:
    """The most recently decoded images, up to a number of bytes; the oldest requests leave first.

    Whole requests are kept as they were decoded, so that nothing is copied.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._bytes = 0
        self._places: dict[bytes, tuple[np.ndarray, int]] = {}
        self._requests: deque[tuple[tuple[bytes, ...], int]] = deque()

    def get(self, key: bytes) -> np.ndarray | None:
        """(P,) the image of a key, or None."""
        found = self._places.get(key)
        return None if found is None else found[0][found[1]]

    def add(self, places: Mapping[bytes, int], images: np.ndarray) -> None:
        """Keep the images (n, P) at the places of keys that the store does not hold."""
        if images.nbytes > self._capacity:
            return
        self._places.update((key, (images, place)) for key, place in places.items())
        self._requests.append((tuple(places), images.nbytes))
        self._bytes += images.nbytes
        while self._bytes > self._capacity:
            keys, size = self._requests.popleft()
            self._bytes -= size
            for key in keys:
                del self._places[key]
