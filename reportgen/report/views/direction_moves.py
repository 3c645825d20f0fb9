"""Moves along directions: walks from one image, and R² as directions join, beside PCA's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.direction_moves import DirectionMoves
from reportgen.figures.charts import Chart, Curve, CurveKind, line_chart
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.question import MovedCodes
from reportgen.report.results import Results
from reportgen.report.views.reconstruction import LabelledStrip
from reportgen.statistics.bootstrap import Estimate

MOST_WALKED = 6


@dataclass(frozen=True)
class MovesView:
    """The curve, and a walk along each of the first six directions."""

    curve: Chart
    walks: tuple[LabelledStrip, ...]


def moves_view(results: Results, drawing: Drawing) -> MovesView | None:
    """None where directions were not moved."""
    result = results.answers.of(DirectionMoves)
    if result is None:
        return None
    return MovesView(_curve(result), tuple(_walks(result, drawing)))


def _curve(result: DirectionMoves) -> Chart:
    curves = [_with_intervals("pca", result.pca_r2), _with_intervals("model", result.model_r2[:-1])]
    return line_chart(curves, "directions, or components, k", "R² on test images", top=1.0)


def _with_intervals(kind: CurveKind, r2: tuple[Estimate, ...]) -> Curve:
    value, low, high = (
        np.array([getattr(entry, end) for entry in r2]) for end in ("value", "low", "high")
    )
    return Curve(kind, np.arange(len(r2)), value, low, high, marked=True)


def _walks(result: DirectionMoves, drawing: Drawing) -> Iterator[LabelledStrip]:
    shown = min(MOST_WALKED, len(result.frames)) if drawing.thinning.full_walks else 0
    for place in range(shown):
        lengths = [numbers.signed(float(length)) for length in result.lengths[place]]
        marked = ", ".join(str(n + 1) for n in np.flatnonzero(result.flagged[place]))
        yield LabelledStrip(
            f"direction {place + 1}",
            Strip(
                drawing.strip(drawing.images(result.frames[place])),
                f"{result.walked} walked along direction {place + 1}, whose length goes from "
                f"{lengths[0]} to {lengths[-1]} sd of it; "
                + (f"off data: frames {marked}." if marked else "no frame is off data."),
                tuple(lengths),
                flagged=tuple(bool(flag) for flag in result.flagged[place]),
            ),
        )


def moved(result: DirectionMoves, results: Results) -> Iterator[MovedCodes]:
    """One direction alone, the first ones together, and walks."""
    yield MovedCodes("codes of directions, alone or the first together", result.off_data_share)
    yield MovedCodes("codes on the walks along directions", result.flagged_share)
