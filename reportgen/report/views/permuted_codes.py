"""If units were independent: one stacked bar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reportgen.analyses.permuted_codes import PermutedCodes
from reportgen.figures.charts import IntervalBar, stacked_bar
from reportgen.report import numbers
from reportgen.report.drawing import Drawing
from reportgen.report.headline import WORRYING_OFF_DATA
from reportgen.report.results import Results


@dataclass(frozen=True)
class View:
    """One stacked bar."""

    shares: tuple[IntervalBar, ...]


def view(result: PermutedCodes, results: Results, drawing: Drawing) -> View:
    """Linear, curved and not additive laid end to end."""
    parts = (result.linear, result.curved, result.not_additive)
    return View(stacked_bar([part.value for part in parts]))


def limits(result: PermutedCodes, results: Results) -> Iterator[str]:
    """Codes outside the ellipse of real ones."""
    if result.far_share > WORRYING_OFF_DATA:
        yield (
            f"{numbers.percent(result.far_share)} of these codes lie outside the ellipse of real "
            "codes, against 1 % of real ones: much of this is about codes that no image has."
        )
