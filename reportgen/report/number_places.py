"""Places in the results, each a value and its type: the numbers at them and below them."""

from __future__ import annotations

import enum
import math
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from reportgen.errors import NumberNameError
from reportgen.report.name_path import Part, path_text
from reportgen.report.typed import hints_of, is_image_array
from reportgen.shown import quoted
from reportgen.statistics.bootstrap import Estimate

Number = Estimate | float | int | bool
MOST_NAMED = 8
NOT_MEASURED = "it was not measured"


@dataclass(frozen=True)
class NamedNumber:
    """One number of a report, or one array of numbers.

    Attributes
    ----------
    name : by which `NumberNames.find` gives it; of an array, the name of the whole.
    value : the number; None where it was not measured, or is undefined.
    shape : of an array, whose `value` is None and whose entries are `name[0]`, …; () of a number.
    """

    name: str
    value: Number | None
    shape: tuple[int, ...] = ()

    @property
    def estimate(self) -> Estimate:
        """The number with its interval; NaN for what it has not."""
        return as_estimate(self.value)


@dataclass(frozen=True)
class Place:
    """A place in the results: its value, None where there is none, and its type."""

    value: Any
    hint: Any
    reason: str = NOT_MEASURED


def names_in(kind: Any, path: tuple[Part, ...]) -> Iterator[str]:
    """The names of the numbers that an answer of this type holds; places in lists are `[0]`."""
    kind = without_none(kind)
    if kind is Estimate or kind in (float, int, bool):
        yield path_text(path)
    elif is_image_array(kind):
        return
    elif is_dataclass(kind):
        for field in fields(kind):
            yield from names_in(hints_of(typing.cast(Any, kind))[field.name], (*path, field.name))
    elif typing.get_origin(kind) is tuple and typing.get_args(kind):
        entries = [entry for entry in typing.get_args(kind) if entry is not Ellipsis]
        for place, entry in enumerate(entries):
            yield from names_in(entry, (*path, place))
    elif typing.get_origin(kind) is dict:
        yield from names_in(typing.get_args(kind)[1], (*path, "NAME"))
    elif kind is np.ndarray:
        yield path_text((*path, 0))


def as_estimate(value: Number | None) -> Estimate:
    """A number with its interval; NaN for the ends of a number that has none, and for no number."""
    if isinstance(value, Estimate):
        return value
    return Estimate(math.nan if value is None else float(value), math.nan, math.nan)


def numbers_below(node: Place, path: tuple[Part, ...]) -> Iterator[NamedNumber]:
    """Every number at a place and below it; arrays of images are left out."""
    kind, value = kind_of(node), node.value
    if is_image_array(node.hint) or (value is None and kind not in (Estimate, float, int, bool)):
        return
    if kind in (Estimate, float, int, bool):
        number = None if value is None else as_number(value)
        defined = number is not None and not math.isnan(as_estimate(number).value)
        yield NamedNumber(path_text(path), number if defined else None)
    elif is_dataclass(kind):
        for name, hint in hints_of(typing.cast(Any, kind)).items():
            yield from numbers_below(Place(getattr(value, name), hint), (*path, name))
    elif isinstance(value, np.ndarray):
        if value.size and value.dtype.kind in "biuf":
            yield NamedNumber(path_text(path), None, value.shape)
    elif isinstance(value, tuple):
        for place, entry in enumerate(value):
            yield from numbers_below(Place(entry, entry_hint(kind, place)), (*path, place))
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from numbers_below(Place(entry, typing.get_args(kind)[1]), (*path, str(key)))


def entries_of(node: Place) -> list[Place]:
    """The entries of a list or of named things, of lists in it too; anything else itself."""
    kind = kind_of(node)
    origin = typing.get_origin(kind)
    if origin not in (tuple, dict):
        return [node]
    if node.value is None:
        hint = typing.get_args(kind)[1] if origin is dict else entry_hint(kind, 0)
        return [Place(None, hint, node.reason)]
    entries = list(node.value.values()) if origin is dict else list(node.value)
    hints = [
        typing.get_args(kind)[1] if origin is dict else entry_hint(kind, place)
        for place in range(len(entries))
    ]
    places = (Place(entry, hint) for entry, hint in zip(entries, hints, strict=True))
    return [inner for place in places for inner in entries_of(place)]


def kind_of(node: Place) -> Any:
    """The type of a place's value where it has one."""
    return without_none(node.hint)


def without_none(hint: Any) -> Any:
    """A type without the None that it allows."""
    arguments = [kind for kind in typing.get_args(hint) if kind is not type(None)]
    if len(arguments) == 1 and type(None) in typing.get_args(hint):
        return arguments[0]
    return hint


def entry_hint(kind: Any, place: int) -> Any:
    """The type of a list's entry."""
    arguments = typing.get_args(kind)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return arguments[0]
    return arguments[place] if place < len(arguments) else Any


def as_number(value: Any) -> Number | None:
    """The value as a Python number or an Estimate; None for anything else."""
    if isinstance(value, Estimate | bool):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    return float(value) if isinstance(value, float | np.floating) else None


def all_numbers(nodes: Iterable[Place]) -> Iterator[float]:
    """The defined numbers at these places, of lists and arrays each entry."""
    for node in nodes:
        if isinstance(node.value, tuple | Mapping):
            inside = node.value.values() if isinstance(node.value, Mapping) else node.value
            yield from all_numbers(Place(entry, Any) for entry in inside)
        elif isinstance(node.value, np.ndarray):
            yield from (float(number) for number in node.value.flat if np.isfinite(number))
        elif (number := as_number(node.value)) is not None:
            value = as_estimate(number).value
            if not math.isnan(value):
                yield value


def counts(value: Any, word: str) -> bool:
    """Tell whether a value is there: given, defined, true, and not empty; or has this word."""
    if word:
        entries = value if isinstance(value, tuple) else (value,)
        return any(isinstance(entry, str | enum.Enum) and str(entry) == word for entry in entries)
    if value is None or isinstance(value, tuple | str | Mapping | np.ndarray):
        return value is not None and len(value) > 0
    number = as_number(value)
    if isinstance(number, bool):
        return number
    return number is None or not math.isnan(as_estimate(number).value)


def check_word(hint: Any, word: str) -> None:
    """Refuse a word that no value of this type can be. Raises NumberNameError."""
    kind = without_none(hint)
    kind = entry_hint(kind, 0) if typing.get_origin(kind) is tuple else kind
    if not word or kind is Any or kind is str:
        return
    known: list[str] = []
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        known = [str(member.value) for member in kind]
    elif typing.get_origin(kind) is typing.Literal:
        known = [str(choice) for choice in typing.get_args(kind)]
    if word not in known:
        there_are = f"the words there are {', '.join(known)}" if known else "there are no words"
        raise NumberNameError(f"No value there can be {quoted(word)}; {there_are}.")


def no_number(node: Place, path: tuple[Part, ...]) -> NumberNameError:
    """An error that says what a place holds instead of a number."""
    kind, name = kind_of(node), path_text(path)
    if is_dataclass(kind):
        inside = [path_text((*path, field.name)) for field in fields(kind)]
        more = ", …" if len(inside) > MOST_NAMED else ""
        return NumberNameError(f"{name} holds {', '.join(inside[:MOST_NAMED])}{more}; name one.")
    if typing.get_origin(kind) is tuple or kind is np.ndarray:
        return NumberNameError(
            f"{name} is a list; say {path_text((*path, 0))} for its first entry, or "
            f"count({name}), min({name}), max({name}) or mean({name})."
        )
    return NumberNameError(f"{name} is no number.")
