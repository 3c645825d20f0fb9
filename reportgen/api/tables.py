"""Lists in the results as tables of pandas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from reportgen.errors import NumberNameError, nearest
from reportgen.report.results import Results
from reportgen.statistics.bootstrap import Estimate

if TYPE_CHECKING:
    import pandas


def table_of(results: Results, name: str) -> pandas.DataFrame:
    """The list of this name, a row for each entry; see `Report.frame`."""
    entries = _list_at(results, name)
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "report.frame gives a table of pandas, which is not installed here; install it with "
            "pip install pandas."
        ) from error
    return pandas.DataFrame([dict(_cells(entry)) for entry in entries])


def _list_at(results: Results, name: str) -> tuple[Any, ...]:
    found: Any = results
    for part in name.split("."):
        if found is results and results.answer(part) is not None:
            found = results.answer(part)
            continue
        if not is_dataclass(found) or part not in {each.name for each in fields(found)}:
            raise NumberNameError(_unknown(results, name))
        found = getattr(found, part)
    if not isinstance(found, tuple) or not all(is_dataclass(entry) for entry in found):
        raise NumberNameError(_unknown(results, name))
    return found


def _unknown(results: Results, name: str) -> str:
    lists = [name for name, value in _tops(results).items() if _is_list(value)]
    for top, answer in results.answers.items():
        if is_dataclass(answer):
            parts = ((each.name, getattr(answer, each.name)) for each in fields(answer))
            lists += [f"{top}.{part}" for part, value in parts if _is_list(value)]
    return f"{name!r} is no list of the report{nearest(name, lists)}; those are {', '.join(lists)}."


def _tops(results: Results) -> dict[str, Any]:
    return {each.name: getattr(results, each.name) for each in fields(results)}


def _is_list(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(is_dataclass(e) for e in value)


def _cells(entry: Any) -> list[tuple[str, Any]]:
    cells: list[tuple[str, Any]] = []
    for each in fields(entry):
        value = getattr(entry, each.name)
        if isinstance(value, Estimate) or (value is None and "Estimate" in str(each.type)):
            ends = (value.value, value.low, value.high) if value else (np.nan, np.nan, np.nan)
            names = (each.name, f"{each.name}_low", f"{each.name}_high")
            cells += zip(names, ends, strict=True)
        elif isinstance(value, tuple):
            cells.append((each.name, ", ".join(_words(part) for part in value)))
        elif not isinstance(value, Mapping | np.ndarray):
            cells.append((each.name, value))
    return cells


def _words(value: Any) -> str:
    """An entry of a list in a cell: its name where it has one."""
    return str(value.value if isinstance(value, Enum) else getattr(value, "name", value))
