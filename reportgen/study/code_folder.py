"""The files of a cache of codes, written whole or not at all by whoever may write."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from reportgen.errors import SettingsError
from reportgen.shown import shown

ENTRY = re.compile(r"codes-[0-9a-f]{32}\.npy")


class CodeFolder:
    """A folder of entries; made if it is not there. Raises SettingsError where it cannot be."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise self._unwritable(error) from error

    def write(self, name: str, pieces: Iterable[bytes | memoryview]) -> None:
        """Write an entry. Raises SettingsError where the folder cannot be written."""
        entry = self.start(name)
        try:
            for piece in pieces:
                entry.add(piece)
            entry.finish()
        except BaseException:
            entry.abandon()
            raise

    def start(self, name: str) -> UnfinishedEntry:
        """An entry that is not there before it is finished. Raises SettingsError."""
        assert ENTRY.fullmatch(name), "an entry's name says nothing but which codes it holds"
        try:
            return UnfinishedEntry(self, self.path / name)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: Exception) -> SettingsError:
        reason = getattr(error, "strerror", None) or error
        return SettingsError(f"The cache {shown(self.path)} cannot be written: {reason}.")


class UnfinishedEntry:
    """An entry that is being written under another name."""

    def __init__(self, folder: CodeFolder, path: Path) -> None:
        self._folder, self._path = folder, path
        handle, name = tempfile.mkstemp(dir=folder.path, suffix=".unfinished")
        self._unfinished = Path(name)
        self._file: BinaryIO = os.fdopen(handle, "wb")

    def add(self, piece: bytes | memoryview) -> None:
        """Write the next piece. Raises SettingsError."""
        try:
            self._file.write(piece)
        except OSError as error:
            raise self._folder._unwritable(error) from error

    def finish(self) -> None:
        """Give the entry its name. Raises SettingsError."""
        try:
            self._file.close()
            self._unfinished.replace(self._path)
        except OSError as error:
            raise self._folder._unwritable(error) from error

    def abandon(self) -> None:
        """Leave nothing behind."""
        with suppress(OSError):
            self._file.close()
        self._unfinished.unlink(missing_ok=True)
