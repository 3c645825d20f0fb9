"""HDF5 files → `ImageSet`, read by h5py in blocks. Nothing outside the file is read for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reportgen.errors import DataError
from reportgen.images.array_groups import GroupArrays, StoredArray, open_grouped
from reportgen.images.checksum import file_source
from reportgen.images.image_set import ImageSet
from reportgen.images.open_options import OpenOptions
from reportgen.shown import shown

if TYPE_CHECKING:
    import h5py

INSTALL = "pip install 'reportgen[hdf5]'"
MOST_ARRAYS = 10_000
DEEPEST = 100
DAMAGED = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, AttributeError)


def open_hdf5(path: Path, options: OpenOptions) -> ImageSet:
    """An HDF5 file with a data set of images and perhaps one of labels; see `open_images`."""
    where = shown(str(path))
    file, arrays = hdf5_arrays(path)
    try:
        # What is read of it later needs the file open.
        return open_grouped(path, arrays, options, where, lambda: file_source(path))
    except DataError:
        file.close()
        raise


def hdf5_arrays(path: Path) -> tuple[h5py.File, GroupArrays]:
    """A file, and the data sets in it, each by its path.

    Links to elsewhere are not followed. Raises DataError where h5py is missing, or cannot read it.
    """
    where = shown(str(path))

    @contextmanager
    def reading() -> Iterator[None]:
        with _damage_is_a_sentence(where):
            yield

    with reading():
        import h5py

        # The file is only read: a lock would fail on network storage.
        file = h5py.File(path, "r", locking=False)
        arrays: dict[str, StoredArray] = {}
        for name, node in _nodes(file, where):
            _collect(arrays, name, node)
    return file, GroupArrays(arrays, where, reading)


def _nodes(file: h5py.File, where: str) -> Iterator[tuple[str, Any]]:
    """Everything that lies in the file itself, each once, with its path.

    Not h5py's visititems, whose time grows with the square of the depth. Raises DataError for what
    is deeper, or more, than data is.
    """
    import h5py

    waiting: list[tuple[str, h5py.Group]] = [("", file["/"])]
    known = {h5py.h5o.get_info(file.id).addr}
    while waiting:
        above, group = waiting.pop()
        if above.count("/") > DEEPEST:
            raise DataError(f"{where} holds groups more than {DEEPEST} deep; it is refused.")
        for link in group:
            # A link to elsewhere, in this file or another, is not followed.
            if not isinstance(group.get(link, getlink=True), h5py.HardLink):
                continue
            node = group[link]
            address = h5py.h5o.get_info(node.id).addr
            if address in known:
                continue
            known.add(address)
            if len(known) > MOST_ARRAYS:
                raise DataError(f"{where} holds more than {MOST_ARRAYS} data sets; it is refused.")
            # h5py gives bytes for a name that is not UTF-8.
            plain = link.decode("utf-8", "backslashreplace") if isinstance(link, bytes) else link
            yield f"{above}{plain}", node
            if isinstance(node, h5py.Group):
                waiting.append((f"{above}{plain}/", node))


def _collect(arrays: dict[str, StoredArray], name: str, node: Any) -> None:
    """Add a data set."""
    import h5py

    if isinstance(node, h5py.Dataset):
        shape = node.shape
        arrays[name] = StoredArray(shape or (), _numpy_type(node), lambda: _opened(node))


def _numpy_type(dataset: h5py.Dataset) -> np.dtype | None:
    """The type of numbers or words; None for what is neither, and for what has no shape."""
    import h5py

    try:
        dtype = dataset.dtype
    except (TypeError, ValueError):
        # A type that NumPy does not have.
        return None
    if dataset.shape is None or dataset.shape == ():
        return None
    if h5py.check_string_dtype(dtype) is not None:
        return np.dtype("U1")
    return dtype if dtype.kind in "buif" and dtype.subdtype is None else None


def _opened(dataset: h5py.Dataset) -> Any:
    import h5py

    if dataset.is_virtual or dataset.external:
        raise ValueError("it keeps its numbers in other files, which are not read")
    return Words(dataset) if h5py.check_string_dtype(dataset.dtype) is not None else dataset


class Words:
    """A data set of text, as NumPy's objects of text; see `Sliceable`."""

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._dataset = dataset
        self.shape = dataset.shape
        self.dtype = np.dtype(object)

    def __getitem__(self, rows: slice) -> np.ndarray:
        values = np.asarray(self._dataset[rows], object)
        words = [
            each.decode("utf-8", "backslashreplace") if isinstance(each, bytes) else str(each)
            for each in values.ravel().tolist()
        ]
        found = np.empty(len(words), object)
        found[:] = words
        return found.reshape(values.shape)


@contextmanager
def _damage_is_a_sentence(where: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise DataError(
            f"{where} cannot be read without h5py, which is not installed: {INSTALL}."
        ) from error
    except DAMAGED as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        reason = shown(" ".join(str(error).split())[:160] or type(error).__name__)
        if "plugin" in reason or "filter" in reason:
            raise DataError(
                f"{where} is packed in a way that HDF5 itself does not have ({reason}); save it "
                "with gzip or without compression."
            ) from error
        raise DataError(f"{where} is damaged or of an unsupported kind: {reason}.") from error
