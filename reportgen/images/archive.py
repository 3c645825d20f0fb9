"""Rules that zip and tar archives of pictures share: safe names, limits, and the files to read."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import TypeVar

from reportgen.errors import DataError
from reportgen.images.checksum import file_source
from reportgen.images.image_set import ImageSet
from reportgen.images.label_table import table_places
from reportgen.images.listing import IGNORED_FOLDERS
from reportgen.images.names import Chosen, choose
from reportgen.images.open_options import OpenOptions
from reportgen.images.picture import SUFFIXES, USUAL_FORMATS
from reportgen.images.picture_images import class_file, make_picture_images
from reportgen.images.picture_notes import other_files_notes
from reportgen.images.picture_set import PictureFiles
from reportgen.images.places import Places, places_in_natural_order
from reportgen.shown import shown

LARGEST_MEMBER = 256 * 2**20
MOST_UNPACKED = 64 * 2**30
Member = TypeVar("Member")
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError, UnicodeError)


def open_archive(
    path: Path,
    options: OpenOptions,
    members: Callable[[], Iterator[tuple[str, Member | None]]],
    files: Callable[[Iterator[tuple[str, Member]]], PictureFiles],
) -> ImageSet:
    """The pictures of an archive, or a seeded choice of them; see `open_images`.

    `members` yields every entry with its name in the archive, None for what is no regular file;
    `files` opens the entries that are wanted.
    """
    where = shown(str(path))
    options.refuse_part(where)
    with damage_is_a_sentence(where):
        others: Counter[str] = Counter()
        names = _pictures(_safe(members(), where), others)
        chosen = choose(names, options.limit, options.seed)

        def places(readable: tuple[str, ...]) -> Places:
            with damage_is_a_sentence(where):
                every_name = _pictures(_safe(members(), where), Counter())
                return places_in_natural_order(readable, every_name)

        if not chosen.names:
            raise DataError(f"{where} holds no images; give an archive of {USUAL_FORMATS} files.")
        opened = files(_wanted(_safe(members(), where), chosen, where))
        return make_picture_images(
            opened,
            chosen,
            where,
            options,
            source=lambda checksum: file_source(path),
            places=places,
            notes=other_files_notes(others),
        )


def _wanted(
    members: Iterator[tuple[str, Member]], chosen: Chosen, where: str
) -> Iterator[tuple[str, Member]]:
    """The chosen pictures, and the files that may hold their classes and labels."""
    tables = (name for _, name in table_places(chosen.shared_folder))
    wanted = {*chosen.names, *tables, *map(class_file, chosen.names)}
    seen: set[str] = set()
    for name, member in members:
        if name in wanted:
            if name in seen:
                raise DataError(f"{where} holds two files called {shown(name)}.")
            seen.add(name)
            yield name, member


def _safe(members: Iterator[tuple[str, Member | None]], where: str) -> Iterator[tuple[str, Member]]:
    """Members by their paths inside the archive. Raises DataError where one leads out of it."""
    for name, member in members:
        parts = name.replace("\\", "/").removeprefix("./").split("/")
        if ".." in parts or parts[0] == "" or parts[0].endswith(":"):
            raise DataError(
                f"{where} holds {shown(name)!r}, which leads out of it; refused as unsafe."
            )
        parts = [part for part in parts if part not in ("", ".")]
        # What is hidden, or the archiver's own.
        hidden = any(part.startswith(".") or part in IGNORED_FOLDERS for part in parts)
        if member is not None and not hidden:
            yield "/".join(parts), member


def _pictures(members: Iterable[tuple[str, Member]], others: Counter[str]) -> Iterator[str]:
    """Yield the names of pictures, and count the suffixes of other files."""
    for name, _ in members:
        suffix = PurePosixPath(name).suffix.lower()
        if suffix in SUFFIXES:
            yield name
        else:
            others[suffix] += 1


@contextmanager
def damage_is_a_sentence(where: str) -> Iterator[None]:
    """Turn the errors that archive readers raise on damaged files into a DataError."""
    try:
        yield
    except (*DAMAGED, NotImplementedError) as error:
        raise DataError(f"{where} is a damaged or unsupported archive: {error}.") from error
