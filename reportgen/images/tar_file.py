"""A tar archive of picture files → `ImageSet`. Nothing is unpacked to disk.

A plain archive is read in place; of a compressed one, the chosen pictures are read into memory.
Links, devices and members that point out of the archive are never followed.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from reportgen.errors import DataError
from reportgen.images.archive import LARGEST_MEMBER, MOST_UNPACKED, open_archive
from reportgen.images.image_set import ImageSet
from reportgen.images.open_options import OpenOptions
from reportgen.images.picture import UnreadableImageError
from reportgen.images.picture_set import PictureFiles
from reportgen.shown import shown

_Member = tuple[tarfile.TarInfo, tarfile.TarFile]
LARGEST_HEADER = 2**20
MOST_BYTES = 4 * 2**30
PACKED: Mapping[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
    b"\x5d\0\0": lzma.open,
}
MARK_PLACE, MARK = slice(257, 262), b"ustar"
EXTENDED_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)


def open_tar(path: Path, options: OpenOptions) -> ImageSet:
    """A tar archive of images, plain or compressed; see `open_images`."""
    where = shown(str(path))
    is_plain = _is_plain(path)

    def files(wanted: Iterator[tuple[str, _Member]]) -> PictureFiles:
        return PlainTarFiles(path, wanted) if is_plain else PackedTarFiles(wanted, where)

    return open_archive(path, options, lambda: _members(path, is_plain, where), files)


class PlainTarFiles:
    """Some members of an uncompressed tar archive, each read where it lies; see `PictureFiles`.

    The archive stays open as long as this object lives.
    """

    def __init__(self, path: Path, members: Iterator[tuple[str, _Member]]) -> None:
        self._stream = path.open("rb")
        self._places = {name: (each.offset_data, each.size) for name, (each, _) in members}

    def __contains__(self, name: str) -> bool:
        return name in self._places

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A member's bytes. Raises UnreadableImageError."""
        place, size = self._places[name]
        if size > LARGEST_MEMBER:
            raise UnreadableImageError(f"{size} bytes, more than are read")
        self._stream.seek(place)
        yield io.BytesIO(self._stream.read(size))


class PackedTarFiles:
    """Some members of a compressed tar archive, held in memory; see `PictureFiles`."""

    def __init__(self, members: Iterator[tuple[str, _Member]], where: str) -> None:
        self._contents: dict[str, bytes] = {}
        held = 0
        for name, (member, archive) in members:
            held += member.size
            if member.size > LARGEST_MEMBER or held > MOST_BYTES:
                raise DataError(
                    f"{where}: its images are too large to read into memory; unpack it, or use a "
                    "smaller --limit."
                )
            stream = archive.extractfile(member)
            self._contents[name] = stream.read() if stream else b""

    def __contains__(self, name: str) -> bool:
        return name in self._contents

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A member's bytes."""
        yield io.BytesIO(self._contents[name])


class _BoundedTarInfo(tarfile.TarInfo):
    """A member whose header is refused where reading it would take all memory, or never end.

    tarfile's own source names `_proc_member` as the method to override; `_block` rounds sizes up.
    """

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in EXTENDED_HEADERS and self.size > LARGEST_HEADER:
            raise tarfile.ReadError(f"an extended header of {self.size} bytes")
        try:
            member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        except ValueError as error:
            # What int() says of damaged numbers in extended headers.
            raise tarfile.ReadError(f"a damaged header: {error}") from error
        return member

    def _block(self, count: int) -> int:
        if count < 0:
            raise tarfile.ReadError("a member of negative size")
        rounded: int = super()._block(count)  # type: ignore[misc]
        return rounded


def _members(path: Path, is_plain: bool, where: str) -> Iterator[tuple[str, _Member | None]]:
    """Everything in the archive, in one pass; None for what is no regular file."""
    unpacked = 0
    with (
        _content(path, is_plain) as content,
        tarfile.open(
            fileobj=content, mode="r:" if is_plain else "r|", tarinfo=_BoundedTarInfo
        ) as archive,
    ):
        for member in archive:
            # The archive keeps every member it has seen, which a million files need not be.
            archive.members = []  # type: ignore[attr-defined]
            unpacked += member.size
            if unpacked > MOST_UNPACKED:
                raise DataError(f"{where} unpacks to more than 64 GiB; unpack it and give a part.")
            is_file = member.isreg() and not member.issparse()
            yield member.name, (member, archive) if is_file else None


@contextmanager
def _content(path: Path, is_plain: bool) -> Iterator[Any]:
    """The archive's bytes, unpacked.

    Read by the libraries' own files: those of tarfile copy what they have unpacked of a block for
    each piece of it, which takes minutes where a block of zeros becomes ten megabytes.
    """
    with path.open("rb") as packed:
        if is_plain:
            yield packed
            return
        start = packed.read(max(map(len, PACKED)))
        packed.seek(0)
        opener = next((PACKED[magic] for magic in PACKED if start.startswith(magic)), None)
        if opener is None:
            raise tarfile.ReadError("neither a tar archive nor a compressed one")
        with opener(packed) as content:
            yield _Unpacked(content)


class _Unpacked(io.RawIOBase):
    """An archive's unpacked bytes; damage is tarfile's own error, as a file's is an OSError."""

    def __init__(self, content: IO[bytes]) -> None:
        super().__init__()
        self._content = content

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """See `io.RawIOBase`."""
        try:
            return self._content.read(size)
        except OSError as error:
            if error.errno is not None:
                raise
            raise tarfile.ReadError(str(error)) from error


def _is_plain(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(512)[MARK_PLACE] == MARK
