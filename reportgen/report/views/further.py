"""Pictures and charts of the sections for experts: independent units, directions, planes, sites,
labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.figures.charts import IntervalBar, stacked_bar
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.results import Results
from reportgen.report.views.heat import Cell, heat_cells
from reportgen.statistics.bootstrap import Estimate

MOST_CHANNELS = 32
MOST_SITE_INTERVALS = 36


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


@dataclass(frozen=True)
class SpatialView:
    """A heat map of sites and the channels' colours.

    Attributes
    ----------
    cells : effects; `intervals` whether there is room to print theirs.
    strongest : (down, across) of the strongest site; `strongest_effect` its effect.
    radii : the smallest and largest footprint; None where no site has one.
    channels : at most 32, those with the largest slopes; `colours` names of the image's channels.
    """

    cells: tuple[tuple[Cell, ...], ...]
    intervals: bool
    strongest: tuple[int, int]
    strongest_effect: Estimate
    radii: tuple[float, float] | None
    channels: tuple[int, ...]
    colours: tuple[str, ...]


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


def spatial(results: Results, drawing: Drawing) -> SpatialView:
    """Effects by site, with intervals where there is room for them; channels by their colours."""
    result = results.spatial
    assert result is not None
    down, across = np.unravel_index(np.argmax(result.site_effects), result.site_effects.shape)
    ends = (result.site_effects, result.site_effects_low, result.site_effects_high)
    known = result.footprint_radii[np.isfinite(result.footprint_radii)]
    sizes = np.linalg.norm(result.colour_weights, axis=1)
    strongest = np.argsort(-sizes, kind="stable")[:MOST_CHANNELS]
    names = {1: ("grey",), 3: ("red", "green", "blue")}
    image_channels = result.colour_weights.shape[1]
    return SpatialView(
        cells=heat_cells(result.site_effects),
        intervals=result.site_effects.size <= MOST_SITE_INTERVALS,
        strongest=(int(down), int(across)),
        strongest_effect=Estimate(*(float(end[down, across]) for end in ends)),
        radii=(float(known.min()), float(known.max())) if known.size else None,
        channels=tuple(sorted(strongest.tolist())),
        colours=names.get(image_channels, tuple(str(c) for c in range(image_channels))),
    )


def label_metrics(results: Results, drawing: Drawing) -> CellsView:
    """Mutual information by label and unit."""
    assert results.label_metrics is not None
    return CellsView(heat_cells(results.label_metrics.mutual_information))
