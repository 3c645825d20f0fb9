"""A tar archive of picture files → `ImageSet`. Nothing is unpacked to disk.

A plain archive is read in place; of a compressed one, the chosen pictures are read into memory.
Links, devices and members that point out of the archive are never followed.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from reportgen.errors import DataError
from reportgen.images.archive import (
    LARGEST_MEMBER,
    MOST_UNPACKED,
    damage_is_a_sentence,
    is_hidden,
    is_picture,
    make_archive_images,
    safe_name,
    wanted_members,
)
from reportgen.images.image_set import ImageSet
from reportgen.images.names import Chosen, choose, shown
from reportgen.images.open_options import OpenOptions
from reportgen.images.picture import UnreadableImageError

LARGEST_HEADER = 2**20
MOST_BYTES = 4 * 2**30
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
    options.refuse_part(where)
    with damage_is_a_sentence(where):
        names = (name for name, _, _ in _members(path, where) if is_picture(name))
        chosen = choose(names, options.limit, options.seed)
        files = (PlainTarFiles if _is_plain(path) else PackedTarFiles)(path, chosen, where)
        return make_archive_images(files, chosen, path, options)


class PlainTarFiles:
    """The chosen members of an uncompressed tar archive, by their place; see `PictureFiles`.

    The archive stays open as long as this object lives.
    """

    def __init__(self, path: Path, chosen: Chosen, where: str) -> None:
        self._stream = path.open("rb")
        self._places = {
            name: (member.offset_data, member.size)
            for name, member, _ in _wanted(path, chosen, where)
        }

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
    """The chosen members of a compressed tar archive, in memory; see `PictureFiles`."""

    def __init__(self, path: Path, chosen: Chosen, where: str) -> None:
        self._contents: dict[str, bytes] = {}
        held = 0
        for name, member, archive in _wanted(path, chosen, where):
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
    """A member whose header is refused where reading it would take all memory, or for ever.

    tarfile's own source names `_proc_member` as the place to override; `_block` rounds sizes up.
    """

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in EXTENDED_HEADERS and self.size > LARGEST_HEADER:
            raise tarfile.ReadError(f"an extended header of {self.size} bytes")
        try:
            return super()._proc_member(archive)  # type: ignore[misc]
        except ValueError as error:
            # What int() says of damaged numbers in extended headers.
            raise tarfile.ReadError(f"a damaged header: {error}") from error

    def _block(self, count: int) -> int:
        if count < 0:
            raise tarfile.ReadError("a member of negative size")
        return super()._block(count)  # type: ignore[misc]


_Member = tuple[str, tarfile.TarInfo, tarfile.TarFile]


def _wanted(path: Path, chosen: Chosen, where: str) -> Iterator[_Member]:
    """The chosen pictures, and what labels them. Raises DataError where two have one name."""
    wanted = wanted_members(chosen)
    seen: set[str] = set()
    for name, member, archive in _members(path, where):
        if name in wanted:
            if name in seen:
                raise DataError(f"{where} holds two files called {shown(name)}.")
            seen.add(name)
            yield name, member, archive


def _members(path: Path, where: str) -> Iterator[_Member]:
    """Regular files of the archive by their safe names, in one pass."""
    unpacked = 0
    mode = "r:" if _is_plain(path) else "r|*"
    with tarfile.open(path, mode, tarinfo=_BoundedTarInfo) as archive:  # type: ignore[call-overload]
        for member in archive:
            # The archive keeps every member it has seen, which a million files need not be.
            archive.members = []
            unpacked += member.size
            if unpacked > MOST_UNPACKED:
                raise DataError(f"{where} unpacks to more than 64 GiB; unpack it and give a part.")
            name = safe_name(member.name, where)
            if member.isreg() and not member.issparse() and not is_hidden(name):
                yield name, member, archive


def _is_plain(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(512)[MARK_PLACE] == MARK
