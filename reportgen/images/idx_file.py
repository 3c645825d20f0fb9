"""IDX files, the format of MNIST and its relatives, plain or gzipped → `ImageSet`.

A plain file is read as needed; from a gzipped one the chosen rows are streamed into memory.

Format: yann.lecun.com/exdb/mnist: two zero bytes, one for the type, one for the number of axes,
then the length of each axis and the numbers, all big-endian.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, cast

import numpy as np

from reportgen.errors import DataError
from reportgen.images.array_facts import ArrayFacts
from reportgen.images.array_names import label_words, require_labels
from reportgen.images.array_set import ArrayRows, make_array_set, require_images
from reportgen.images.array_stream import ArrayHeader, beyond_notes, read_rows
from reportgen.images.image_set import ImageSet
from reportgen.images.open_options import OpenOptions
from reportgen.shown import shown

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def is_idx(start: bytes) -> bool:
    """Tell whether a file's first bytes are those of an IDX file of one to four axes."""
    return len(start) >= 4 and start[:2] == b"\0\0" and start[2] in TYPES and 1 <= start[3] <= 4


def open_idx(path: Path, options: OpenOptions) -> ImageSet:
    """An IDX file of images, with the labels file beside it if there is one; see `open_images`."""
    options.refuse_part(shown(str(path)))
    with idx_array(path) as (stream, header, where):
        layout = require_images(header.shape, header.dtype, where)
        packed = stream if is_zipped(path) else None
        array = ArrayRows.chosen(path, header, options, where, packed)
        beyond = () if packed else beyond_notes(header, path.stat().st_size, where)
    array = replace(array, facts=ArrayFacts(_labels(path, array.count, array.rows), notes=beyond))
    return make_array_set(path, array, layout, options)


@contextmanager
def idx_array(path: Path) -> Iterator[tuple[IO[bytes], ArrayHeader, str]]:
    """The array's stream, standing behind its header; the header; the file for sentences."""
    where = shown(str(path))
    try:
        with _unzipped(path) as stream:
            start = stream.read(4)
            if not is_idx(start):
                raise DataError(f"{where} is no IDX file.")
            lengths = stream.read(4 * start[3])
            if len(lengths) < 4 * start[3]:
                raise DataError(f"{where} is truncated.")
            shape = struct.unpack(f">{start[3]}I", lengths)
            dtype = np.dtype(TYPES[start[2]])
            yield stream, ArrayHeader(shape, False, dtype, 4 + len(lengths)), where
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{where} is damaged or truncated: {error}.") from error


def _unzipped(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if is_zipped(path) else path.open("rb")


def is_zipped(path: Path) -> bool:
    """Tell whether a file begins as gzip does."""
    with path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def unzipped_start(path: Path, where: str) -> bytes:
    """The first bytes of a file, unpacked if it is gzipped. Raises DataError."""
    try:
        with _unzipped(path) as stream:
            return stream.read(4)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{where} is damaged or truncated: {error}.") from error


def _labels(path: Path, count: int, rows: np.ndarray) -> tuple[str, ...] | None:
    """Class labels from the file beside it that MNIST's naming gives, or None.

    t10k-images-idx3-ubyte.gz goes with t10k-labels-idx1-ubyte.gz.
    """
    beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    if beside == path or not beside.is_file():
        return None
    with idx_array(beside) as (stream, header, where):
        require_labels(header.shape, header.dtype, count, where)
        return label_words(read_rows(stream, header, rows, where))
