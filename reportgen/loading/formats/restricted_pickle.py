"""Opens torch.save files so that nothing in them runs.

torch's restricted unpickler builds tensors, plain containers and what it is told to allow. Here it
may build torch.nn's own layers and the classes that the user names. Every other name in the file
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
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from reportgen.errors import ModelError
from reportgen.loading.formats.archive import open_archive
from reportgen.loading.sentences import refusing

# How torch names what it never imports.
BLOCKED = re.compile(r"unsupported GLOBAL (\S+) whose module \S+ is blocked")
# How it refuses to fill what is no plain container.
FILLED = re.compile(r"SETITEM|Can only (append|extend)|[Aa]ppend to lists|extend lists")
# What comes before the object in the legacy layout: a magic number, a version, the machine.
LEGACY_PREAMBLE = 3
FUNCTIONS = (
    *("relu", "gelu", "leaky_relu", "elu", "selu", "silu", "mish", "softplus", "tanh", "sigmoid"),
)


class Inert:
    """A stand-in for an object of an unknown class; it holds nothing and does nothing."""

    wanted = ""

    def __new__(cls, *args: Any, **kwargs: Any) -> Inert:
        """Make one from whatever arguments the file gives, and forget them."""
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


class PlainDict:
    """A stand-in for a class of dictionaries: what the file makes of it is a plain one."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make an empty one from whatever arguments the file gives, and forget them."""
        return collections.OrderedDict()


class PlainList:
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
            return _load(path, allowed)
        except pickle.UnpicklingError as error:
            filled = _refused_container(error, allowed)
            if filled is None:
                raise ModelError(_refusal(path, error)) from error
            allowed |= filled


def _load(path: Path, allowed: Mapping[str, Any]) -> Any:
    # On the meta device a hostile pickle cannot spend memory by building huge layers; real weights
    # bring their own device.
    entries: list[Any] = [(value, name) for name, value in allowed.items()]
    with (
        warnings.catch_warnings(),
        torch.serialization.safe_globals(entries),
        torch.device("meta"),
        # A damaged or hostile pickle makes the unpickler raise anything.
        refusing(
            Exception,
            f"{path} is damaged, or written by something other than torch.save (<kind>: <reason>); "
            "save the model again.",
            passing=(pickle.UnpicklingError,),
        ),
    ):
        warnings.simplefilter("ignore")
        return torch.load(path, map_location="cpu", weights_only=True)


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
            # Protocol 2, which torch.save writes, uses Python 2's names.
            module, name = NAME_MAPPING.get((module, name), (module, name))
            yield f"{IMPORT_MAPPING.get(module, module)}.{name}"


def _torch_objects() -> dict[str, Any]:
    """All of torch.nn's layers, activations and distributions, and containers of their state."""
    objects: dict[str, Any] = {
        "collections.defaultdict": PlainDict,
        "collections.deque": PlainList,
        "builtins.frozenset": frozenset,
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
    # torch puts advice to switch the protection off before what went wrong.
    said = str(error).rpartition("WeightsUnpickler error:")[2].strip()
    blocked = BLOCKED.search(said)
    if blocked is not None:
        said = f"it names {blocked[1]}"
    reason = said.partition("\n")[0].partition(". Please use")[0].rstrip(".")
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
