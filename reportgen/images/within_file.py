"""Files whose own claims of lengths take no memory."""

from __future__ import annotations

import io
from pathlib import Path


class WithinFile(io.BufferedReader):
    """A file that is asked for no more than it has.

    For a length that a header claims, Python takes the memory before it reads.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._size = path.stat().st_size

    def read(self, size: int | None = -1) -> bytes:
        """Read so many bytes, or those that are left."""
        left = max(0, self._size - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))
