"""Labels: mutual information as a heat map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reportgen.analyses.label_metrics import LabelMetrics
from reportgen.report import numbers
from reportgen.report.drawing import Drawing
from reportgen.report.results import Results
from reportgen.report.views.heat import Cell, heat_cells
from reportgen.statistics.label_scores import BINS

ROWS_FOR_A_BIN = 25


@dataclass(frozen=True)
class View:
    """A heat map."""

    cells: tuple[tuple[Cell, ...], ...]


def view(result: LabelMetrics, results: Results, drawing: Drawing) -> View:
    """Mutual information by label and unit."""
    return View(heat_cells(result.mutual_information))


def limits(result: LabelMetrics, results: Results) -> Iterator[str]:
    """Few images for each bin; units that share what they know."""
    if result.rows < ROWS_FOR_A_BIN * BINS:
        yield (
            f"{numbers.count(result.rows)} images are {result.rows // BINS} for each of a unit's "
            f"{BINS} bins: small entries may be chance."
        )
    if result.information_gap is not None and any(unit.correlated_with for unit in results.units):
        yield (
            "Units that go together share what they know of a label, which may lower MIG, "
            "SAP and completeness although nothing is missing from the code."
        )
