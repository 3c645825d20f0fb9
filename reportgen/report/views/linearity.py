"""Linearity on the data: one stacked bar, the model's and the control's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reportgen.analyses.linearity import Linearity
from reportgen.analyses.permuted_codes import PermutedCodes
from reportgen.analyses.pre_activation import PreActivation
from reportgen.figures.charts import IntervalBar, stacked_bar
from reportgen.report import numbers
from reportgen.report.drawing import Drawing
from reportgen.report.headline import WORRYING_OFF_DATA
from reportgen.report.results import Results
from reportgen.statistics.bootstrap import Estimate
from reportgen.suite.control import Control

IMAGES_FOR_A_REGRESSOR = 10
SATURATED_PIXELS = 0.2


@dataclass(frozen=True)
class View:
    """Linear, curved and not additive laid end to end; one part less where curves are unknown."""

    model: tuple[IntervalBar, ...]
    control: tuple[IntervalBar, ...]


def view(result: Linearity, results: Results, drawing: Drawing) -> View:
    """Bars for the model and, where it was measured, for PCA in its place."""
    control = results.answers.of(Control)
    return View(
        model=_bar(result.linear, result.curved, result.not_additive),
        control=(
            _bar(control.linear, control.curved, control.not_additive)
            if control is not None and control.linear is not None
            else ()
        ),
    )


def _bar(
    linear: Estimate, curved: Estimate | None, not_additive: Estimate | None
) -> tuple[IntervalBar, ...]:
    if curved is None or not_additive is None:
        return stacked_bar([linear.value, 1 - linear.value])
    return stacked_bar([linear.value, curved.value, not_additive.value])


def limits(result: Linearity, results: Results) -> Iterator[str]:
    """Few images for so many regressors, no curves, codes off data, saturated pixels."""
    if result.fit_rows < IMAGES_FOR_A_REGRESSOR * result.regressors:
        yield (
            f"{result.fit_rows} images for {result.regressors} regressors are few: the map "
            "may fit their noise, and the linear share on other images come out too low."
        )
    if result.curved is not None and result.ridge is None:
        yield (
            "No curve on the fit images predicts others clearly better than none does: what is "
            "curved, if anything is, counts as not additive."
        )
    permuted = results.answers.of(PermutedCodes)
    if permuted is not None and permuted.far_share > WORRYING_OFF_DATA:
        yield (
            f"{numbers.percent(permuted.far_share)} of the codes of independent units are outside "
            "the ellipse of real codes, against 1 % of real ones: that line is about codes that "
            "images hardly have."
        )
    before = results.answers.of(PreActivation)
    if before is not None and before.saturated_share > SATURATED_PIXELS:
        yield (
            f"{numbers.percent(before.saturated_share)} of the reconstructions' pixels are at an "
            f"end of the range, where what goes into the {before.squash} can change without a "
            "trace in the image, and weighs as much as anywhere else."
        )
