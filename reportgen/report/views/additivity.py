"""Separate or combined: sum | combined | difference pictures, the gap by step and by row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.additivity import Additivity, BaselineGap, SetPictures
from reportgen.figures.charts import Chart, Curve, line_chart, scatter_chart
from reportgen.report import numbers, phrases
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.question import ONE_AT_MEAN, ONE_AWAY, MovedCodes
from reportgen.report.results import Results
from reportgen.report.views.reconstruction import LabelledStrip

MOST_NAMES = 6
# Gaps that are nearer are called the same, however narrow their intervals.
LEAST_APART = 0.01


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


def view(result: Additivity, results: Results, drawing: Drawing) -> View:
    """One scale for a set's pictures, so that rows compare."""
    return View(
        sets=tuple(_set(result, drawing, pictures) for pictures in result.sets),
        sweep=_sweep(result),
        by_row=scatter_chart(
            result.row_sizes, 100 * result.row_gaps, "size of the combined change", "gap, %"
        ),
    )


def _set(result: Additivity, drawing: Drawing, pictures: SetPictures) -> SetView:
    missed = pictures.combined - pictures.summed
    limit = drawing.limit(pictures.summed, pictures.combined, missed)
    strips = []
    for row, name in enumerate(result.picture_names):
        gap = float(pictures.row_gaps[row])
        missed_by = phrases.misses(gap, "what they change together")
        tiles = [
            drawing.differences(part[row], limit)
            for part in (pictures.summed, pictures.combined, missed)
        ]
        alt = (
            f"{name}: sum of the separate changes, combined change, and the difference between "
            f"them, on ±{numbers.number(limit)}; the sum {missed_by}."
        )
        captions = ("sum", "combined", "difference")
        strips.append(
            LabelledStrip(
                f"{name}: {_missed_in_short(gap)}",
                Strip(drawing.strip(*tiles), alt, captions, limit=limit),
            )
        )
    return SetView(_title(pictures, pictures is result.sets[0]), pictures, tuple(strips), limit)


def _missed_in_short(gap: float) -> str:
    return (
        f"off by {numbers.in_scale(gap, 'times')}" if gap > 1 else f"misses {numbers.percent(gap)}"
    )


def _title(pictures: SetPictures, all_units: bool) -> str:
    if all_units:
        count = len(pictures.units)
        return "Both units" if count == 2 else f"All {count} units"
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


def limits(result: Additivity, results: Results) -> Iterator[str]:
    """Another gap from other baselines; images too close to the mean code."""
    mean, *others = result.by_baseline
    apart = [
        row
        for row in others
        if row.gap.gap.low > mean.gap.gap.high + LEAST_APART
        or row.gap.gap.high < mean.gap.gap.low - LEAST_APART
    ]
    if apart:
        listed = "; ".join(f"the {row.baseline} {_gap(row)}" for row in apart)
        yield (
            f"Where one starts matters here: from the {mean.baseline} the gap of "
            f"{numbers.count(result.sweep_rows)} images is {_gap(mean)}, from {listed}."
        )
    if result.rows_left_out:
        yield (
            f"{numbers.count(result.rows_left_out)} of the images are too close to the mean code "
            "to have a gap of their own and are not among the dots."
        )


def moved(result: Additivity, results: Results) -> Iterator[MovedCodes]:
    """One unit alone away from the mean code, and one unit taken out."""
    yield MovedCodes(ONE_AWAY, result.off_data_up)
    yield MovedCodes(ONE_AT_MEAN, result.off_data_down)


def _gap(row: BaselineGap) -> str:
    return numbers.plain(row.gap.gap, "percent")
