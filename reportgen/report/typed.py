"""Plain values to typed results, strictly: a results folder may have been changed by anyone.

Every value has the type of its field, every object the fields of its class and no others, and every
image array the shape that stands beside its name. What is wrong is said with its place.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
import types
import typing
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np

from reportgen.shown import shown
from reportgen.statistics.bootstrap import Estimate

IMAGES_KEY = "images"
NUMERIC = "biuf"
MOST_DIMENSIONS = 8


class MismatchError(Exception):
    """A value that is not what its field holds; the text says where and what."""

    def __init__(self, what: str, place: str = "") -> None:
        super().__init__(what)
        self.what, self.place = what, place

    def __str__(self) -> str:
        return f"{shown(self.place.lstrip('.')) or 'the whole'} {self.what}"


@contextmanager
def at(place: str) -> Iterator[None]:
    """Within this block a MismatchError is at this place of what is being read."""
    try:
        yield
    except MismatchError as error:
        raise MismatchError(error.what, f"{place}{error.place}") from None


@functools.cache
def hints_of(result: Any) -> dict[str, Any]:
    """The types of a dataclass' fields; reading them takes longer than its numbers."""
    return typing.get_type_hints(result, include_extras=True)


def is_image_array(hint: Any) -> bool:
    """Tell whether a field's type says that its array goes to results.npz."""
    return typing.get_origin(hint) is typing.Annotated and IMAGES_KEY in hint.__metadata__


@dataclasses.dataclass(frozen=True)
class Stored:
    """A reader of plain values, with the arrays beside them.

    Results of an earlier schema may hold fields that are none now, and plain numbers where there
    is an interval now. In any results a field may be missing that has a default or may be None.
    Without `arrays`, where only numbers are wanted, image arrays are NaN of their shape.

    Attributes
    ----------
    arrays : the image arrays, by name; None where only numbers are wanted.
    older : whether the results are of an earlier schema.
    """

    arrays: dict[str, np.ndarray] | None
    older: bool = False

    def typed(self, plain: Any, hint: Any) -> Any:
        """The value of this type that a plain one stands for. Raises MismatchError."""
        if is_image_array(hint):
            return self._image_array(plain)
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (typing.Union, types.UnionType):
            inner = next(argument for argument in arguments if argument is not type(None))
            return None if plain is None else self.typed(plain, inner)
        if dataclasses.is_dataclass(hint):
            return self._instance(plain, typing.cast(Any, hint))
        if hint is np.ndarray:
            return _array(plain)
        if origin is tuple:
            return self._tuple(plain, arguments)
        if origin is dict:
            entries = of_kind(plain, dict, "an object")
            read = {}
            for key, entry in entries.items():
                with at(f".{key}"):
                    read[key] = self.typed(entry, arguments[1])
            return read
        return _scalar(plain, hint)

    def fields(self, plain: Any, needed: set[str], optional: set[str]) -> dict[str, Any]:
        """An object that has these fields and no others. Raises MismatchError."""
        found: dict[str, Any] = of_kind(plain, dict, "an object")
        for name in sorted(needed - found.keys()):
            with at(f".{name}"):
                _mismatch("is missing")
        for name in sorted(found.keys() - needed - optional):
            with at(f".{name}"):
                if not self.older:
                    _mismatch("is no field that this reportgen knows")
        return found

    def _instance(self, plain: Any, kind: Any) -> Any:
        if kind is Estimate and self.older and type(plain) in (int, float):
            # A share of codes had no interval in earlier schemas.
            return Estimate(_number(plain), math.nan, math.nan)
        hints = hints_of(kind)
        declared = dataclasses.fields(kind)
        optional = {f.name for f in declared if _may_be_missing(f, hints[f.name])}
        found = self.fields(plain, {f.name for f in declared} - optional, optional)
        values = {}
        for field in declared:
            if field.init and (field.name in found or not _has_default(field)):
                with at(f".{field.name}"):
                    values[field.name] = self.typed(found.get(field.name), hints[field.name])
        return kind(**values)

    def _tuple(self, plain: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        entries = of_kind(plain, list, "a list")
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            arguments = (arguments[0],) * len(entries)
        if len(entries) != len(arguments):
            _mismatch(f"has {len(entries)} entries and not {len(arguments)}")
        read = []
        for place, (entry, hint) in enumerate(zip(entries, arguments, strict=True)):
            with at(f"[{place}]"):
                read.append(self.typed(entry, hint))
        return tuple(read)

    def _image_array(self, plain: Any) -> np.ndarray:
        found = self.fields(plain, {IMAGES_KEY, "shape"}, set())
        name = of_kind(found[IMAGES_KEY], str, "a text")
        if self.arrays is None:
            return _undefined_images(found["shape"])
        array = self.arrays.get(name)
        if array is None:
            _mismatch("names an array that results.npz does not have")
        if list(array.shape) != found["shape"] or array.dtype.kind not in NUMERIC:
            _mismatch("has another shape or kind of numbers in results.npz")
        return array


def _undefined_images(shape: Any) -> np.ndarray:
    """NaN of a shape, in the memory of one number."""
    sides = of_kind(shape, list, "a list")
    if len(sides) > MOST_DIMENSIONS or not all(type(s) is int and 0 <= s < 2**31 for s in sides):
        _mismatch("has no shape")
    try:
        return np.broadcast_to(np.float32(np.nan), sides)
    except ValueError:
        _mismatch("has no shape")


def _may_be_missing(field: dataclasses.Field[Any], hint: Any) -> bool:
    return _has_default(field) or not field.init or type(None) in typing.get_args(hint)


def _has_default(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


def _scalar(plain: Any, hint: Any) -> Any:
    if hint is float:
        return math.nan if plain is None else _number(plain)
    if typing.get_origin(hint) is typing.Literal:
        return _one_of(plain, typing.get_args(hint))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(_one_of(plain, [word.value for word in hint]))
    names = {int: "a whole number", str: "a text", bool: "true or false"}
    return of_kind(plain, hint, names[hint])


def _one_of(plain: Any, words: Iterable[str]) -> str:
    word: str = of_kind(plain, str, "a text")
    if word not in words:
        _mismatch("is no word that can stand there")
    return word


def _number(plain: Any) -> float:
    if type(plain) not in (int, float):
        _mismatch("is no number")
    try:
        number = float(plain)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        _mismatch("is too large a number")
    return number


def of_kind(plain: Any, kind: type, name: str) -> Any:
    """A value of exactly this type, called so in sentences. Raises MismatchError."""
    # bool is an int to isinstance.
    if type(plain) is not kind:
        _mismatch(f"is not {name}")
    return plain


def _array(plain: Any) -> np.ndarray:
    """A numeric or boolean array; null reads as NaN."""
    of_kind(plain, list, "a list")
    try:
        array = np.array(plain)
        if array.dtype == object:
            array = np.array(plain, dtype=np.float64)
    except (ValueError, TypeError, OverflowError, RecursionError):
        _mismatch("is no array of numbers")
    if array.dtype.kind not in NUMERIC or array.ndim > MOST_DIMENSIONS:
        _mismatch("is no array of numbers")
    return array


def _mismatch(what: str) -> NoReturn:
    raise MismatchError(what)
