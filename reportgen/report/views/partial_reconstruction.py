"""Partial reconstruction: R²(k) of both, and the images from the first k units beside PCA's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.partial_reconstruction import PartialReconstruction
from reportgen.figures.charts import Chart, Curve, CurveKind, line_chart
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.question import MovedCodes
from reportgen.report.results import Results
from reportgen.report.views.thinning import MOST_STEPS, steps_shown
from reportgen.statistics.bootstrap import Estimate


@dataclass(frozen=True)
class PartialRow:
    """One image: the original and the sums of the model, and PCA's under them."""

    name: str
    original: Strip
    model: Strip
    pca: Strip


@dataclass(frozen=True)
class Step:
    """R² with the first k players, the player that joined, and PCA's components beside them."""

    k: int
    joined: str
    model: Estimate
    components: int | None
    pca: Estimate | None


@dataclass(frozen=True)
class View:
    """The curve, its numbers, and rows of pictures; `thinned` whether some k are left out, and
    `unit_by_unit` whether PCA's components stand beside as many units. At the last step
    `joined_at_last` units join at once; 0 where all join one by one.
    """

    curve: Chart
    steps: tuple[Step, ...]
    rows: tuple[PartialRow, ...]
    unit_by_unit: bool
    thinned: bool
    shown: tuple[int, ...]
    joined_at_last: int


def view(result: PartialReconstruction, results: Results, drawing: Drawing) -> View:
    """All k up to 12; of more, those of `steps_shown`."""
    shown = steps_shown(len(result.names))
    rows = []
    for row, name in enumerate(result.picture_names[: drawing.thinning.picture_rows]):
        pca = [k for k in shown if k < result.pca_pictures.shape[1]]
        rows.append(
            PartialRow(
                name=name,
                original=Strip(
                    drawing.strip(drawing.images(result.originals[row])), f"{name}: the original."
                ),
                model=_sums(drawing, result.model_pictures[row], shown, f"{name}: the model"),
                pca=_sums(drawing, result.pca_pictures[row], tuple(pca), f"{name}: PCA", result),
            )
        )
    steps = tuple(
        Step(
            k=k,
            joined="" if k == 0 else result.names[k - 1],
            model=result.model_r2[k],
            components=result.pca_components[k] if k < len(result.pca_r2) else None,
            pca=result.pca_r2[k] if k < len(result.pca_r2) else None,
        )
        for k in range(len(result.model_r2))
    )
    return View(
        curve=line_chart(
            [_curve("pca", result.pca_r2), _curve("model", result.model_r2)],
            "units or components used, k",
            "R² on test images",
            top=1.0,
        ),
        steps=steps,
        rows=tuple(rows),
        unit_by_unit=_unit_by_unit(result),
        thinned=len(result.names) >= MOST_STEPS,
        shown=shown,
        joined_at_last=_joined_at_last(result, results),
    )


def _joined_at_last(result: PartialReconstruction, results: Results) -> int:
    one_by_one = len(result.names) - 1
    return len(results.units) - one_by_one if result.names[-1:] == ("rest",) else 0


def _curve(kind: CurveKind, estimates: tuple[Estimate, ...]) -> Curve:
    value, low, high = (
        np.array([getattr(e, end) for e in estimates]) for end in ("value", "low", "high")
    )
    return Curve(kind, np.arange(len(estimates)), value, low, high, marked=len(estimates) <= 40)


def _unit_by_unit(result: PartialReconstruction) -> bool:
    return result.pca_components == tuple(range(len(result.pca_components)))


def _sums(
    drawing: Drawing,
    pictures: np.ndarray,
    shown: tuple[int, ...],
    what: str,
    pca: PartialReconstruction | None = None,
) -> Strip:
    counts, captions = shown, tuple(f"k = {k}" for k in shown)
    if pca is not None and not _unit_by_unit(pca):
        counts = tuple(pca.pca_components[k] for k in shown)
        captions = tuple(f"{count} PC{'' if count == 1 else 's'}" for count in counts)
    return Strip(
        sprite=drawing.strip(drawing.images(pictures[list(shown)])),
        alt=f"{what} with the first {', '.join(map(str, counts))} parts.",
        captions=captions,
    )


def moved(result: PartialReconstruction, results: Results) -> Iterator[MovedCodes]:
    """Codes of the first units."""
    yield MovedCodes("codes with the first units only", result.off_data_share)
