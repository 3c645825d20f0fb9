"""Zip archives from strangers: bounded before anything is read out of them."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reportgen.errors import ModelError
from reportgen.loading.sentences import refusing
from reportgen.shown import quoted

if TYPE_CHECKING:
    from torch import Tensor

ENTRY_LIMIT = 100_000
# Source code in TorchScript archives is deflated; nothing legitimate in it opens to more.
DEFLATED_LIMIT = 64 * 1024 * 1024
# Before a record stand its header, of so many bytes, and a name and more of the lengths in it.
HEADER_BYTES, LENGTHS = 30, struct.Struct("<26xHH")
# Places of numbers in memory are multiples of it.
ALIGNMENT = 16


class Archive:
    """The records of an archive that passed `open_archive`, by name without its top folder."""

    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self.path = path
        self._file = file
        self._entries = _by_record_name(file.infolist())
        self._whole: Tensor | None = None

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

    def tensor(self, name: str) -> Tensor:
        """A whole record as uint8 numbers. Raises as `read` does."""
        import torch

        content = bytearray(self.read(name))
        return torch.frombuffer(content, dtype=torch.uint8) if content else torch.zeros(0).byte()

    def mapped(self, name: str) -> Tensor:
        """A stored record as uint8 numbers that stay on disk. Raises as `read` does.

        They cannot be written to, and their checksum is not looked at.
        """
        import numpy as np
        import torch

        entry = self._entry(name)
        if self._whole is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._whole = torch.from_numpy(np.memmap(self.path, np.uint8, "r"))
        start = entry.header_offset + HEADER_BYTES
        header = bytes(self._whole[start - HEADER_BYTES : start].tolist())
        if len(header) == HEADER_BYTES:
            start += sum(LENGTHS.unpack(header))
        found = self._whole[start : start + entry.file_size]
        if len(found) < entry.file_size or entry.compress_type != zipfile.ZIP_STORED:
            raise ModelError(f"{self.path} is damaged at {quoted(name)}; save it again.")
        return found if start % ALIGNMENT == 0 else found.clone()


@contextmanager
def open_archive(path: Path, content: bytes | None = None) -> Iterator[Archive]:
    """Open a model archive whose sizes are plausible; `content` is one inside another, at `path`.

    Raises ModelError for bombs, duplicate names, encrypted or damaged archives.
    """
    with _opened(path, content) as file:
        size = path.stat().st_size if content is None else len(content)
        _check_sizes(path, file.infolist(), size)
        yield Archive(path, file)


def records_of(path: Path) -> set[str]:
    """Names of the records in a zip archive. Raises ModelError where it is damaged or truncated."""
    with _opened(path) as file:
        entries = file.infolist()
    # A truncated archive can still end in a whole archive that was stored inside it.
    if not entries or min(entry.header_offset for entry in entries) != 0:
        raise ModelError(f"{path} is a truncated archive; save or download it again.")
    return set(_by_record_name(entries))


def _opened(path: Path, content: bytes | None = None) -> zipfile.ZipFile:
    with refusing(
        (zipfile.BadZipFile, OSError, struct.error, ValueError, NotImplementedError),
        f"{path} is a damaged or truncated archive (<reason>); save or download it again.",
    ):
        return zipfile.ZipFile(path if content is None else io.BytesIO(content))


def _check_sizes(path: Path, entries: list[zipfile.ZipInfo], size: int) -> None:
    if len(entries) > ENTRY_LIMIT:
        raise ModelError(f"{path} claims {len(entries)} records, too many for a model; refused.")
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise ModelError(f"{path} holds two records of one name; refused as unsafe.")
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise ModelError(f"{path} is an encrypted archive; save it without a password.")
    stored = sum(entry.file_size for entry in entries if entry.compress_type == zipfile.ZIP_STORED)
    deflated = sum(entry.file_size for entry in entries) - stored
    if stored > size:
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
