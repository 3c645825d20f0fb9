"""`.npy` and `.npz` files → `ImageSet`. Python objects in them are never unpickled.

`.npy` and what `np.savez` writes stay on disk and are read as needed; from a compressed `.npz` the
chosen rows are streamed into memory.
Headers are checked against the bytes that are there before anything is allocated.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tokenize import TokenError
from typing import IO

import numpy as np
from numpy.lib import format as npy_format

from reportgen.errors import DataError
from reportgen.images.archive import damage_is_a_sentence
from reportgen.images.array_facts import ArrayFacts, facts_of
from reportgen.images.array_names import find_images
from reportgen.images.array_set import ArrayRows, make_array_set, require_images
from reportgen.images.array_stream import (
    ArrayHeader,
    beyond_notes,
    read_rows,
    require_complete,
)
from reportgen.images.file_rows import Pages
from reportgen.images.image_set import ImageSet
from reportgen.images.open_options import OpenOptions
from reportgen.images.picture import UnreadableImageError
from reportgen.shown import shown


def open_npy(path: Path, options: OpenOptions) -> ImageSet:
    """A `.npy` file of images; see `open_images`."""
    where = shown(str(path))
    options.refuse_part(where)
    with path.open("rb") as stream:
        header = read_header(stream, where)
    layout = require_images(header.shape, header.dtype, where)
    array = ArrayRows.chosen(path, header, options, where)
    beyond = beyond_notes(header, path.stat().st_size, where)
    return make_array_set(path, replace(array, facts=ArrayFacts(notes=beyond)), layout, options)


def open_npz(path: Path, options: OpenOptions) -> ImageSet:
    """A `.npz` archive with an array of images and perhaps one of labels; see `open_images`."""
    with npz_arrays(path) as archive:
        axes = {name: archive.dimensions(name) for name in archive.names}
        name = find_images(axes, archive.name, options.part)
        with archive.array(name) as (stream, header, where):
            layout = require_images(header.shape, header.dtype, where)
            start = archive.start(name)
            if start is None:
                array = ArrayRows.chosen(path, header, options, where, stream)
            else:
                stored = replace(header, offset=start + header.offset)
                array = ArrayRows.chosen(path, stored, options, where)
        facts = facts_of(archive, name, array.count, array.rows, archive.name)
        array = replace(array, facts=facts)
    return make_array_set(path, array, layout, options)


class NumpyFiles:
    """Files of `np.save`, each one image; see `PageFormat`."""

    name = ".npy file"
    suffixes = frozenset((".npy",))
    holds_one = True

    def pages(self, path: Path) -> Pages:
        """See `PageFormat`."""
        header = self._header(path)
        return Pages(1, header.shape, header.dtype)

    def read(self, path: Path, places: np.ndarray) -> np.ndarray:
        """See `PageFormat`."""
        header = self._header(path)
        with path.open("rb") as stream:
            stream.seek(header.offset)
            content = stream.read(header.data_bytes)
        values = np.frombuffer(content, header.dtype)
        image = values.reshape(header.shape, order="F" if header.fortran_order else "C")
        return np.repeat(image[None], len(places), axis=0)

    def _header(self, path: Path) -> ArrayHeader:
        try:
            with path.open("rb") as stream:
                header = read_header(stream, "it")
            require_complete(header, path.stat().st_size, "it")
        except DataError as error:
            raise UnreadableImageError(str(error).rstrip(".")) from error
        return header


# PKWARE's APPNOTE.TXT, section 4.3.7.
LOCAL_HEADER = struct.Struct("<4s5H3I2H")


class NumpyArchive:
    """The arrays of a `.npz` file by name."""

    def __init__(self, file: zipfile.ZipFile, name: str) -> None:
        self._file = file
        self.name = name
        self._members = {
            info.filename.removesuffix(".npy"): info
            for info in file.infolist()
            if info.filename.endswith(".npy")
        }

    @property
    def names(self) -> list[str]:
        """The names of all arrays."""
        return list(self._members)

    @contextmanager
    def array(self, name: str) -> Iterator[tuple[IO[bytes], ArrayHeader, str]]:
        """An array's stream, standing behind its header; the header; its name for sentences."""
        where = f"{self.name}, array {shown(name)}"
        with self._file.open(self._members[name]) as stream:
            header = read_header(stream, where)
            require_complete(header, self._members[name].file_size, where)
            yield stream, header, where

    def start(self, name: str) -> int | None:
        """The byte of the archive's file at which an array begins; None where it is compressed."""
        member = self._members[name]
        if member.compress_type != zipfile.ZIP_STORED:
            return None
        # The member's own header repeats its name, and has an extra field of its own.
        with Path(str(self._file.filename)).open("rb") as stream:
            stream.seek(member.header_offset)
            header = stream.read(LOCAL_HEADER.size)
        if len(header) < LOCAL_HEADER.size:
            raise zipfile.BadZipFile(f"{shown(name)} is cut off")
        *_, name_bytes, extra_bytes = LOCAL_HEADER.unpack(header)
        return member.header_offset + LOCAL_HEADER.size + int(name_bytes) + int(extra_bytes)

    def kind_of(self, name: str) -> tuple[tuple[int, ...], np.dtype] | None:
        """Shape and type of an array; None where only unpickling would read it."""
        with self._file.open(self._members[name]) as stream:
            header = read_header(stream, f"{self.name}, array {shown(name)}", refuse_objects=False)
        return None if header.dtype.hasobject else (header.shape, header.dtype)

    def rows_of(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Some rows of an array, by their numbers."""
        with self.array(name) as (stream, header, where):
            return read_rows(stream, header, rows, where)

    def dimensions(self, name: str) -> int:
        """The number of axes of this array; −1 where only unpickling would read it."""
        try:
            with self._file.open(self._members[name]) as stream:
                return len(read_header(stream, name).shape)
        except DataError:
            return -1


@contextmanager
def npz_arrays(path: Path) -> Iterator[NumpyArchive]:
    """The arrays of a `.npz` file, while the context lasts. Raises DataError."""
    where = shown(str(path))
    try:
        with damage_is_a_sentence(where), zipfile.ZipFile(path) as file:
            yield NumpyArchive(file, where)
    except RuntimeError as error:
        # What zipfile raises for a member that needs a password.
        if "encrypted" not in str(error):
            raise
        raise DataError(f"{where} is encrypted; save it without a password.") from error


def read_header(stream: IO[bytes], where: str, refuse_objects: bool = True) -> ArrayHeader:
    """Read an array's header, up to its first number. Raises DataError beginning with `where`."""
    try:
        version = npy_format.read_magic(stream)
        if version == (1, 0):
            shape, fortran_order, dtype = npy_format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, fortran_order, dtype = npy_format.read_array_header_2_0(stream)
        else:
            # Version 3 exists for field names beyond Latin-1, and images have no fields.
            raise ValueError(f"format version {version[0]}.{version[1]}")
    except (ValueError, TypeError, KeyError, SyntaxError, TokenError) as error:
        # NumPy parses the header as Python text, and lets that parser's errors through.
        reason = " ".join(str(error).split())
        raise DataError(f"{where} is not a readable NumPy array: {reason}.") from error
    if dtype.hasobject and refuse_objects:
        raise DataError(
            f"{where} holds Python objects, which are never unpickled; save one array of numbers."
        )
    if any(length < 0 for length in shape) or (not shape and refuse_objects):
        raise DataError(f"{where} has shape {shape}, which holds no images.")
    return ArrayHeader(shape, fortran_order, dtype, stream.tell())
