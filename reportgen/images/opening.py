"""`open_images`: what a path is, by its content, and which module reads it."""

from __future__ import annotations

from pathlib import Path

from reportgen.errors import DataError
from reportgen.images.image_set import ImageSet
from reportgen.images.names import shown

NPY_START = b"\x93NUMPY"
ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
FORMATS = "a folder of images, a .npy or a .npz file"


def open_images(path: str | Path, *, limit: int | None = None, seed: int = 0) -> ImageSet:
    """Open a folder of images, or a `.npy` or `.npz` file, whatever its suffix says.

    Every image is decoded once here, so that a damaged one is found now; of a folder's images,
    512 MiB stay in memory. With `limit`, a random choice of that many images is read; the same
    seed chooses the same.

    Raises DataError, one sentence that names the file, where there is nothing to read, fewer than
    two images are left, sizes differ or pixels are not finite. Damaged images among good ones are
    left out and listed in `ImageSet.skipped`.
    """
    path = Path(path)
    if limit is not None and limit < 2:
        raise DataError(f"A limit of {limit} images is too low; a report needs at least two.")
    try:
        if path.is_dir():
            from reportgen.images.folder import open_folder

            return open_folder(path, limit=limit, seed=seed)
        return _open_file(path, limit, seed)
    except OSError as error:
        where = shown(str(error.filename or path))
        raise DataError(f"{where} cannot be read: {error.strerror or error}.") from error


def _open_file(path: Path, limit: int | None, seed: int) -> ImageSet:
    where = shown(str(path))
    if not path.exists():
        raise DataError(f"{where} does not exist; give {FORMATS}.")
    if not path.is_file():
        raise DataError(f"{where} is no regular file; give {FORMATS}.")
    with path.open("rb") as stream:
        start = stream.read(len(NPY_START))
    from reportgen.images.numpy_file import open_npy, open_npz

    if start == NPY_START:
        return open_npy(path, limit=limit, seed=seed)
    if start.startswith(ZIP_STARTS):
        return open_npz(path, limit=limit, seed=seed)
    if not start:
        raise DataError(f"{where} is empty; give {FORMATS}.")
    raise DataError(f"{where} is in no known format; give {FORMATS}.")
