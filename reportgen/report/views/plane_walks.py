"""Two units at once: one strip for each value of the first unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reportgen.analyses.plane_walks import Plane, PlaneWalks
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.question import MovedCodes
from reportgen.report.results import Results
from reportgen.report.views.reconstruction import LabelledStrip

# Images behind each plane where the live walk moves both units from any image.
ROWS_BESIDE_LIVE = 1


@dataclass(frozen=True)
class Grid:
    """One image's plane: a strip for each value of the first unit, lowest first, with that value;
    the last strip has the second unit's values as captions.
    """

    label: str
    strips: tuple[LabelledStrip, ...]


@dataclass(frozen=True)
class PlaneView:
    """One pair of units, from every row."""

    plane: Plane
    grids: tuple[Grid, ...]


@dataclass(frozen=True)
class View:
    """All planes; `rows_left_out` images whose planes the live walk shows instead."""

    planes: tuple[PlaneView, ...]
    rows_left_out: int


def view(result: PlaneWalks, results: Results, drawing: Drawing) -> View:
    """Frames at the data's pixel range, flagged ones marked."""
    most = len(result.rows) if results.live is None else ROWS_BESIDE_LIVE
    rows = result.rows[: min(most, drawing.thinning.plane_rows)]
    return View(
        rows_left_out=max(0, len(result.rows) - most),
        planes=tuple(
            PlaneView(
                plane,
                tuple(
                    Grid(name, tuple(_strip(plane, row, step, drawing) for step in _steps(plane)))
                    for row, name in enumerate(rows)
                ),
            )
            for plane in result.planes
        ),
    )


def _steps(plane: Plane) -> range:
    return range(len(plane.first_values))


def _strip(plane: Plane, row: int, step: int, drawing: Drawing) -> LabelledStrip:
    first, second = plane.names
    across = tuple(numbers.number(float(value)) for value in plane.second_values)
    value = numbers.number(float(plane.first_values[step]))
    strip = Strip(
        drawing.strip(drawing.images(plane.frames[row, step])),
        f"Unit {first} at {value}, unit {second} from {across[0]} to {across[-1]}.",
        across if step == len(plane.first_values) - 1 else (),
        flagged=tuple(bool(flag) for flag in plane.flagged[row, step]),
    )
    return LabelledStrip(value, strip)


def moved(result: PlaneWalks, results: Results) -> Iterator[MovedCodes]:
    """The frames of each plane."""
    for plane in result.planes:
        yield MovedCodes(f"codes of units {' and '.join(plane.names)}", plane.flagged_share)
