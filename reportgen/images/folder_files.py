"""Picture files in a folder, opened by their path below it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from reportgen.errors import DataError
from reportgen.images.open_options import OpenOptions
from reportgen.images.picture import LARGEST_FILE, UnreadableImageError
from reportgen.shown import shown


class FolderFiles:
    """Picture files by their path below a folder; see `PictureFiles`.

    `options` say how a file is opened, and which are none of them.
    """

    def __init__(self, root: Path, options: OpenOptions | None = None) -> None:
        self._root, self._options = root, options or OpenOptions()

    def __contains__(self, name: str) -> bool:
        # Of a name that no file can have, pathlib raises an error.
        return os.path.exists(self._root / name)  # noqa: PTH110

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A regular file's bytes. Raises UnreadableImageError; DataError for an output."""
        path = self._root / name
        try:
            status = path.stat()
            if (status.st_dev, status.st_ino) in self._options.written:
                raise DataError(
                    f"The report would be written over {shown(path)}, which is one of the images; "
                    "give -o, --results and --pdf other names."
                )
            # A named pipe would wait for ever, a device has no end.
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableImageError("not a regular file")
            if status.st_size > LARGEST_FILE:
                raise UnreadableImageError(f"{status.st_size} bytes, more than are read")
            stream = self._options.open_file(path)
        except (OSError, ValueError) as error:
            # A table may list what is no name of a file.
            raise UnreadableImageError(getattr(error, "strerror", None) or str(error)) from error
        with stream:
            yield stream
