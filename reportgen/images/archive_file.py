"""Zip and tar archives of picture files → `ImageSet`. Nothing is unpacked to disk.

A zip is read in place. Of a tar, plain or compressed, the chosen pictures are read into memory.
Links, devices and members that point out of the archive are never followed.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from reportgen.errors import DataError
from reportgen.images.checksum import file_source
from reportgen.images.image_set import ImageSet
from reportgen.images.label_table import FILE_NAME
from reportgen.images.listing import IGNORED_FOLDERS
from reportgen.images.names import Chosen, choose, shown
from reportgen.images.picture import SUFFIXES, UnreadableImageError
from reportgen.images.picture_images import CLASS_SUFFIX, make_picture_images
from reportgen.images.picture_set import PictureFiles

LARGEST_MEMBER = 256 * 2**20
LARGEST_HEADER = 2**20
MOST_BYTES = 4 * 2**30
MOST_UNPACKED = 64 * 2**30
EXTENDED_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError, UnicodeError)


def open_zip(path: Path, *, limit: int | None, seed: int) -> ImageSet:
    """A zip archive of images; see `open_images`."""
    where = shown(str(path))
    with _damage_is_a_sentence(where):
        files = ZipFiles(path, where)
        chosen = choose(files.pictures(), limit, seed)
        files.require_plausible(chosen)
        return _image_set(files, chosen, path, seed)


def open_tar(path: Path, *, limit: int | None, seed: int) -> ImageSet:
    """A tar archive of images, plain or compressed; see `open_images`."""
    where = shown(str(path))
    with _damage_is_a_sentence(where):
        names = (name for name, _, _ in _tar_members(path, where))
        chosen = choose((name for name in names if _is_picture(name)), limit, seed)
        return _image_set(TarFiles(path, chosen, where), chosen, path, seed)


def _image_set(files: PictureFiles, chosen: Chosen, path: Path, seed: int) -> ImageSet:
    where = shown(str(path))
    if not chosen.names:
        raise DataError(
            f"{where} holds no images; give an archive of PNG, JPEG, WebP, BMP, TIFF or GIF files."
        )
    return make_picture_images(
        files, chosen, where, seed=seed, source=lambda checksum: file_source(path)
    )


class ZipFiles:
    """The members of a zip archive by name; see `PictureFiles`.

    The archive stays open as long as this object lives.
    """

    def __init__(self, path: Path, where: str) -> None:
        self._where = where
        self._archive = zipfile.ZipFile(path)
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in self._archive.infolist():
            name = _safe_name(member.filename, where)
            if not member.is_dir() and not _is_hidden(name):
                if name in self._members:
                    raise DataError(f"{where} holds two files called {shown(name)}.")
                self._members[name] = member

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def pictures(self) -> Iterator[str]:
        """Names of the members that are pictures."""
        return filter(_is_picture, self._members)

    def require_plausible(self, chosen: Chosen) -> None:
        """Raise DataError where the pictures claim to be more than anybody has.

        Members may overlap, so that a small archive opens to far more than its own size.
        """
        if sum(self._members[name].file_size for name in chosen.names) > MOST_UNPACKED:
            raise DataError(f"{self._where} unpacks to more than 64 GiB; refused as unsafe.")

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A member's bytes. Raises UnreadableImageError."""
        member = self._members[name]
        if member.file_size > LARGEST_MEMBER:
            raise UnreadableImageError(f"{member.file_size} bytes, more than are read")
        try:
            content = self._archive.read(member)
        except (*DAMAGED, NotImplementedError, RuntimeError) as error:
            # RuntimeError is what zipfile raises for a member that needs a password.
            raise UnreadableImageError(f"damaged in the archive: {error}") from error
        yield io.BytesIO(content)


class TarFiles:
    """The chosen members of a tar archive, and what labels them, in memory; see `PictureFiles`."""

    def __init__(self, path: Path, chosen: Chosen, where: str) -> None:
        wanted = {*chosen.names, FILE_NAME, f"{chosen.shared_folder}{FILE_NAME}"}
        self._contents: dict[str, bytes] = {}
        held = 0
        for name, member, archive in _tar_members(path, where):
            if name not in wanted and not name.endswith(CLASS_SUFFIX):
                continue
            if name in self._contents:
                raise DataError(f"{where} holds two files called {shown(name)}.")
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


def _tar_members(path: Path, where: str) -> Iterator[tuple[str, tarfile.TarInfo, tarfile.TarFile]]:
    """Regular files of the archive by their safe names, in one pass."""
    unpacked = 0
    with tarfile.open(path, "r|*", tarinfo=_BoundedTarInfo) as archive:
        for member in archive:
            # The archive keeps every member it has seen, which a million files need not be.
            archive.members = []  # type: ignore[attr-defined]
            unpacked += member.size
            if unpacked > MOST_UNPACKED:
                raise DataError(f"{where} unpacks to more than 64 GiB; unpack it and give a part.")
            name = _safe_name(member.name, where)
            if member.isreg() and not member.issparse() and not _is_hidden(name):
                yield name, member, archive


def _safe_name(name: str, where: str) -> str:
    """The path inside the archive. Raises DataError where it leads out of it."""
    parts = name.replace("\\", "/").removeprefix("./").split("/")
    if ".." in parts or parts[0] == "" or parts[0].endswith(":"):
        raise DataError(f"{where} holds {shown(name)!r}, which leads out of it; refused as unsafe.")
    return "/".join(part for part in parts if part not in ("", "."))


def _is_picture(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part in IGNORED_FOLDERS for part in name.split("/"))


@contextmanager
def _damage_is_a_sentence(where: str) -> Iterator[None]:
    try:
        yield
    except (*DAMAGED, NotImplementedError) as error:
        raise DataError(f"{where} is a damaged or unsupported archive: {error}.") from error
