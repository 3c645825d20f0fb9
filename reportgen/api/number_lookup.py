"""A number of the results by its name, as "reconstruction.r2.low" or "units[3].damage"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from reportgen.errors import NumberNameError, nearest
from reportgen.report.results import Results
from reportgen.shown import quoted
from reportgen.statistics.bootstrap import Estimate

_PART = re.compile(r"(?:^|\.)([A-Za-z_][\w-]*)|\[(\d{1,9})\]")


def number_of(results: Results, name: str) -> Estimate | float | int | bool | None:
    """The number of this name; None where it was not measured.

    Raises NumberNameError for a name that there is not, with the nearest, and for one of no number.
    """
    parts = [found[1] or int(found[2]) for found in _PART.finditer(name)]
    found: Any = results
    for part in parts:
        found = _step(results, found, part, name)
        if found is None:
            return None
    if isinstance(found, Estimate | bool | int | float):
        return found
    if isinstance(found, np.generic):
        number: float | int | bool = found.item()
        return number
    raise NumberNameError(f"{quoted(name)} is no number of the report.")


def _step(results: Results, found: Any, part: str | int, name: str) -> Any:
    if isinstance(part, int):
        is_list = isinstance(found, tuple | list | np.ndarray) and np.ndim(found) != 0
        if is_list and part < len(found):
            return found[part]
    elif found is results and part in results.answers:
        return results.answers.get(part)
    elif isinstance(found, Mapping):
        if part in found:
            return found[part]
    elif is_dataclass(found) and part in _names(found):
        return getattr(found, part)
    known = [*results.answers, *_names(results)] if found is results else _names(found)
    meant = nearest(str(part), known)
    raise NumberNameError(f"{quoted(name)} is no number of the report: {quoted(part)}{meant}.")


def _names(value: Any) -> list[str]:
    if is_dataclass(value):
        return [each.name for each in fields(value)]
    return [str(key) for key in value] if isinstance(value, Mapping) else []
