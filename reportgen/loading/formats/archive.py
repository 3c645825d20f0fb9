"""Zip archives from strangers: bounded before anything is read out of them."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reportgen.errors import ModelError
from reportgen.loading.sentences import refusing
from reportgen.shown import quoted

ENTRY_LIMIT = 100_000
# Source code in TorchScript archives is deflated; nothing legitimate in it opens to more.
DEFLATED_LIMIT = 64 * 1024 * 1024


class Archive:
    """The records of an archive that passed `open_archive`, by name without its top folder."""

    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self.path = path
        self._file = file
        self._entries = _by_record_name(file.infolist())

    @property
    def names(self) -> list[str]:
        """All record names, in the archive's order."""
        return list(self._entries)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def size(self, name: str) -> int:
        """The number of bytes of a record once it is read."""
        return self._entry(name).file_size

    def _entry(self, name: str) -> zipfile.ZipInfo:
        if name not in self._entries:
            raise ModelError(f"{self.path} lacks its record {quoted(name)}; save the model again.")
        return self._entries[name]

    def read(self, name: str) -> bytes:
        """A whole record. Raises ModelError where it is missing or damaged."""
        with refusing(
            (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError),
            f"{self.path} is damaged at {quoted(name)} (<reason>); save or download it again.",
        ):
            return self._file.read(self._entry(name))


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a model archive whose sizes are plausible.

    Raises ModelError for bombs, duplicate names, encrypted or damaged archives.
    """
    with _opened(path) as file:
        _check_sizes(path, file.infolist())
        yield Archive(path, file)


def records_of(path: Path) -> set[str]:
    """Names of the records in a zip archive. Raises ModelError where it is damaged or truncated."""
    with _opened(path) as file:
        entries = file.infolist()
    # A truncated archive can still end in a whole archive that was stored inside it.
    if not entries or min(entry.header_offset for entry in entries) != 0:
        raise ModelError(f"{path} is a truncated archive; save or download it again.")
    return set(_by_record_name(entries))


def _opened(path: Path) -> zipfile.ZipFile:
    with refusing(
        (zipfile.BadZipFile, OSError, struct.error, ValueError, NotImplementedError),
        f"{path} is a damaged or truncated archive (<reason>); save or download it again.",
    ):
        return zipfile.ZipFile(path)


def _check_sizes(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > ENTRY_LIMIT:
        raise ModelError(f"{path} claims {len(entries)} records, too many for a model; refused.")
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise ModelError(f"{path} holds two records of one name; refused as unsafe.")
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise ModelError(f"{path} is an encrypted archive; save it without a password.")
    stored = sum(entry.file_size for entry in entries if entry.compress_type == zipfile.ZIP_STORED)
    deflated = sum(entry.file_size for entry in entries) - stored
    if stored > path.stat().st_size:
        raise ModelError(f"{path} claims more bytes than it has; it is damaged or unsafe.")
    if deflated > DEFLATED_LIMIT:
        raise ModelError(
            f"{path} holds compressed records that open to {deflated / 1e6:.0f} MB; torch stores "
            "tensors uncompressed, so this is refused as a decompression bomb."
        )


def _by_record_name(entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Entries by their names without the archive's one top folder, as torch writes them."""
    tops = {entry.filename.partition("/")[0] for entry in entries}
    strip = len(tops) == 1 and all("/" in entry.filename for entry in entries)
    return {
        entry.filename.partition("/")[2] if strip else entry.filename: entry for entry in entries
    }
