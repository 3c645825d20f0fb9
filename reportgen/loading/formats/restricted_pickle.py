"""Opens torch.save files so that nothing in them runs.

Our own unpickler (`checked_pickle`) builds tensors, plain containers, torch.nn's own layers and
modules of the classes that the user names, and calls none of them. Every other name in the file
becomes an inert stand-in, so that the weights beside it (an optimiser's, a logger's leftovers in a
training checkpoint) can still be read.
"""

from __future__ import annotations

import collections
import inspect
import io
import mmap
import pickle
import pickletools
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from reportgen.errors import ModelError
from reportgen.loading.formats.archive import open_archive
from reportgen.loading.formats.checked_pickle import (
    CheckedUnpickler,
    StandIn,
    Storage,
    mapped_name,
)
from reportgen.loading.formats.checked_state import check_entries, check_parts, fill
from reportgen.loading.formats.checked_tensors import makers
from reportgen.loading.formats.saved_records import (
    States,
    read_record,
    storage_bytes,
    storage_of,
)
from reportgen.loading.sentences import first_line, naming, refusing

# How torch names what it never imports.
BLOCKED = re.compile(r"unsupported GLOBAL (\S+) whose module \S+ is blocked")
# How it refuses to fill what is no plain container.
FILLED = re.compile(r"SETITEM|Can only (append|extend)|[Aa]ppend to lists|extend lists")
# What comes before the object in the legacy layout: a magic number, a version, the machine.
LEGACY_PREAMBLE = 3
FUNCTIONS = (
    *("relu", "gelu", "leaky_relu", "elu", "selu", "silu", "mish", "softplus", "tanh", "sigmoid"),
)


class Inert(StandIn):
    """A stand-in for an object of an unknown class; it holds nothing and does nothing."""

    wanted = ""

    def __new__(cls, *args: Any, **kwargs: Any) -> Inert:
        """Make one from whatever arguments the file gives, and forget them."""
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


class PlainDict(StandIn):
    """A stand-in for a class of dictionaries: what the file makes of it is a plain one."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make an empty one from whatever arguments the file gives, and forget them."""
        return collections.OrderedDict()


class PlainList(StandIn):
    """A stand-in for a class of lists: what the file makes of it is a plain one."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make an empty one from whatever arguments the file gives, and forget them."""
        return []


def load_restricted(path: Path, named: Mapping[str, Any], *, is_zip: bool) -> Any:
    """A torch.save file → the object in it.

    Parameters
    ----------
    named : classes that the user names, by their last name; a class pickled from a training script
        is called `__main__.Class` in the file.
    is_zip : whether the file has the layout of torch ≥ 1.6.

    Raises ModelError for damaged files and for pickles of Python's own dangerous modules.
    """
    wanted = _names_in(path, is_zip)
    allowed = {**_torch_objects(), **_user_objects(wanted, named)}
    for number, name in enumerate(sorted(wanted - allowed.keys())):
        allowed[name] = type(f"Inert{number}", (Inert,), {"wanted": name})
    while True:
        try:
            return _load(path, allowed, is_zip)
        except pickle.UnpicklingError as error:
            filled = _refused_container(error, allowed)
            if filled is None:
                raise ModelError(_refusal(path, error)) from error
            allowed |= filled


def _load(path: Path, table: Mapping[str, Any], is_zip: bool) -> Any:
    # A damaged or hostile pickle makes the unpickler raise anything.
    with (
        warnings.catch_warnings(),
        refusing(
            Exception,
            f"{path} is damaged, or written by something other than torch.save (<kind>: <reason>); "
            "save the model again.",
            passing=(pickle.UnpicklingError,),
        ),
    ):
        warnings.simplefilter("ignore")
        with naming(path):
            loaded, states = (_load_zip if is_zip else _load_legacy)(path, table)
            check_entries(loaded)
            fill(states)
            for built, _ in states:
                if isinstance(built, nn.Module):
                    check_parts(built)
        return loaded


def _load_zip(path: Path, table: Mapping[str, Any]) -> tuple[Any, States]:
    with open_archive(path) as archive:
        return read_record(archive, table)


def _load_legacy(path: Path, table: Mapping[str, Any]) -> tuple[Any, States]:
    """The layout before torch 1.6: pickles one after another, then the bytes of the storages."""
    contents: dict[str, Tensor] = {}
    size = path.stat().st_size

    def storage(named: tuple[Any, ...]) -> Storage:
        kind, key, _, count = named[1:5]
        view = named[5] if len(named) > 5 else None
        if view is not None:
            raise ModelError("it holds views of storages, as torch wrote them before 0.4.")
        wanted = storage_bytes(kind, count)
        if wanted > size:
            raise ModelError("it claims more bytes than it has; it is damaged or unsafe.")
        if key not in contents:
            contents[key] = torch.zeros(wanted, dtype=torch.uint8)
        return storage_of(kind, contents[key], count)

    with path.open("rb") as file:
        for _ in range(LEGACY_PREAMBLE):
            CheckedUnpickler(file, {}, storage).load()
        unpickler = CheckedUnpickler(file, table, storage)
        loaded = unpickler.load()
        keys = CheckedUnpickler(file, {}, storage).load()
        if type(keys) is not list or set(map(str, keys)) != set(map(str, contents)):
            raise ModelError("it lacks some of its storages; it is damaged.")
        for key in keys:
            # The number of entries, which is known already.
            file.read(8)
            if file.readinto(contents[key].numpy()) != len(contents[key]):  # type: ignore[arg-type]
                raise ModelError("it ends within a storage; it is cut off.")
    return loaded, unpickler.states


def _names_in(path: Path, is_zip: bool) -> set[str]:
    """Every class and function that the pickle names."""
    with refusing(
        (ValueError, EOFError, UnicodeDecodeError, OSError, IndexError),
        f"{path} is damaged (<reason>); save or download the model again.",
    ):
        if is_zip:
            with open_archive(path) as archive:
                return set(_globals(io.BytesIO(archive.read("data.pkl"))))
        names: set[str] = set()
        # Lengths in a damaged pickle can be anything; mapped memory is never read past its end.
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        ):
            for _ in range(LEGACY_PREAMBLE + 1):
                names = set(_globals(mapped))
        return names


def _globals(file: Any) -> Iterator[str]:
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name == "GLOBAL":
            module, name = str(argument).split(" ", 1)
            yield mapped_name(module, name)


def _torch_objects() -> dict[str, Any]:
    """All of torch.nn's layers, activations and distributions, and containers of their state."""
    objects: dict[str, Any] = {
        **makers(),
        "collections.defaultdict": PlainDict,
        "collections.deque": PlainList,
        "torch.nn.parallel.data_parallel.DataParallel": nn.DataParallel,
        "torch.nn.parameter.Buffer": getattr(nn, "Buffer", nn.Parameter),
    }
    for value in vars(nn.modules).values():
        if inspect.isclass(value) and issubclass(value, nn.Module):
            objects[f"{value.__module__}.{value.__qualname__}"] = value
    for value in vars(torch.distributions).values():
        if inspect.isclass(value) and issubclass(value, torch.distributions.Distribution):
            objects[f"{value.__module__}.{value.__qualname__}"] = value
    linear = nn.modules.linear.NonDynamicallyQuantizableLinear
    objects[f"{linear.__module__}.{linear.__qualname__}"] = linear
    for name in FUNCTIONS:
        objects[f"torch.nn.functional.{name}"] = getattr(functional, name)
    objects["torch._C._nn.gelu"] = functional.gelu
    return objects


def _user_objects(wanted: set[str], named: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: named[name.rpartition(".")[2]]
        for name in wanted
        if name.rpartition(".")[2] in named and not name.startswith("torch.")
    }


def _refused_container(
    error: pickle.UnpicklingError, allowed: Mapping[str, Any]
) -> dict[str, Any] | None:
    """A name whose stand-in the file fills like a dictionary or a list, with what can be filled.

    The unpickler fills plain dictionaries and lists alone, and names the class of anything else.
    """
    said = str(error)
    if not FILLED.search(said):
        return None
    plain = PlainDict if "SETITEM" in said else PlainList
    for name, value in allowed.items():
        if _is_inert_class(value) and re.search(rf"\b{value.__name__}\b", said):
            return {name: plain}
    return None


def _is_inert_class(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, Inert)


def _refusal(path: Path, error: pickle.UnpicklingError) -> str:
    said = str(error)
    blocked = BLOCKED.search(said)
    if blocked is not None:
        said = f"it names {blocked[1]}"
    reason = first_line(error).rstrip(".") if blocked is None else said
    if "persistent_load" in reason:
        reason = "a whole module in the layout that torch used before 1.6"
    return (
        f"{path} is a pickle that could run code when it is opened ({reason}); save the weights "
        "alone with torch.save(model.state_dict(), …), or pass --trust if you trust its origin."
    )


def inert_names(value: Any, depth: int = 4) -> set[str]:
    """Names of the unknown classes in a loaded object, a few levels deep."""
    if isinstance(value, Inert) or _is_inert_class(value):
        return {value.wanted}
    if depth == 0:
        return set()
    parts: list[Any] = []
    if isinstance(value, Mapping):
        parts = list(value.values())
    elif isinstance(value, list | tuple | set | frozenset):
        parts = list(value)
    elif isinstance(value, nn.Module):
        parts = list(vars(value).values())
        depth += 1
    return {name for part in parts for name in inert_names(part, depth - 1)}
