"""Pictures and charts of the sections for experts: independent units, directions, planes, sites,
labels.
"""

from __future__ import annotations

from dataclasses import dataclass

from reportgen.figures.charts import IntervalBar, stacked_bar
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.results import Results
from reportgen.report.views.heat import Cell, heat_cells


@dataclass(frozen=True)
class SharesView:
    """One stacked bar."""

    shares: tuple[IntervalBar, ...]


@dataclass(frozen=True)
class DirectionsView:
    """Pictures of the directions on one signed scale."""

    strip: Strip
    limit: float


@dataclass(frozen=True)
class CellsView:
    """A heat map."""

    cells: tuple[tuple[Cell, ...], ...]


def permuted_codes(results: Results, drawing: Drawing) -> SharesView:
    """Linear, curved and not additive laid end to end."""
    result = results.permuted_codes
    assert result is not None
    parts = (result.linear, result.curved, result.not_additive)
    return SharesView(stacked_bar([part.value for part in parts]))


def directions(results: Results, drawing: Drawing) -> DirectionsView:
    """At most 16 directions, in order."""
    result = results.directions
    assert result is not None
    shown = result.pictures[:16]
    limit = drawing.limit(shown)
    shares = [numbers.percent(float(share)) for share in result.variance_shares[: len(shown)]]
    listed = "; ".join(f"{place}: {share}" for place, share in enumerate(shares, start=1))
    return DirectionsView(
        Strip(
            drawing.strip(drawing.differences(shown, limit)),
            f"Pictures of the first {len(shown)} directions on ±{numbers.number(limit)}, with "
            f"their shares of variance: {listed}.",
            tuple(shares),
            limit=limit,
        ),
        limit,
    )


def spatial(results: Results, drawing: Drawing) -> CellsView:
    """Effects by site."""
    assert results.spatial is not None
    return CellsView(heat_cells(results.spatial.site_effects))


def label_metrics(results: Results, drawing: Drawing) -> CellsView:
    """Mutual information by label and unit."""
    assert results.label_metrics is not None
    return CellsView(heat_cells(results.label_metrics.mutual_information))
