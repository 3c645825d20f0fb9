"""Class labels, factors and names of images, as a caller gives them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from reportgen.errors import DataError
from reportgen.images.array_names import label_words
from reportgen.images.image_set import Factors
from reportgen.images.in_memory.sliced_rows import as_array
from reportgen.shown import shown


def label_tuple(
    labels: Any, rows: np.ndarray, count: int, class_names: Sequence[str] = ()
) -> tuple[str, ...]:
    """The class of each chosen row, as printed; whole numbers by their names, where there are any.

    Parameters
    ----------
    labels : (count,) whole numbers or words; (count, K) where each row is one 1 among zeros.
    rows : (n,) the rows that were chosen.
    class_names : names of the classes 0, 1, …

    Raises DataError for another number of labels than images, or for what is no label.
    """
    found = _column(labels, "labels")
    _require_one_each(found, count, "labels")
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim == 2 and np.isin(found, (0, 1)).all() and (found.sum(axis=1) == 1).all():
        found = found.argmax(axis=1)
    if found.ndim != 1:
        raise DataError(
            f"labels has shape {found.shape}: an image has one class; give several numbers an "
            "image as factors."
        )
    chosen = found[rows]
    if chosen.dtype.kind in "iu" and class_names and 0 <= chosen.min() <= chosen.max():
        names = [shown(name) for name in class_names]
        if chosen.max() < len(names):
            return tuple(names[label] for label in chosen.tolist())
    return label_words(chosen)


def factor_table(
    factors: Any, names: Sequence[str] | None, rows: np.ndarray, count: int
) -> Factors | None:
    """The factors of the chosen rows by name: numbers, or words where one is no number.

    Parameters
    ----------
    factors : {name: (count,)}, a table with named columns, or (count, F) numbers.
    names : of the F columns.

    Raises DataError for another number of rows than images.
    """
    columns = dict(_named_columns(factors, names))
    if not columns:
        return None
    table: Factors = {}
    for name, values in columns.items():
        where = f"the factor {shown(name)}"
        column = _column(values, where)
        _require_one_each(column, count, where)
        table[shown(name)] = _cells(column.reshape(count, -1)[:, 0][rows])
    return table


def name_tuple(names: Iterable[Any], rows: np.ndarray, count: int) -> tuple[str, ...]:
    """The names of the chosen rows. Raises DataError for another number of names than images."""
    found = [shown(name) for name in names]
    if len(found) != count:
        raise DataError(f"names holds {len(found)} for {count} images; give one for each.")
    return tuple(found[row] for row in rows.tolist())


def _named_columns(factors: Any, names: Sequence[str] | None) -> Iterable[tuple[str, Any]]:
    if isinstance(factors, Mapping):
        return [(str(name), column) for name, column in factors.items()]
    if hasattr(factors, "columns") and hasattr(factors, "to_numpy"):
        return [(str(name), factors[name]) for name in factors.columns]
    table = _column(factors, "factors")
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2:
        raise DataError(f"factors has shape {table.shape}; give a row of numbers for each image.")
    named = [f"factor {place}" for place in range(1, table.shape[1] + 1)]
    if names is not None:
        named = [str(name) for name in names]
        if len(named) != table.shape[1]:
            raise DataError(
                f"factor_names holds {len(named)} for {table.shape[1]} columns of factors; give "
                "one for each."
            )
    return list(zip(named, table.T, strict=True))


def _column(values: Any, where: str) -> np.ndarray:
    try:
        if isinstance(values, list | tuple | Iterator):
            values = [value.item() if hasattr(value, "item") else value for value in values]
        return as_array(values)
    except (ValueError, TypeError, RuntimeError) as error:
        reason = shown(str(error).partition("\n")[0])
        raise DataError(f"{where} cannot be read as an array: {reason}.") from error


def _require_one_each(found: np.ndarray, count: int, where: str) -> None:
    if found.ndim == 0 or len(found) != count:
        given = 1 if found.ndim == 0 else len(found)
        raise DataError(f"{where} holds {given} for {count} images; give one for each.")


def _cells(column: np.ndarray) -> tuple[float, ...] | tuple[str, ...]:
    """Numbers, infinite ones as missing; words where a cell is no number."""
    try:
        numbers = column.astype(np.float64)
    except (ValueError, TypeError):
        return tuple("" if cell is None else shown(cell) for cell in column.tolist())
    if column.dtype.kind in "US":
        return label_words(column)
    numbers[~np.isfinite(numbers)] = np.nan
    return tuple(numbers.tolist())
