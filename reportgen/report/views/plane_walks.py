"""Two units at once: one strip for each value of the first unit."""

from __future__ import annotations

from dataclasses import dataclass

from reportgen.analyses.plane_walks import Plane
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.results import Results


@dataclass(frozen=True)
class Grid:
    """One image's plane, as strips from the first unit's lowest value to its highest."""

    label: str
    strips: tuple[Strip, ...]


@dataclass(frozen=True)
class PlaneView:
    """One pair of units, from every row."""

    plane: Plane
    grids: tuple[Grid, ...]


@dataclass(frozen=True)
class View:
    """All planes."""

    planes: tuple[PlaneView, ...]


def view(results: Results, drawing: Drawing) -> View:
    """Frames at the data's pixel range, flagged ones marked."""
    result = results.plane_walks
    assert result is not None
    return View(
        tuple(
            PlaneView(
                plane,
                tuple(
                    Grid(name, tuple(_strip(plane, row, step, drawing) for step in _steps(plane)))
                    for row, name in enumerate(result.rows[: drawing.thinning.plane_rows])
                ),
            )
            for plane in result.planes
        )
    )


def _steps(plane: Plane) -> range:
    return range(len(plane.first_values))


def _strip(plane: Plane, row: int, step: int, drawing: Drawing) -> Strip:
    first, second = plane.names
    low, high = (numbers.number(float(plane.second_values[end])) for end in (0, -1))
    value = numbers.number(float(plane.first_values[step]))
    return Strip(
        drawing.strip(drawing.images(plane.frames[row, step])),
        f"Unit {first} at {value}, unit {second} from {low} to {high}.",
        flagged=tuple(bool(flag) for flag in plane.flagged[row, step]),
    )
