"""Modules of a pickle, filled with state that is checked: numbers and parts, and no methods."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from reportgen.errors import ModelError
from reportgen.loading.formats.checked_pickle import Maker, StandIn, StorageKind
from reportgen.shown import quoted

# What a pickle may hold that, written out or walked through, is more than it seems.
MOST_ENTRIES = 10_000_000
MOST_PARTS = 100_000
MOST_LAYERS = 1_000
PARTS = {"_parameters": Tensor, "_buffers": Tensor, "_modules": nn.Module}


def fill(states: Iterable[tuple[Any, Any]]) -> None:
    """Give objects the states that a pickle has for them. Raises ModelError for what is none."""
    filled: set[int] = set()
    for built, state in states:
        if id(built) in filled:
            raise ModelError("it fills one module twice; refused as unsafe.")
        filled.add(id(built))
        _check(type(built), state)
        if isinstance(built, nn.Module):
            built.__setstate__(dict(state))
        else:
            vars(built).update(state)


def check_entries(value: Any) -> None:
    """Raise ModelError for containers that hold themselves, or one another too often."""
    _entries(value, {}, MOST_ENTRIES, "entries")


def check_parts(module: nn.Module) -> None:
    """Raise ModelError for modules that hold themselves, or one another too often."""
    _entries(module, {}, MOST_PARTS, "parts")


def _check(kind: type, state: Any) -> None:
    if type(state) is not dict:
        raise ModelError(f"it has no state for its {kind.__name__}; it is damaged.")
    is_module = issubclass(kind, nn.Module)
    for name, value in state.items():
        if type(name) is not str:
            raise ModelError(f"it names attributes of its {kind.__name__} by something else.")
        if name.startswith("__") or _is_code(inspect.getattr_static(kind, name, None)):
            raise ModelError(
                f"it gives its {kind.__name__} another {quoted(name)}, which is code; refused as "
                "unsafe."
            )
        if is_module and name in PARTS:
            _check_parts_of(kind, name, value)
        elif is_module and "hooks" in name:
            _check_hooks(kind, name, value)
        elif not _is_plain(value):
            raise ModelError(
                f"it holds something else than values under {quoted(name)} of its "
                f"{kind.__name__}; refused as unsafe."
            )
    # Its state takes as many steps to complete as it says it has layers.
    layers = state.get("num_layers", 1)
    if issubclass(kind, nn.RNNBase) and not (type(layers) is int and layers <= MOST_LAYERS):
        raise ModelError(f"it claims {quoted(layers)} layers of {kind.__name__}; refused.")


def _is_code(attribute: Any) -> bool:
    return callable(attribute) or hasattr(type(attribute), "__get__")


def _check_parts_of(kind: type, name: str, parts: Any) -> None:
    sound = isinstance(parts, dict) and all(
        type(key) is str and (part is None or isinstance(part, PARTS[name] | StandIn))
        for key, part in parts.items()
    )
    if not sound:
        raise ModelError(f"it holds something else under {name} of its {kind.__name__}; damaged.")


def _check_hooks(kind: type, name: str, hooks: Any) -> None:
    # Those of unknown classes are stand-ins, and the module is refused for them by their names.
    if isinstance(hooks, Mapping) and any(not _is_stand_in(hook) for hook in hooks.values()):
        raise ModelError(f"it has functions to call in its {kind.__name__}; refused as unsafe.")


def _is_stand_in(hook: Any) -> bool:
    return isinstance(hook, StandIn) or (isinstance(hook, type) and issubclass(hook, StandIn))


def _is_plain(value: Any) -> bool:
    waiting, seen = [value], set()
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, Maker | StorageKind):
            return False
        if isinstance(entry, dict | list | tuple | set | frozenset) and id(entry) not in seen:
            seen.add(id(entry))
            waiting += entry if not isinstance(entry, dict) else [*entry, *entry.values()]
    return True


def _entries(value: Any, known: dict[int, int], most: int, what: str) -> int:
    """Count the entries of a value, each as often as it is held."""
    held: Iterable[Any]
    if isinstance(value, nn.Module):
        modules = vars(value).get("_modules")
        held = modules.values() if isinstance(modules, dict) else ()
    elif isinstance(value, dict):
        held = value.values()
    elif isinstance(value, list | tuple | set | frozenset) and type(value) is not torch.Size:
        held = value
    else:
        return 1
    if id(value) not in known:
        # Found again before it is counted, it holds itself.
        known[id(value)] = most + 1
        known[id(value)] = 1 + sum(_entries(entry, known, most, what) for entry in held)
    if known[id(value)] > most:
        raise ModelError(f"it holds more than {most:,} {what}; refused as unsafe.")
    return known[id(value)]
