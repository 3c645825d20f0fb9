"""Latent responses: a heat map of which units answer which, strongest units first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.latent_responses import LatentResponses
from reportgen.report import numbers
from reportgen.report.drawing import Drawing
from reportgen.report.results import Results, Unit
from reportgen.report.views.heat import Cell, heat_cells

MOST_SHOWN = 12
HALF_RECOGNISED = 0.5


@dataclass(frozen=True)
class View:
    """The heat map of at most 12 units, by share; `names` theirs, `left_out` how many more."""

    names: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    left_out: int


def view(result: LatentResponses, results: Results, drawing: Drawing) -> View:
    """Rows are moved, columns answer."""
    place = {unit.index: k for k, unit in enumerate(results.units)}
    order = sorted(range(len(result.units)), key=lambda k: place.get(result.units[k], len(place)))
    shown = order[:MOST_SHOWN]
    return View(
        names=tuple(_name(results, result.units[k]) for k in shown),
        cells=heat_cells(result.responses[np.ix_(shown, shown)]),
        left_out=len(order) - len(shown),
    )


def _name(results: Results, index: int) -> str:
    return next((unit.name for unit in results.units if unit.index == index), str(index))


def recognised(results: Results, unit: Unit) -> float | None:
    """A unit's answer to its own moves; None where that was not measured."""
    responses = results.answers.of(LatentResponses)
    if responses is None or unit.index not in responses.units:
        return None
    return float(responses.recognised[responses.units.index(unit.index)])


def limits(result: LatentResponses, results: Results) -> Iterator[str]:
    """Units that the encoder does not see in their own pictures."""
    lost = [
        _name(results, unit)
        for unit, own in zip(result.units, result.recognised, strict=True)
        if own < HALF_RECOGNISED
    ]
    if lost:
        yield (
            f"Moved alone, {numbers.units(lost)} {'comes' if len(lost) == 1 else 'each come'} back "
            "from the encoder by less than half."
        )
