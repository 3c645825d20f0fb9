"""Unpickles torch.save files without calling anything that they name.

Names in the file stand for entries of a table: makers that are ours and check what they are given,
classes of which bare objects are made, and values. State is laid aside until the whole file is
read, and checked then (`checked_state`).
"""

from __future__ import annotations

import collections
import pickle
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn

from reportgen.errors import ModelError
from reportgen.shown import quoted

BLOCKED_MODULES = ("sys", "os", "posix", "nt")
# What torch.save writes, in protocol 2.
OPCODES = b"".join(
    (
        *(pickle.PROTO, pickle.STOP, pickle.MARK, pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE),
        *(pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1, pickle.BINFLOAT),
        *(pickle.BINUNICODE, pickle.SHORT_BINSTRING, pickle.EMPTY_TUPLE, pickle.TUPLE),
        *(pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.EMPTY_LIST, pickle.EMPTY_DICT),
        *(pickle.EMPTY_SET, pickle.APPEND, pickle.APPENDS, pickle.SETITEM, pickle.SETITEMS),
        *(pickle.BINGET, pickle.LONG_BINGET, pickle.BINPUT, pickle.LONG_BINPUT),
        *(pickle.GLOBAL, pickle.REDUCE, pickle.NEWOBJ, pickle.BUILD, pickle.BINPERSID),
    )
)
MOST_OBJECTS = 100_000
# Larger whole numbers share their hashes with smaller ones, which a dictionary then tries in turn.
LARGEST_KEY = 2**61 - 2
LARGEST_TUPLE = 64


@dataclass(frozen=True)
class Maker:
    """The meaning of a name in the file that may be called: checks its arguments and makes."""

    make: Callable[..., Any]


@dataclass(frozen=True)
class StorageKind:
    """The type of a storage's numbers; None where each tensor says it."""

    dtype: torch.dtype | None


@dataclass(frozen=True)
class Storage:
    """The bytes that tensors are views of, with the type of their numbers."""

    content: Tensor
    dtype: torch.dtype | None


class StandIn:
    """A stand-in for objects of a class that is not known; see `restricted_pickle`."""

    def take(self, state: Any) -> None:
        """Take the object's state: it is forgotten."""


def mapped_name(module: str, name: str) -> str:
    """The full name in Python 3: protocol 2, which torch.save writes, uses Python 2's."""
    module, name = NAME_MAPPING.get((module, name), (module, name))
    return f"{IMPORT_MAPPING.get(module, module)}.{name}"


# The class in Python, as torch's own restricted one is: C's takes memory for any number in a memo,
# and its steps cannot be replaced.
_PythonsUnpickler: Any = pickle._Unpickler


class CheckedUnpickler(_PythonsUnpickler):  # type: ignore[misc]
    """Makes an object of a pickle from what `table` says that its names stand for.

    `storage` finds the bytes that a persistent id names. States of objects are left in `states`.

    Raises pickle.UnpicklingError for what no file of weights does.
    """

    def __init__(
        self,
        file: BinaryIO,
        table: Mapping[str, Any],
        storage: Callable[[tuple[Any, ...]], Storage],
    ) -> None:
        super().__init__(file, encoding="utf-8")
        self._table, self._storage = table, storage
        self.states: list[tuple[Any, Any]] = []
        self._made = 0

    def find_class(self, module_name: str, global_name: str) -> Any:
        """Look a name up in the table."""
        if module_name in BLOCKED_MODULES:
            raise pickle.UnpicklingError(
                f"unsupported GLOBAL {module_name}.{global_name} whose module {module_name} is "
                "blocked"
            )
        name = mapped_name(module_name, global_name)
        if name not in self._table:
            raise pickle.UnpicklingError(f"it names {name}")
        return self._table[name]

    def _reduce(self) -> None:
        arguments, called = self.stack.pop(), self.stack[-1]
        if type(arguments) is not tuple:
            raise pickle.UnpicklingError("it calls without arguments")
        if isinstance(called, Maker):
            self.stack[-1] = called.make(*arguments)
        elif isinstance(called, type) and issubclass(called, StandIn):
            self.stack[-1] = called()
        else:
            raise pickle.UnpicklingError(f"it calls {_named(called)}")

    def _new_object(self) -> None:
        arguments, kind = self.stack.pop(), self.stack[-1]
        is_class = isinstance(kind, type) and any(kind is value for value in self._table.values())
        if not is_class or (not issubclass(kind, StandIn) and arguments != ()):
            raise pickle.UnpicklingError(f"it makes an object of {_named(kind)}")
        self._made += 1
        if self._made > MOST_OBJECTS:
            raise ModelError(f"it holds more than {MOST_OBJECTS} objects; refused as unsafe.")
        self.stack[-1] = kind() if issubclass(kind, StandIn) else kind.__new__(kind)

    def _build(self) -> None:
        state, built = self.stack.pop(), self.stack[-1]
        if isinstance(built, collections.OrderedDict):
            # The versions of modules, which torch keeps beside their weights.
            if isinstance(state, dict) and isinstance(state.get("_metadata"), dict):
                built._metadata = state["_metadata"]  # type: ignore[attr-defined]
        elif isinstance(built, nn.Module | torch.distributions.Distribution):
            self.states.append((built, state))
        elif isinstance(built, StandIn):
            built.take(state)
        elif not isinstance(built, dict | list | set):
            raise pickle.UnpicklingError(f"it sets attributes of {_named(built)}")

    def _persistent(self) -> None:
        named = self.stack.pop()
        if type(named) is not tuple or len(named) < 5 or named[0] not in ("storage", b"storage"):
            raise pickle.UnpicklingError("persistent_load of what is no storage")
        self.append(self._storage(named))

    def _extend(self) -> None:
        items = self.pop_mark()
        self._fill_list(items)

    def _append(self) -> None:
        self._fill_list([self.stack.pop()])

    def _fill_list(self, items: list[Any]) -> None:
        filled = self.stack[-1]
        if type(filled) is not list:
            raise pickle.UnpicklingError(f"Can only extend lists, but got {_named(filled)}")
        filled.extend(items)

    def _set_items(self) -> None:
        self._fill_dictionary(self.pop_mark())

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._fill_dictionary([key, value])

    def _fill_dictionary(self, items: list[Any]) -> None:
        filled = self.stack[-1]
        if not isinstance(filled, dict):
            raise pickle.UnpicklingError(f"SETITEM only for dictionaries, not {_named(filled)}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            filled[checked_key(key)] = value

    dispatch = {code: _PythonsUnpickler.dispatch[code] for code in OPCODES} | {
        pickle.REDUCE[0]: _reduce,
        pickle.NEWOBJ[0]: _new_object,
        pickle.BUILD[0]: _build,
        pickle.BINPERSID[0]: _persistent,
        pickle.APPEND[0]: _append,
        pickle.APPENDS[0]: _extend,
        pickle.SETITEM[0]: _set_item,
        pickle.SETITEMS[0]: _set_items,
    }


def checked_key(key: Any) -> Any:
    """A key of a dictionary or an entry of a set, whose hash takes no time. Raises ModelError."""
    if isinstance(key, int) and abs(key) > LARGEST_KEY:
        raise ModelError("it has a key that no file of weights has; refused as unsafe.")
    if isinstance(key, tuple):
        _count_entries(key, LARGEST_TUPLE)
    return key


def _count_entries(entries: tuple[Any, ...], left: int) -> int:
    for entry in entries:
        left -= 1
        if isinstance(entry, tuple):
            left = _count_entries(entry, left)
        checked_key(None if isinstance(entry, tuple) else entry)
        if left < 0:
            raise ModelError("it has a key that no file of weights has; refused as unsafe.")
    return left


def _named(value: Any) -> str:
    kind = value if isinstance(value, type) else type(value)
    wanted = getattr(kind, "wanted", "") if issubclass(kind, StandIn) else ""
    return f"{kind.__name__}" if not wanted else f"{kind.__name__} for {quoted(wanted)}"
