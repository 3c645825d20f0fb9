"""Class labels and factors that stand beside an array of images in its file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from reportgen.autoencoder import Note
from reportgen.errors import DataError
from reportgen.images.array_names import find_labels, label_words, require_labels
from reportgen.images.image_set import Factors
from reportgen.shown import shown

# Arrays of one row of numbers an image, and those with the names of their columns.
FACTOR_ARRAYS = ("latents_values", "factors", "factor_values", "latents")
FACTOR_NAMES = ("latents_names", "factor_names", "factors_names", "label_names", "labels_names")
# The file of dSprites has its names in a pickle, in this order.
DSPRITES = frozenset(("imgs", "latents_classes", "latents_values", "metadata"))
# The file of 3D Shapes has no names of its factors either; its values tell it.
SHAPES3D = frozenset(("images", "labels"))
SHAPES3D_FACTORS = (
    *("floor_hue", "wall_hue", "object_hue"),
    *("scale", "shape", "orientation"),
)
DSPRITES_FACTORS = ("color", "shape", "scale", "orientation", "posX", "posY")
MOST_FACTORS = 64
# Whole numbers of more different values are numbers, unless their name says classes.
MOST_CLASSES = 100
CLASS_ARRAYS = re.compile(r"y|y_.*|.*labels?|.*targets?|.*class(es)?", re.I)


@dataclass(frozen=True)
class ArrayFacts:
    """The class labels and factors of chosen images; see `ImageSet`.

    `origin` says where the labels come from, for the report.
    """

    labels: tuple[str, ...] | None = None
    factors: Factors | None = None
    notes: tuple[Note, ...] = ()
    origin: str = "the file's labels"

    def reordered(self, order: np.ndarray) -> ArrayFacts:
        """The facts of images whose `order` these are: the first of these is image order[0]."""
        back = np.argsort(order).tolist()
        labels, factors = self.labels, self.factors
        return replace(
            self,
            labels=None if labels is None else tuple(labels[i] for i in back),
            factors=None if factors is None else {n: picked(c, back) for n, c in factors.items()},
        )


class NamedArrays(Protocol):
    """The arrays of a file, by name."""

    @property
    def names(self) -> Iterable[str]:
        """The names of all arrays."""
        ...

    def kind_of(self, name: str) -> tuple[tuple[int, ...], np.dtype] | None:
        """Shape and type; None where only unpickling would read it."""
        ...

    def rows_of(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Some rows of an array, by their numbers."""
        ...


def facts_of(
    arrays: NamedArrays, images: str, count: int, rows: np.ndarray, where: str
) -> ArrayFacts:
    """The labels and factors of the chosen rows of `count` images, by the arrays' usual names.

    Labels of shape (N, F) are classes where each row is one 1 among zeros, else F factors. What
    cannot be read is left out, with a note. Raises DataError for labels of another number than
    the images.
    """
    labels: tuple[str, ...] | None = None
    factors: Factors = {}
    notes: list[Note] = []
    name = find_labels(arrays.names, images)
    if name is not None:
        described = f"{where}, {shown(name)}"
        kind = arrays.kind_of(name)
        if kind is None:
            text = "holds Python objects, which are never unpickled, and was left out."
            notes.append(Note("labels", f"{described} {text}"))
        elif len(kind[0]) > 2 and kind[0][0] == count:
            text = f"has shape {kind[0]}, no label an image, and was left out."
            notes.append(Note("labels", f"{described} {text}"))
        else:
            found_facts = facts_of_array(arrays, name, count, rows, described)
            labels, factors = found_facts.labels, found_facts.factors or {}
            notes += found_facts.notes
    by_lower_name = {each.lower(): each for each in arrays.names}
    for usual in FACTOR_ARRAYS:
        found = by_lower_name.get(usual)
        kind = arrays.kind_of(found) if found not in (None, images, name) else None
        if found is not None and kind is not None and _is_table(*kind, count):
            factors |= _columns(arrays, found, arrays.rows_of(found, rows))
            break
    if factors:
        text = f"{where} gives {', '.join(factors)} for each image."
        notes.append(Note("labels", text))
    return ArrayFacts(labels, factors or None, tuple(notes))


def facts_of_array(
    arrays: NamedArrays, name: str, count: int, rows: np.ndarray, where: str
) -> ArrayFacts:
    """The labels or factors that one array gives the chosen rows of `count` images.

    Raises DataError, beginning with `where`, where it has none for each image.
    """
    kind = arrays.kind_of(name)
    if kind is None:
        raise DataError(
            f"{where} holds Python objects, which are never unpickled; save numbers or words."
        )
    if _is_table(*kind, count):
        table = arrays.rows_of(name, rows)
        if not _is_one_hot(table):
            return ArrayFacts(factors=_columns(arrays, name, table))
        note = Note("labels", f"{where} is one-hot: a class is its place.")
        return ArrayFacts(label_words(table.argmax(axis=1)), notes=(note,))
    require_labels(*kind, count, where)
    values = arrays.rows_of(name, rows).ravel()
    if values.dtype.kind not in "f":
        numbers = values
    else:
        numbers = values.astype(np.float64)
        numbers[~np.isfinite(numbers)] = np.nan
    if values.dtype.kind in "SU" or are_classes(
        numbers.tolist(), always=CLASS_ARRAYS.fullmatch(name) is not None
    ):
        return ArrayFacts(label_words(_without_point(values)))
    return ArrayFacts(factors={shown(name): tuple(numbers.astype(np.float64).tolist())})


def _without_point(values: np.ndarray) -> np.ndarray:
    is_whole = values.dtype.kind == "f" and bool(np.isfinite(values).all())
    return values.astype(np.int64) if is_whole else values


def are_classes(values: Sequence[float] | Sequence[str], *, always: bool = False) -> bool:
    """Tell whether one column is classes: words, or whole numbers of few different values.

    With `always`, whole numbers of any number of values are, as their name says.
    """
    known = {value for value in values if value == value}
    if any(isinstance(value, str) for value in known):
        return True
    whole = all(float(value).is_integer() for value in known)
    return whole and (always or len(known) <= MOST_CLASSES)


def picked(
    column: tuple[float, ...] | tuple[str, ...], places: list[int]
) -> tuple[float, ...] | tuple[str, ...]:
    """Some entries of a column, in the order of their places."""
    return tuple(column[place] for place in places)  # type: ignore[return-value]


def _is_table(shape: tuple[int, ...], dtype: np.dtype, count: int) -> bool:
    """Tell whether an array holds a row of at least two numbers for each image."""
    return len(shape) == 2 and shape[0] == count and shape[1] > 1 and dtype.kind in "buif"


def _is_one_hot(table: np.ndarray) -> bool:
    return bool(np.isin(table, (0, 1)).all() and (table.sum(axis=1) == 1).all())


def _columns(arrays: NamedArrays, name: str, table: np.ndarray) -> Factors:
    """The columns of a table of numbers by their names; infinite numbers count as missing."""
    numbers = table[:, :MOST_FACTORS].astype(np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    named = _column_names(arrays, table) or tuple(
        f"{shown(name)} {place}" for place in range(1, table.shape[1] + 1)
    )
    return {each: tuple(column) for each, column in zip(named, numbers.T.tolist(), strict=False)}


def _is_shapes3d(table: np.ndarray) -> bool:
    """Tell whether rows are those of 3D Shapes: ten hues thrice, 8 scales, 4 shapes, 15 angles."""
    if table.dtype != np.float64 or table.shape[1] != len(SHAPES3D_FACTORS):
        return False
    tenths, scales, shapes, angles = table[:, :3] * 10, table[:, 3], table[:, 4], table[:, 5]
    return bool(
        np.allclose(tenths, np.rint(tenths))
        and ((tenths > -0.5) & (tenths < 9.5)).all()
        and ((scales >= 0.75) & (scales <= 1.25)).all()
        and np.isin(shapes, range(4)).all()
        and (np.abs(angles) <= 30).all()
    )


def _column_names(arrays: NamedArrays, table: np.ndarray) -> tuple[str, ...]:
    """As many different names as there are columns, from an array beside; () where none are."""
    count = table.shape[1]
    by_lower_name = {each.lower(): each for each in arrays.names}
    for usual in FACTOR_NAMES:
        found = by_lower_name.get(usual)
        kind = None if found is None else arrays.kind_of(found)
        if found is not None and kind is not None and kind[0] == (count,) and kind[1].kind in "SU":
            names = label_words(arrays.rows_of(found, np.arange(count)))
            if len(set(names)) == count:
                return names
    if set(arrays.names) == SHAPES3D and _is_shapes3d(table):
        return SHAPES3D_FACTORS
    is_dsprites = set(arrays.names) >= DSPRITES and count == len(DSPRITES_FACTORS)
    return DSPRITES_FACTORS if is_dsprites else ()
