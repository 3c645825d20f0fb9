"""How linear on the data: one stacked bar, the model's and the control's."""

from __future__ import annotations

from dataclasses import dataclass

from reportgen.figures.charts import IntervalBar, stacked_bar
from reportgen.report.drawing import Drawing
from reportgen.report.results import Results
from reportgen.statistics.bootstrap import Estimate


@dataclass(frozen=True)
class View:
    """Linear, curved and not additive laid end to end; one part less where curves are unknown."""

    model: tuple[IntervalBar, ...]
    control: tuple[IntervalBar, ...]


def view(results: Results, drawing: Drawing) -> View:
    """Bars for the model and, where it was measured, for PCA in its place."""
    result, control = results.linearity, results.control
    assert result is not None
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
