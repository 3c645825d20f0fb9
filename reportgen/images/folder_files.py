"""Picture files in a folder, opened by their path below it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from reportgen.images.picture import LARGEST_FILE, UnreadableImageError


class FolderFiles:
    """Picture files by their path below a folder; see `PictureFiles`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __contains__(self, name: str) -> bool:
        return (self._root / name).exists()

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A regular file's bytes. Raises UnreadableImageError."""
        path = self._root / name
        try:
            status = path.stat()
            # A named pipe would wait for ever, a device has no end.
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableImageError("not a regular file")
            if status.st_size > LARGEST_FILE:
                raise UnreadableImageError(f"{status.st_size} bytes, more than are read")
            stream = path.open("rb")
        except OSError as error:
            raise UnreadableImageError(error.strerror or str(error)) from error
        with stream:
            yield stream
