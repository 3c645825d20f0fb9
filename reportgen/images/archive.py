"""What zip and tar archives of pictures have in common: safe names, limits, what is read."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from lzma import LZMAError
from pathlib import Path

from reportgen.errors import DataError
from reportgen.images.checksum import file_source
from reportgen.images.image_set import ImageSet
from reportgen.images.label_table import table_places
from reportgen.images.listing import IGNORED_FOLDERS
from reportgen.images.names import Chosen, shown
from reportgen.images.open_options import OpenOptions
from reportgen.images.picture import SUFFIXES
from reportgen.images.picture_images import class_file, make_picture_images
from reportgen.images.picture_set import PictureFiles

LARGEST_MEMBER = 256 * 2**20
MOST_UNPACKED = 64 * 2**30
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError, UnicodeError)


def make_archive_images(
    files: PictureFiles, chosen: Chosen, path: Path, options: OpenOptions
) -> ImageSet:
    """The chosen pictures of an archive. Raises DataError where there are none."""
    where = shown(str(path))
    if not chosen.names:
        raise DataError(
            f"{where} holds no images; give an archive of PNG, JPEG, WebP, BMP, TIFF or GIF files."
        )
    return make_picture_images(
        files, chosen, where, options, source=lambda checksum: file_source(path)
    )


def wanted_members(chosen: Chosen) -> set[str]:
    """The chosen pictures, and the files that may hold their classes and labels."""
    tables = (name for _, name in table_places(chosen.shared_folder))
    return {*chosen.names, *tables, *map(class_file, chosen.names)}


def safe_name(name: str, where: str) -> str:
    """The path inside the archive. Raises DataError where it leads out of it."""
    parts = name.replace("\\", "/").removeprefix("./").split("/")
    if ".." in parts or parts[0] == "" or parts[0].endswith(":"):
        raise DataError(f"{where} holds {shown(name)!r}, which leads out of it; refused as unsafe.")
    return "/".join(part for part in parts if part not in ("", "."))


def is_picture(name: str) -> bool:
    """Whether a member's suffix is one of a picture."""
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return bool(stem and dot) and f".{suffix.lower()}" in SUFFIXES


def is_hidden(name: str) -> bool:
    """Whether a member, or a folder it is in, is hidden or the archiver's own."""
    return any(part.startswith(".") or part in IGNORED_FOLDERS for part in name.split("/"))


@contextmanager
def damage_is_a_sentence(where: str) -> Iterator[None]:
    """What the archives' readers raise on damaged files becomes a DataError."""
    try:
        yield
    except (*DAMAGED, NotImplementedError) as error:
        raise DataError(f"{where} is a damaged or unsupported archive: {error}.") from error
