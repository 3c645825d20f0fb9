"""`.npy` and `.npz` files → `ImageSet`. Python objects in them are never unpickled.

`.npy` stays on disk and is read row by row; from `.npz` the chosen rows are streamed into memory.
Headers are checked against the bytes that are there before anything is allocated.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import IO

import numpy as np
from numpy.lib import format as npy_format

from reportgen.errors import DataError
from reportgen.images.array_set import ArrayRows, choose_rows, make_array_set, require_images
from reportgen.images.image_set import ImageSet
from reportgen.images.names import shown

MOST_BYTES = 4 * 2**30
BLOCK_BYTES = 16 * 2**20
# Names of arrays in the order they are looked for; x_test before x_train, for a report is best
# made on images that the model was not trained on.
IMAGE_ARRAYS = ("images", "imgs", "x", "data", "x_test", "test_images")
LABEL_ARRAYS = {"x_test": ("y_test",), "test_images": ("test_labels",)}
USUAL_LABEL_ARRAYS = ("labels", "label", "y", "targets")


@dataclass(frozen=True)
class ArrayHeader:
    """What a `.npy` header claims."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype
    offset: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one row, exactly, however large."""
        size = self.dtype.itemsize
        for length in self.shape[1:]:
            size *= length
        return size

    @property
    def data_bytes(self) -> int:
        """Bytes behind the header."""
        return self.row_bytes * self.shape[0]


def open_npy(path: Path, *, limit: int | None, seed: int) -> ImageSet:
    """A `.npy` file of images; see `open_images`."""
    where = shown(str(path))
    with path.open("rb") as stream:
        header = read_array_header(stream, where)
    _require_complete(header, path.stat().st_size, where)
    layout = require_images(header.shape, header.dtype, where)
    values = np.memmap(
        path,
        header.dtype,
        mode="r",
        offset=header.offset,
        shape=header.shape,
        order="F" if header.fortran_order else "C",
    )
    rows = choose_rows(header.shape[0], limit, seed)
    array = ArrayRows(values, rows, rows, header.shape[0], None, where)
    return make_array_set(path, array, layout, seed)


def open_npz(path: Path, *, limit: int | None, seed: int) -> ImageSet:
    """A `.npz` archive with an array of images and perhaps one of labels; see `open_images`."""
    archive_name = shown(str(path))
    with _archive(path, archive_name) as archive:
        members = {
            info.filename.removesuffix(".npy"): info
            for info in archive.infolist()
            if info.filename.endswith(".npy")
        }
        name = _image_array(archive, members, archive_name)
        where = f"{archive_name}, array {shown(name)}"
        with archive.open(members[name]) as stream:
            header = read_array_header(stream, where)
            _require_complete(header, members[name].file_size, where)
            layout = require_images(header.shape, header.dtype, where)
            rows = choose_rows(header.shape[0], limit, seed)
            values = _read_rows(stream, header, rows, where)
        labels = _labels(archive, members, name, header.shape[0], rows, archive_name)
    array = ArrayRows(values, np.arange(len(rows)), rows, header.shape[0], labels, where)
    return make_array_set(path, array, layout, seed)


def read_array_header(stream: IO[bytes], where: str) -> ArrayHeader:
    """Read up to the first number. Raises DataError beginning with `where`."""
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
    if dtype.hasobject:
        raise DataError(
            f"{where} holds Python objects, which are never unpickled; save one array of numbers."
        )
    if any(length < 0 for length in shape) or not shape:
        raise DataError(f"{where} has shape {shape}, which holds no images.")
    return ArrayHeader(shape, fortran_order, dtype, stream.tell())


def _require_complete(header: ArrayHeader, file_bytes: int, where: str) -> None:
    if header.offset + header.data_bytes > file_bytes:
        raise DataError(
            f"{where} is truncated: its header promises {header.data_bytes} bytes of numbers, "
            f"{file_bytes - header.offset} are there."
        )


@contextmanager
def _archive(path: Path, where: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError) as error:
        raise DataError(f"{where} is a damaged or unsupported archive: {error}.") from error
    except RuntimeError as error:
        # What zipfile raises for a member that needs a password.
        if "encrypted" not in str(error):
            raise
        raise DataError(f"{where} is encrypted; save it without a password.") from error


def _image_array(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], where: str) -> str:
    by_lower_name = {name.lower(): name for name in members}
    for usual in IMAGE_ARRAYS:
        if usual in by_lower_name:
            return by_lower_name[usual]
    images = [name for name in members if _dimensions(archive, members[name]) in (3, 4)]
    if len(images) == 1:
        return images[0]
    if len(members) == 1:
        return next(iter(members))
    names = ", ".join(shown(name) for name in sorted(members)) or "no arrays"
    raise DataError(f"{where} holds {names}; call the array of images 'images'.")


def _dimensions(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Number of axes; −1 where the array cannot be read without unpickling."""
    try:
        with archive.open(member) as stream:
            return len(read_array_header(stream, member.filename).shape)
    except DataError:
        return -1


def _read_rows(stream: IO[bytes], header: ArrayHeader, rows: np.ndarray, where: str) -> np.ndarray:
    """(len(rows), …) values of increasing `rows`, in memory; nothing else is kept."""
    kept_rows = header.shape[0] if header.fortran_order else len(rows)
    if header.row_bytes * kept_rows > MOST_BYTES:
        raise DataError(
            f"{where}: {kept_rows} images take {header.row_bytes * kept_rows / 2**30:.1f} GiB; "
            "use a smaller --limit, or save the array as .npy, which is read from disk."
        )
    if header.fortran_order:
        everything = np.frombuffer(_exactly(stream, header.data_bytes, where), header.dtype)
        return everything.reshape(header.shape, order="F")[rows]
    kept = np.empty((len(rows), *header.shape[1:]), header.dtype)
    step = max(1, BLOCK_BYTES // header.row_bytes)
    for start in range(0, int(rows[-1]) + 1, step):
        stop = min(start + step, header.shape[0])
        content = _exactly(stream, (stop - start) * header.row_bytes, where)
        block = np.frombuffer(content, header.dtype).reshape(stop - start, *header.shape[1:])
        first, last = np.searchsorted(rows, (start, stop))
        kept[first:last] = block[rows[first:last] - start]
    return kept


def _exactly(stream: IO[bytes], size: int, where: str) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise DataError(f"{where} is truncated.")
    return content


def _labels(
    archive: zipfile.ZipFile,
    members: dict[str, zipfile.ZipInfo],
    images: str,
    count: int,
    rows: np.ndarray,
    archive_name: str,
) -> tuple[str, ...] | None:
    by_lower_name = {name.lower(): name for name in members}
    candidates = LABEL_ARRAYS.get(images.lower(), USUAL_LABEL_ARRAYS)
    name = next((by_lower_name[usual] for usual in candidates if usual in by_lower_name), None)
    if name is None:
        return None
    where = f"{archive_name}, array {shown(name)}"
    with archive.open(members[name]) as stream:
        header = read_array_header(stream, where)
        _require_complete(header, members[name].file_size, where)
        if header.shape not in ((count,), (count, 1)):
            raise DataError(f"{where} has shape {header.shape}; {count} images need ({count},).")
        if header.dtype.kind not in "buifSU":
            raise DataError(f"{where} holds {header.dtype} values; labels are numbers or words.")
        labels = _read_rows(stream, header, rows, where).ravel()
    if labels.dtype.kind == "S":
        return tuple(shown(label.decode("utf-8", "backslashreplace")) for label in labels.tolist())
    return tuple(shown(str(label)) for label in labels.tolist())
