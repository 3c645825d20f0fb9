"""Separate or combined: sum | combined | difference pictures, the gap by step and by row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses.additivity import Additivity, SetPictures
from reportgen.figures.charts import Chart, Curve, line_chart, scatter_chart
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.results import Results
from reportgen.report.views.reconstruction import LabelledStrip

MOST_NAMES = 6


@dataclass(frozen=True)
class SetView:
    """One set of units: its title, numbers and pictures on one signed scale."""

    title: str
    pictures: SetPictures
    strips: tuple[LabelledStrip, ...]
    limit: float


@dataclass(frozen=True)
class View:
    """Sets of units, the sweep over scales, and the gap of each row."""

    sets: tuple[SetView, ...]
    sweep: Chart
    by_row: Chart


def view(results: Results, drawing: Drawing) -> View:
    """One scale for a set's pictures, so that rows compare."""
    result = results.additivity
    assert result is not None
    return View(
        sets=tuple(_set(result, drawing, pictures, results) for pictures in result.sets),
        sweep=_sweep(result),
        by_row=scatter_chart(
            result.row_sizes, 100 * result.row_gaps, "size of the combined change", "gap, %"
        ),
    )


def _set(result: Additivity, drawing: Drawing, pictures: SetPictures, results: Results) -> SetView:
    missed = pictures.combined - pictures.summed
    limit = drawing.limit(pictures.summed, pictures.combined, missed)
    strips = []
    for row, name in enumerate(result.picture_names):
        gap = numbers.percent(float(pictures.row_gaps[row]))
        tiles = [
            drawing.differences(part[row], limit)
            for part in (pictures.summed, pictures.combined, missed)
        ]
        alt = (
            f"{name}: sum of the separate changes, combined change, and the difference between "
            f"them, on ±{numbers.number(limit)}; the sum misses {gap}."
        )
        captions = ("sum", "combined", "difference")
        strips.append(
            LabelledStrip(
                f"{name}: misses {gap}",
                Strip(drawing.strip(*tiles), alt, captions, limit=limit),
            )
        )
    return SetView(_title(pictures, results), pictures, tuple(strips), limit)


def _title(pictures: SetPictures, results: Results) -> str:
    if results.additivity is not None and pictures is results.additivity.sets[0]:
        return f"All {len(pictures.units)} units"
    names = ", ".join(pictures.names[:MOST_NAMES])
    return f"The strongest {'pair' if len(pictures.units) == 2 else 'triple'}: units {names}"


def _sweep(result: Additivity) -> Chart:
    value, low, high = (
        100 * np.array([getattr(gap, end) for gap in result.sweep_gaps])
        for end in ("value", "low", "high")
    )
    return line_chart(
        [Curve("model", np.array(result.sweep_factors), value, low, high, marked=True)],
        "part of the way from the mean code",
        "gap, %",
        top=10.0,
    )
