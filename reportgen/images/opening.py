"""`open_images`: what a path is, by its content, and which module reads it."""

from __future__ import annotations

import gzip
import os
import zipfile
import zlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from reportgen.errors import DataError
from reportgen.images.image_set import ImageSet
from reportgen.images.open_options import OpenOptions, open_binary
from reportgen.shown import shown

ZIP = (b"PK\x03\x04", b"PK\x05\x06")
GZIP = b"\x1f\x8b"
TAR_MARK = slice(257, 262), b"ustar"
LEGACY_TORCH_SAVE = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20"
HEAD_BYTES = 512
# Module and function that read a format, and the first bytes of those that have their own.
IDX = "idx_file", "open_idx"
TAR = "tar_file", "open_tar"
READERS = (
    (b"\x93NUMPY", ("numpy_file", "open_npy")),
    (b"PAR1", ("parquet_files", "open_parquet")),
    (b"\x89HDF\r\n\x1a\n", ("hdf5_file", "open_hdf5")),
    (b"\xff\xff\xff\xff", ("saved_dataset", "open_arrow")),
    (b"BZh", TAR),
    (b"\xfd7zXZ\x00", TAR),
)
FORMATS = (
    "a folder of images, a zip or tar archive of them, a .csv of their paths, a parquet file, or "
    "an array in a .npy, .npz, .pt, HDF5, Zarr or IDX file"
)


def open_images(
    path: str | Path,
    *,
    limit: int | None = None,
    seed: int = 0,
    size: tuple[int, int] | None = None,
    labels: str | Path | None = None,
    written: frozenset[tuple[int, int]] = frozenset(),
    open_file: Callable[[Path], BinaryIO] = open_binary,
) -> ImageSet:
    """Open a folder, an archive or a table of images, or an array file, whatever its name says.

    A part of a file may be named behind its path: an array, a column of images or a split of a
    data set, as "digits.npz:x_train". With a `size`, (height, width), images of other sizes are
    scaled until they cover it and cropped around the centre.

    Every image is decoded once here, so that a damaged one is found now; of a folder's images,
    512 MiB stay in memory. With `limit`, a random choice of that many images is read; the same
    seed chooses the same.

    `labels` is a file of classes and factors, a row an image, with a column behind a colon if need
    be; see docs/data.md.

    `written` are the device and inode of files that the report will be written to; `open_file`
    opens a picture.

    Raises DataError, one sentence that names the file, where there is nothing to read, fewer than
    two images are left, sizes differ or pixels are not finite, or an image would be written over.
    Damaged images among good ones are left out and listed in `ImageSet.skipped`.
    """
    path, part = split_part(Path(path))
    if size is not None:
        _refuse_too_large(*size)
    if limit is not None and limit < 2:
        raise DataError(f"A limit of {limit} images is too low; a report needs at least two.")
    try:
        options = OpenOptions(limit, seed, part, size, written=written, open_file=open_file)
        images = _reader_of(path)(path, options)
        if labels is None:
            return images
        from reportgen.images.label_file import LabelFile, with_labels

        return with_labels(images, LabelFile(*split_part(Path(labels))))
    except OSError as error:
        where = shown(str(error.filename or path))
        raise DataError(f"{where} cannot be read: {error.strerror or error}.") from error


def _refuse_too_large(height: int, width: int) -> None:
    """A model's file can ask for any size. Raises DataError before memory is spent on it."""
    from reportgen.images.picture import LARGEST_PICTURE

    if height * width > LARGEST_PICTURE:
        raise DataError(
            f"Images would be resized to {height}×{width}, as the model or --resize says: more "
            f"than the {LARGEST_PICTURE // 10**6} million pixels that are read."
        )


def split_part(path: Path) -> tuple[Path, str | None]:
    """A path and the part named behind it: "a.npz:x" is a.npz and x where there is such a file."""
    if os.path.lexists(path):
        return path, None
    part: list[str] = []
    start, colon, last = str(path).rpartition(":")
    while colon:
        part.insert(0, last)
        if os.path.lexists(start) and all(part):
            return Path(start), ":".join(part)
        start, colon, last = start.rpartition(":")
    return path, None


def _reader_of(path: Path) -> Callable[..., ImageSet]:
    """The function that reads this path; its module is imported only now."""
    module, function = _format_of(path)
    reader: Callable[..., ImageSet] = getattr(import_module(f"reportgen.images.{module}"), function)
    return reader


def _format_of(path: Path) -> tuple[str, str]:
    """The module and function for a path. Raises DataError for what nothing reads."""
    where = shown(str(path))
    if path.is_dir():
        from reportgen.images.saved_dataset import is_saved_dataset
        from reportgen.images.zarr_store import is_zarr

        if is_zarr(path):
            return "zarr_store", "open_zarr"
        saved = is_saved_dataset(path)
        return ("saved_dataset", "open_saved_dataset") if saved else ("folder", "open_folder")
    if not path.exists():
        raise DataError(f"{where} does not exist; give {FORMATS}.")
    if not path.is_file():
        raise DataError(f"{where} is no regular file; give {FORMATS}.")
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if not head:
        raise DataError(f"{where} is empty; give {FORMATS}.")
    if head.startswith(ZIP):
        return _zip_format(path, where)
    zipped = head.startswith(GZIP)
    found = _inner_format(_unzipped_head(path, where) if zipped else head)
    if zipped and found is None:
        raise DataError(f"{where} is a gzip file of no tar, IDX or NIfTI file; unpack it.")
    found = found or next((reader for magic, reader in READERS if head.startswith(magic)), None)
    if found is not None:
        return found
    if path.suffix.lower() in (".csv", ".tsv", ".jsonl"):
        return "table_file", "open_table"
    if head.startswith(LEGACY_TORCH_SAVE):
        raise DataError(f"{where} is in torch's old format; save it again with torch.save.")
    raise DataError(f"{where} is in no known format; give {FORMATS}.")


def _inner_format(head: bytes) -> tuple[str, str] | None:
    """A format that may also be compressed with gzip."""
    from reportgen.images.idx_file import is_idx

    place, mark = TAR_MARK
    if head[place] == mark:
        return TAR
    if is_idx(head):
        return IDX
    from reportgen.images.page_formats import format_of_head

    function = format_of_head(head)
    return None if function is None else ("page_formats", function)


def _zip_format(path: Path, where: str) -> tuple[str, str]:
    from reportgen.images.archive import damage_is_a_sentence

    with damage_is_a_sentence(where), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.rpartition("/")[2] == "data.pkl" for name in names):
        return "torch_file", "open_torch"
    if any(name.rpartition("/")[2] in (".zarray", ".zgroup", "zarr.json") for name in names):
        return "zarr_store", "open_zipped_zarr"
    holds_arrays = any(name.endswith(".npy") for name in names)
    return ("numpy_file", "open_npz") if holds_arrays else ("zip_file", "open_zip")


def _unzipped_head(path: Path, where: str) -> bytes:
    try:
        with gzip.open(path) as stream:
            return stream.read(HEAD_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{where} is damaged or truncated: {error}.") from error
