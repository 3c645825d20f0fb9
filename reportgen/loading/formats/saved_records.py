"""Records of torch.save in a zip archive: the pickle, and the storages that its tensors view."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from reportgen.errors import ModelError
from reportgen.loading.formats.archive import Archive, open_archive
from reportgen.loading.formats.checked_pickle import CheckedUnpickler, Storage, StorageKind
from reportgen.loading.formats.checked_state import check_entries
from reportgen.loading.formats.checked_tensors import makers

States = list[tuple[Any, Any]]


def load_tensors(path: Path, content: bytes) -> Any:
    """The tensors, and containers of tensors, in the archive that `content` is.

    `path` names it in sentences. Raises ModelError for damaged archives, pickle.UnpicklingError for
    any other object, and whatever a damaged pickle makes an unpickler raise.
    """
    with open_archive(path, content) as archive:
        loaded, _ = read_record(archive, makers())
    check_entries(loaded)
    return loaded


def read_record(
    archive: Archive, table: Mapping[str, Any], mapped: bool = False
) -> tuple[Any, States]:
    """The object in an archive, of what `table` says that its names stand for, and its states.

    With `mapped`, tensors view the file and cannot be written to. Raises as `load_tensors` does.
    """
    if "byteorder" in archive and archive.read("byteorder") != sys.byteorder.encode():
        raise ModelError("it was saved on a machine with another order of bytes.")
    contents: dict[str, Tensor] = {}
    read: Callable[[str], Tensor] = archive.mapped if mapped else archive.tensor

    def storage(named: tuple[Any, ...]) -> Storage:
        kind, key, _, count = named[1:5]
        if key not in contents:
            contents[key] = read(f"data/{key}")
        return storage_of(kind, contents[key], count)

    unpickler = CheckedUnpickler(io.BytesIO(archive.read("data.pkl")), table, storage)
    return unpickler.load(), unpickler.states


def storage_of(kind: Any, content: Tensor, count: Any) -> Storage:
    """The storage of so many numbers in these bytes. Raises ModelError where they are too few."""
    if storage_bytes(kind, count) > len(content):
        raise ModelError("it stores fewer bytes than a storage has; it is damaged.")
    return Storage(content[: storage_bytes(kind, count)], kind.dtype)


def storage_bytes(kind: Any, count: Any) -> int:
    """The bytes of a storage. Raises ModelError for what is none."""
    if not isinstance(kind, StorageKind) or type(count) is not int or count < 0:
        raise ModelError("it names something else than a storage; it is damaged.")
    item = 1 if kind.dtype is None else kind.dtype.itemsize
    return item * count
