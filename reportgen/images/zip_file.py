"""A zip archive of picture files → `ImageSet`. It is read in place, never unpacked."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from reportgen.errors import DataError
from reportgen.images.archive import (
    DAMAGED,
    LARGEST_MEMBER,
    MOST_UNPACKED,
    damage_is_a_sentence,
    open_archive,
)
from reportgen.images.image_set import ImageSet
from reportgen.images.open_options import OpenOptions
from reportgen.images.picture import UnreadableImageError
from reportgen.shown import shown


def open_zip(path: Path, options: OpenOptions) -> ImageSet:
    """A zip archive of images; see `open_images`."""
    where = shown(str(path))
    with damage_is_a_sentence(where):
        archive = zipfile.ZipFile(path)

    def members() -> Iterator[tuple[str, zipfile.ZipInfo | None]]:
        # Once files are open, the list is empty: see `ZipFiles`.
        listed = archive.infolist() or zipfile.ZipFile(path).infolist()
        for member in listed:
            yield member.filename, None if member.filename.endswith("/") else member

    return open_archive(
        path, options, members, lambda wanted: ZipFiles(archive, dict(wanted), where)
    )


class ZipFiles:
    """Some members of a zip archive by their names; see `PictureFiles`.

    The archive stays open as long as this object lives.
    """

    def __init__(
        self, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], where: str
    ) -> None:
        self._archive = archive
        self._members = members
        # zipfile keeps 0.6 kB for each member, be it wanted or not.
        archive.filelist.clear()
        archive.NameToInfo.clear()
        # Members may overlap, so that a small archive opens to far more than its own size.
        if sum(member.file_size for member in members.values()) > MOST_UNPACKED:
            raise DataError(f"{where} unpacks to more than 64 GiB; refused as unsafe.")

    def __contains__(self, name: str) -> bool:
        return name in self._members

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A member's bytes. Raises UnreadableImageError."""
        member = self._members[name]
        if member.file_size > LARGEST_MEMBER:
            raise UnreadableImageError(f"{member.file_size} bytes, more than are read")
        try:
            content = self._archive.read(member)
        except (*DAMAGED, OSError, NotImplementedError, RuntimeError) as error:
            # RuntimeError is what zipfile raises for a member that needs a password, OSError for
            # one that begins before the archive does.
            raise UnreadableImageError(f"damaged in the archive: {error}") from error
        yield io.BytesIO(content)
