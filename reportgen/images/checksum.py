"""One size and one SHA-256 for all that was read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from reportgen.autoencoder import SourceFile
from reportgen.shown import shown


class FilesChecksum:
    """SHA-256 over the lines that `sha256sum` prints for the files, in byte order of their names.

    So that anyone can check it, for names without line breaks and backslashes:
    `cd FOLDER && printf '%s\\0' FILES | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum`.
    """

    def __init__(self) -> None:
        self._digests: dict[bytes, bytes] = {}
        self._size = 0

    def add(self, name: str, content: bytes) -> None:
        """Add the content of a file that was read; `name` is its path relative to the folder."""
        self._digests[os.fsencode(name)] = hashlib.sha256(content).digest()
        self._size += len(content)

    def add_file(self, name: str, path: Path) -> None:
        """Add a file from disk, read in parts, so that it may be of any size."""
        with path.open("rb") as stream:
            self._digests[os.fsencode(name)] = hashlib.file_digest(stream, "sha256").digest()
        self._size += path.stat().st_size

    def matches(self, name: str, content: bytes) -> bool:
        """Tell whether the file that was added under this name had the same content."""
        return self._digests[os.fsencode(name)] == hashlib.sha256(content).digest()

    def source(self, folder: Path) -> SourceFile:
        """The folder's name, total bytes and checksum."""
        total = hashlib.sha256()
        for name in sorted(self._digests):
            total.update(self._digests[name].hex().encode() + b"  " + name + b"\n")
        return SourceFile(shown(folder.resolve().name), self._size, total.hexdigest())


def files_source(folder: Path, names: Iterable[str]) -> SourceFile:
    """The folder's name, and total bytes and checksum of these files in it; see `FilesChecksum`."""
    checksum = FilesChecksum()
    for name in names:
        checksum.add_file(name, folder / name)
    return checksum.source(folder)


def file_source(path: Path) -> SourceFile:
    """A file's name, size and plain SHA-256, as `sha256sum` prints it."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return SourceFile(shown(path.name), path.stat().st_size, digest)
