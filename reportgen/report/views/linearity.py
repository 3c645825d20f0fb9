"""How linear on the data: one stacked bar, the model's and the control's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reportgen.analyses.linearity import Linearity
from reportgen.figures.charts import IntervalBar, stacked_bar
from reportgen.report.drawing import Drawing
from reportgen.report.results import Results
from reportgen.statistics.bootstrap import Estimate
from reportgen.suite.control import Control

IMAGES_FOR_A_REGRESSOR = 10
NOTHING = 0.01


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
    """Too few images for so many regressors."""
    if result.fit_rows < IMAGES_FOR_A_REGRESSOR * result.regressors:
        yield (
            f"{result.fit_rows} images for {result.regressors} regressors are few: the map fits "
            "their noise, and the linear share on other images is too low."
        )
    if result.curved is not None and result.curved.value < -NOTHING:
        yield "Curves of the fit images do worse than none on others: not additive is too high."
