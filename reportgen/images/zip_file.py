"""A zip archive of picture files → `ImageSet`. It is read in place, never unpacked."""

from __future__ import annotations

import io
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
from reportgen.images.zip_directory import Entry, archive_of, read_entries


def open_zip(path: Path, options: OpenOptions) -> ImageSet:
    """A zip archive of images; see `open_images`."""
    where = shown(str(path))
    options.refuse_part(where)
    with damage_is_a_sentence(where):
        names = (name for name, _ in _members(path, where) if is_picture(name))
        chosen = choose(names, options.limit, options.seed)
        return make_archive_images(ZipFiles(path, chosen, where), chosen, path, options)


class ZipFiles:
    """The chosen members of a zip archive, and what labels them; see `PictureFiles`.

    The archive stays open as long as this object lives.
    """

    def __init__(self, path: Path, chosen: Chosen, where: str) -> None:
        wanted = wanted_members(chosen)
        records: dict[str, bytes] = {}
        for name, entry in _members(path, where):
            if name in wanted:
                if name in records:
                    raise DataError(f"{where} holds two files called {shown(name)}.")
                records[name] = entry.record
        self._archive = archive_of(path, list(records.values()))
        self._members = dict(zip(records, self._archive.infolist(), strict=True))
        # Members may overlap, so that a small archive opens to far more than its own size.
        if sum(member.file_size for member in self._members.values()) > MOST_UNPACKED:
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


def _members(path: Path, where: str) -> Iterator[tuple[str, Entry]]:
    """Files of the archive by their safe names, in one pass over its directory."""
    for entry in read_entries(path):
        name = safe_name(entry.name, where)
        if not entry.name.endswith("/") and not is_hidden(name):
            yield name, entry
