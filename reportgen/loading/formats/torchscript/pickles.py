"""Checks the pickles in a TorchScript archive before torch's own unpickler runs.

That one is written in C++ and trusts its input: a number in a memo becomes as much memory, a
storage that is longer than its record reads what happens to lie behind it, and what is deep takes
the program's stack.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from reportgen.errors import ModelError
from reportgen.loading.formats.archive import Archive
from reportgen.loading.formats.checked_pickle import (
    CheckedUnpickler,
    Storage,
    StorageKind,
    mapped_name,
)
from reportgen.loading.formats.checked_state import check_entries
from reportgen.loading.formats.checked_tensors import check_view, makers
from reportgen.loading.formats.torchscript.declared_types import DeclaredTypes, Made
from reportgen.loading.sentences import naming, refusing
from reportgen.shown import quoted

TAG = "torch.jit._pickle.restore_type_tag"
REBUILDS = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor")
# Where the storages of a pickle lie.
FOLDERS: Mapping[str, str] = {"data.pkl": "data", "constants.pkl": "constants"}


def check_pickle(archive: Archive, record: str, content: bytes, types: DeclaredTypes) -> None:
    """Raise ModelError for a pickle that torch's unpickler should not see.

    Its objects have to be of the classes that the archive's source declares, as `types` has them.
    """
    with refusing(
        Exception,
        f"{archive.path} is damaged at {quoted(record)} (<reason>), or would take more than it "
        "has; save the model again.",
    ):
        folder = FOLDERS.get(record, record.removesuffix(".pkl"))
        unpickler = _ScriptUnpickler(content, archive, folder, types)
        with naming(archive.path):
            check_entries(_parts(unpickler.load()))
        for made in unpickler.objects:
            types.check_object(made)


@dataclass(frozen=True)
class _Name:
    """A class or a function in the pickle; nothing is looked up."""

    full: str


def _parts(whole: Any) -> list[Any]:
    """Everything in an object, as plain containers; those of objects stand in their places."""
    known: dict[int, list[Any]] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, Made | dict | list | tuple):
            if id(value) not in known:
                known[id(value)] = []
                inner = [value.made_of, *value.state] if isinstance(value, Made) else value
                entries = [*inner, *inner.values()] if isinstance(inner, dict) else inner
                known[id(value)].extend(map(plain, entries))
            return known[id(value)]
        return None

    return [plain(whole)]


class _ScriptUnpickler(CheckedUnpickler):
    """Goes through a pickle's steps as torch's does, and makes nothing of them."""

    def __init__(self, content: bytes, archive: Archive, folder: str, types: DeclaredTypes) -> None:
        super().__init__(io.BytesIO(content), {}, self._checked_storage)
        self.objects: list[Made] = []
        self._types = types
        self._archive, self._folder, self._length = archive, folder, len(content)
        self._kinds = makers()

    def find_class(self, module_name: str, global_name: str) -> Any:
        """Its name, or the kind of a storage."""
        full = mapped_name(module_name, global_name)
        kind = self._kinds.get(full)
        return kind if isinstance(kind, StorageKind) else _Name(full)

    def _checked_storage(self, named: tuple[Any, ...]) -> Storage:
        kind, key, _, count = named[1:5]
        if not isinstance(kind, StorageKind) or type(count) is not int or count < 0:
            raise pickle.UnpicklingError("it names something else than a storage")
        item = 1 if kind.dtype is None else kind.dtype.itemsize
        stored = self._archive.size(f"{self._folder}/{key}")
        if stored < count * item:
            raise ModelError(
                f"{self._archive.path} is damaged at {quoted(f'{self._folder}/{key}')}: it has "
                f"{stored} bytes and the model's tensors {count * item}; save the model again."
            )
        # On this device it takes no memory.
        return Storage(torch.empty(count * item, dtype=torch.uint8, device="meta"), kind.dtype)

    def _reduce(self) -> None:
        arguments, called = self.stack.pop(), self.stack[-1]
        if not isinstance(called, _Name) or type(arguments) is not tuple:
            raise pickle.UnpicklingError("it calls something else than a name")
        if called.full in REBUILDS:
            storage, offset, size, stride = arguments[:4]
            check_view(storage, offset, size, stride)
        if called.full == TAG:
            # Torch goes through it at once; what is in it may be changed later.
            self._types.check_tagged(arguments)
        self.stack[-1] = Made(called.full, arguments, [])

    def _new_object(self) -> None:
        arguments, kind = self.stack.pop(), self.stack[-1]
        if not isinstance(kind, _Name) or arguments != ():
            raise pickle.UnpicklingError("it makes an object of something else than a name")
        self.stack[-1] = Made(kind.full, (), [])
        self.objects.append(self.stack[-1])

    def _build(self) -> None:
        state, built = self.stack.pop(), self.stack[-1]
        if not isinstance(built, Made):
            raise pickle.UnpicklingError("it gives a state to something else than an object")
        # Torch takes the values out now, whatever becomes of the dictionary.
        built.state.append(dict(state) if isinstance(state, dict) else state)

    def _fill_list(self, items: list[Any]) -> None:
        filled = self.stack[-1]
        if type(filled) is not list:
            raise pickle.UnpicklingError("it extends something else than a list")
        filled.extend(items)

    def _fill_dictionary(self, items: list[Any]) -> None:
        filled = self.stack[-1]
        if isinstance(filled, Made):
            # An ordered dictionary, which is called for first.
            filled.state.append(items)
        else:
            super()._fill_dictionary([_hashable(item, place) for place, item in enumerate(items)])

    def _memoize(self, place: int) -> None:
        if place > self._length:
            raise pickle.UnpicklingError("it remembers more than it has")
        self.memo[place] = self.stack[-1]

    def _put(self) -> None:
        self._memoize(self.read(1)[0])

    def _long_put(self) -> None:
        self._memoize(int.from_bytes(self.read(4), "little"))

    dispatch = CheckedUnpickler.dispatch | {
        pickle.REDUCE[0]: _reduce,
        pickle.NEWOBJ[0]: _new_object,
        pickle.BUILD[0]: _build,
        pickle.BINPUT[0]: _put,
        pickle.LONG_BINPUT[0]: _long_put,
    }


def _hashable(item: Any, place: int) -> Any:
    """Keys of dictionaries may be objects here; of those it is enough that they are told apart."""
    return id(item) if place % 2 == 0 and not isinstance(item, str | int | float) else item
