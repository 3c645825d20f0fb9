"""Zarr stores, a folder or a zip archive, of versions 2 and 3 → `ImageSet`.

They are read by tensorstore: zarr's own library needs sockets, which the process that reads
strangers' files does not have, and may call any codec that is installed.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from reportgen.autoencoder import SourceFile
from reportgen.errors import DataError
from reportgen.images.archive import MOST_UNPACKED, damage_is_a_sentence
from reportgen.images.array_groups import GroupArrays, StoredArray, open_grouped
from reportgen.images.checksum import file_source, files_source
from reportgen.images.image_set import ImageSet
from reportgen.images.open_options import OpenOptions
from reportgen.shown import shown

INSTALL = "pip install 'reportgen[zarr]'"
# The files that describe an array or a group, in versions 2 and 3.
ARRAY, GROUP, NODE = ".zarray", ".zgroup", "zarr.json"
MARKS = (ARRAY, GROUP, NODE)
SURROUNDINGS = re.compile(r'^.*local file "[^"]*": | \[\w+=.*$')
MOST_ARRAYS = 1_000
DEEPEST = 100
LARGEST_JSON = 2**22
DAMAGED = (ValueError, RuntimeError, TypeError, KeyError, NotImplementedError, OverflowError)


def is_zarr(folder: Path) -> bool:
    """Tell whether a folder is a Zarr array or group."""
    return any(os.path.lexists(folder / mark) for mark in MARKS)


def open_zarr(folder: Path, options: OpenOptions) -> ImageSet:
    """A folder that is a Zarr store; see `open_images`."""
    where = shown(str(folder))
    names: list[str] = []
    for path in _files(folder):
        # The library waits for whoever writes into a named pipe.
        if not path.is_file():
            raise DataError(f"{shown(str(path))} is no regular file; save the store again.")
        names.append(str(path.relative_to(folder).as_posix()))

    def read(name: str) -> bytes:
        with (folder / name).open("rb") as stream:
            return stream.read(LARGEST_JSON + 1)

    def place(name: str) -> dict[str, Any]:
        return {"driver": "file", "path": f"{folder.resolve() / name}{os.sep}"}

    source = lambda: files_source(folder, names)  # noqa: E731
    return _open(folder, names, read, place, options, where, source)


def open_zipped_zarr(path: Path, options: OpenOptions) -> ImageSet:
    """A zip archive that is a Zarr store; see `open_images`."""
    where = shown(str(path))
    with damage_is_a_sentence(where), zipfile.ZipFile(path) as archive:
        members = {member.filename: member for member in archive.infolist()}
        if len(members) < len(archive.infolist()):
            raise DataError(f"{where} holds two files of one name; it is refused as unsafe.")
        if sum(member.file_size for member in members.values()) > MOST_UNPACKED:
            raise DataError(f"{where} unpacks to more than 64 GiB; refused as unsafe.")
        described = {
            name: archive.read(member)
            for name, member in members.items()
            if name.rpartition("/")[2] in MARKS and member.file_size <= LARGEST_JSON
        }

    def place(name: str) -> dict[str, Any]:
        base = {"driver": "file", "path": str(path.resolve())}
        return {"driver": "zip", "base": base, "path": f"{name}/" if name else ""}

    return _open(
        path, members, described.__getitem__, place, options, where, lambda: file_source(path)
    )


def _files(folder: Path) -> list[Path]:
    """All files of a store. Raises DataError for folders deeper than stores have."""
    found: list[Path] = []
    waiting = [(folder, 0)]
    while waiting:
        place, depth = waiting.pop()
        if depth > DEEPEST:
            raise DataError(f"{shown(str(folder))} has folders more than {DEEPEST} deep.")
        with os.scandir(place) as entries:
            for entry in entries:
                path = place / entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((path, depth + 1))
                elif not path.is_dir():
                    found.append(path)
    return sorted(found)


def _open(
    path: Path,
    names: Iterable[str],
    read: Callable[[str], bytes],
    place: Callable[[str], dict[str, Any]],
    options: OpenOptions,
    where: str,
    source: Callable[[], SourceFile],
) -> ImageSet:
    @contextmanager
    def reading() -> Iterator[None]:
        with _damage_is_a_sentence(where):
            yield

    arrays: dict[str, StoredArray] = {}
    for name in names:
        folder, _, file = name.rpartition("/")
        if file not in (ARRAY, NODE):
            continue
        with reading():
            array = _described(read(name), file, place(folder))
        if array is not None:
            arrays[folder] = array
        if len(arrays) > MOST_ARRAYS:
            raise DataError(f"{where} holds more than {MOST_ARRAYS} arrays; it is refused.")
    return open_grouped(path, GroupArrays(arrays, where, reading), options, where, source)


def _described(content: bytes, file: str, place: dict[str, Any]) -> StoredArray | None:
    """The array that a file of metadata describes; None for a group."""
    if len(content) > LARGEST_JSON:
        raise ValueError(f"{file} is too large for a description")
    said = json.loads(content)
    if not isinstance(said, dict) or (file == NODE and said.get("node_type") != "array"):
        return None
    shape = said.get("shape")
    if not isinstance(shape, list) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError("an array has no shape")
    written = said.get("dtype" if file == ARRAY else "data_type")
    driver = "zarr" if file == ARRAY else "zarr3"
    return StoredArray(tuple(shape), _numpy_type(written), lambda: _opened(driver, place))


def _numpy_type(written: Any) -> np.dtype | None:
    """The type of numbers; None for anything else."""
    try:
        dtype = np.dtype(written) if isinstance(written, str) else np.dtype("V")
    except TypeError:
        return None
    return dtype if dtype.kind in "buif" else None


def _opened(driver: str, place: dict[str, Any]) -> Any:
    import tensorstore

    store = tensorstore.open(
        {"driver": driver, "kvstore": place}, open=True, read=True, create=False
    ).result()
    chunk = store.chunk_layout.read_chunk.shape or (1,)
    return _Array(store, tuple(int(n or 1) for n in chunk))


class _Array:
    """A tensorstore as an array of NumPy's; see `Sliceable`."""

    def __init__(self, store: Any, chunks: tuple[int, ...]) -> None:
        self._store = store
        self.shape = tuple(int(n) for n in store.shape)
        self.dtype = np.dtype(store.dtype.numpy_dtype)
        self.chunks = chunks

    def __getitem__(self, rows: slice) -> np.ndarray:
        return np.asarray(self._store[rows].read().result())


@contextmanager
def _damage_is_a_sentence(where: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise DataError(
            f"{where} cannot be read without tensorstore, which is not installed: {INSTALL}."
        ) from error
    except (*DAMAGED, RecursionError) as error:
        # tensorstore repeats the file's whole path in front, and what it was asked behind.
        said = SURROUNDINGS.sub("", " ".join(str(error).split()))
        reason = shown(said[:160] or type(error).__name__)
        raise DataError(f"{where} is damaged or of an unsupported kind: {reason}.") from error
