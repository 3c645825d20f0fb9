"""Moves along directions: walks from one image, and R² as directions join, beside PCA's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.contributions import Contributions
from reportgen.analyses.direction_contributions import DirectionContributions
from reportgen.analyses.direction_moves import DirectionMoves
from reportgen.figures.charts import Chart, Curve, CurveKind, line_chart
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.question import MovedCodes
from reportgen.report.results import Results
from reportgen.report.views.partial_reconstruction import PartialRow
from reportgen.report.views.reconstruction import LabelledStrip
from reportgen.statistics.bootstrap import Estimate

MOST_WALKED, MOST_ROWS = 6, 4


@dataclass(frozen=True)
class MovesView:
    """The curve, images as directions join, and a walk along each of the first six directions."""

    curve: Chart
    rows: tuple[PartialRow, ...]
    walks: tuple[LabelledStrip, ...]


def moves_view(results: Results, drawing: Drawing) -> MovesView | None:
    """None where directions were not moved."""
    result = results.answers.of(DirectionMoves)
    if result is None:
        return None
    rows = tuple(_growing(result, results.answers.of(Contributions), drawing))
    shares = results.answers.of(DirectionContributions)
    are_walked = drawing.thinning.full_walks or (shares is not None and shares.leads)
    walks = tuple(_walks(result, drawing)) if are_walked else ()
    return MovesView(_curve(result), rows, walks)


def _growing(
    result: DirectionMoves, shown: Contributions | None, drawing: Drawing
) -> Iterator[PartialRow]:
    """The first images, whose pictures are those of `contributions`, beside PCA's sums."""
    count = min(MOST_ROWS, drawing.thinning.picture_rows, len(result.growing))
    for row in range(0 if shown is None else count):
        assert shown is not None
        name, steps = shown.picture_names[row], len(result.growing[row]) - 1
        sums = shown.pca_mean + np.cumsum(shown.pca_pictures[row], axis=0)
        # Above 33 components the last of these is a sum of many.
        pca = np.concatenate([shown.pca_mean[None], sums])[:steps]
        captions = tuple(f"k = {k}" for k in range(steps))
        yield PartialRow(
            name,
            Strip(drawing.strip(drawing.images(shown.originals[row])), f"{name}: the original."),
            Strip(
                drawing.strip(drawing.images(result.growing[row])),
                f"{name}: the model with the first 0 to {steps - 1} directions, then with all of "
                "its code.",
                (*captions, "all"),
            ),
            Strip(
                drawing.strip(drawing.images(pca)),
                f"{name}: PCA with the first 0 to {len(pca) - 1} components.",
                captions[: len(pca)],
            ),
        )


def _curve(result: DirectionMoves) -> Chart:
    curves = [_with_intervals("pca", result.pca_r2), _with_intervals("model", result.model_r2[:-1])]
    return line_chart(curves, "directions, or components, k", "R² on test images", top=1.0)


def _with_intervals(kind: CurveKind, r2: tuple[Estimate, ...]) -> Curve:
    value, low, high = (
        np.array([getattr(entry, end) for entry in r2]) for end in ("value", "low", "high")
    )
    return Curve(kind, np.arange(len(r2)), value, low, high, marked=True)


def _walks(result: DirectionMoves, drawing: Drawing) -> Iterator[LabelledStrip]:
    for place in range(min(MOST_WALKED, len(result.frames))):
        lengths = [numbers.signed(float(length)) for length in result.lengths[place]]
        marked = ", ".join(str(n + 1) for n in np.flatnonzero(result.flagged[place]))
        yield LabelledStrip(
            f"direction {place + 1}",
            Strip(
                drawing.strip(drawing.images(result.frames[place])),
                f"{result.walked} traversed along direction {place + 1}, whose length goes from "
                f"{lengths[0]} to {lengths[-1]} sd of it; "
                + (f"off data: frames {marked}." if marked else "no frame is off data."),
                tuple(lengths),
                flagged=tuple(bool(flag) for flag in result.flagged[place]),
            ),
        )


def moved(result: DirectionMoves, results: Results) -> Iterator[MovedCodes]:
    """One direction alone, the first ones together, all but one, and walks."""
    yield MovedCodes("codes of directions, alone, together or taken out", result.off_data_share)
    yield MovedCodes("codes on the traversals along directions", result.flagged_share)
