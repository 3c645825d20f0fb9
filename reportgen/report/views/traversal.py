"""Traversal: strips of every row and unit over the data-supported range."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.health import Health
from reportgen.analyses.traversal import Traversal, Walks
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.question import MovedCodes
from reportgen.report.results import Results
from reportgen.report.views.live import LiveView, live_view

BOUND_UNIT = 0.2
# Images with strips where the live walk starts from any of them.
STRIPS_BESIDE_LIVE = 2


@dataclass(frozen=True)
class UnitWalk:
    """One unit walked from one row."""

    unit: int
    name: str
    strip: Strip


@dataclass(frozen=True)
class RowWalk:
    """All walks from one row: its original and reconstruction, then a strip for each unit."""

    name: str
    role: str
    pair: Strip
    walks: tuple[UnitWalk, ...]


@dataclass(frozen=True)
class View:
    """Rows of strips and how many more there are; `units_left_out` live units that are not walked;
    the live walk, if there is one.
    """

    rows: tuple[RowWalk, ...]
    rows_left_out: int
    units_left_out: int
    live: LiveView | None


def view(result: Traversal, results: Results, drawing: Drawing) -> View:
    """Strips over the data-supported range; the full range stands in the units' cards."""
    health = results.answers.of(Health)
    live = live_view(result, results, drawing)
    most = drawing.thinning.walk_rows if live is None else STRIPS_BESIDE_LIVE
    shown = min(len(result.rows), drawing.thinning.walk_rows, most)
    return View(
        rows=tuple(_row(result, drawing, row) for row in range(shown)),
        rows_left_out=len(result.rows) - shown,
        units_left_out=0 if health is None else max(0, health.live - len(result.units)),
        live=live,
    )


def walk_strip(
    result: Traversal, walks: Walks, drawing: Drawing, row: int, place: int, *, kind: str
) -> Strip:
    """x̂, then the frames of one unit from one row, with values, flags and the on-data range."""
    values, flagged = walks.values[row, place], walks.flagged[row, place]
    low, high = result.supported.values[row, place][[0, -1]]
    tolerance = 1e-6 * max(float(np.ptp(values)), 1e-12)
    on_data = (values >= low - tolerance) & (values <= high + tolerance)
    sprite = drawing.strip(
        drawing.images(result.reconstructions[row]), drawing.images(walks.frames[row, place])
    )
    marked = ", ".join(str(n + 1) for n in np.flatnonzero(flagged))
    alt = (
        f"Unit {result.names[place]} traversed from {result.rows[row]} over the {kind} range: "
        f"the reconstruction at its own value {numbers.number(result.own_values[row, place])}, "
        f"then {len(values)} frames from {numbers.number(values[0])} to "
        f"{numbers.number(values[-1])}; "
        + (f"off data: frames {marked}." if marked else "no frame is off data.")
    )
    return Strip(
        sprite=sprite,
        alt=alt,
        captions=(
            f"x̂ {numbers.number(float(result.own_values[row, place]))}",
            *(numbers.number(float(value)) for value in values),
        ),
        flagged=(False, *(bool(f) for f in flagged)),
        on_data=(False, *(bool(o) for o in on_data)),
    )


ROLES = (
    "the most central code (medoid)",
    "reconstruction error at the 10 % quantile",
    "reconstruction error at the median",
    "reconstruction error at the 90 % quantile",
)


def row_role(place: int, count: int) -> str:
    """Say why a walk row was chosen."""
    if count == len(ROLES) or place == 0:
        return ROLES[place]
    return "chosen by reconstruction error"


def _row(result: Traversal, drawing: Drawing, row: int) -> RowWalk:
    sprite = drawing.strip(
        drawing.images(result.originals[row]), drawing.images(result.reconstructions[row])
    )
    name = result.rows[row]
    return RowWalk(
        name=name,
        role=row_role(row, len(result.rows)),
        pair=Strip(sprite, f"{name}: the original and its reconstruction.", ("x", "x̂")),
        walks=tuple(
            UnitWalk(
                unit=unit,
                name=result.names[place],
                strip=walk_strip(
                    result, result.supported, drawing, row, place, kind="data-supported"
                ),
            )
            for place, unit in enumerate(result.units)
        ),
    )


def limits(result: Traversal, results: Results) -> Iterator[str]:
    """Units that are all but bound by the others."""
    bound = [
        name
        for name, ratio in zip(result.names, result.deviation_ratios, strict=True)
        if ratio < BOUND_UNIT
    ]
    if bound:
        yield (
            f"Given the others, what {numbers.units(bound)} may do is less than "
            f"{numbers.percent(BOUND_UNIT)} of an sd: such traversals are short because the data "
            "are, and say little of what the units would do further out."
        )


def moved(result: Traversal, results: Results) -> Iterator[MovedCodes]:
    """Frames of both ranges."""
    yield MovedCodes("frames of the data-supported traversals", result.supported.flagged_share)
    yield MovedCodes("frames of the full traversals", result.full.flagged_share)
