"""Sites of a spatial code: a heat map of effects, and the channels' colours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.spatial import Spatial
from reportgen.report.drawing import Drawing
from reportgen.report.question import MovedCodes
from reportgen.report.results import Results
from reportgen.report.views.heat import Cell, heat_cells
from reportgen.statistics.bootstrap import Estimate

MOST_CHANNELS = 32
MOST_SITE_INTERVALS = 36


@dataclass(frozen=True)
class View:
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


def view(result: Spatial, results: Results, drawing: Drawing) -> View:
    """Effects by site, with intervals where there is room for them; channels by their colours."""
    down, across = np.unravel_index(np.argmax(result.site_effects), result.site_effects.shape)
    ends = (result.site_effects, result.site_effects_low, result.site_effects_high)
    known = result.footprint_radii[np.isfinite(result.footprint_radii)]
    sizes = np.linalg.norm(result.colour_weights, axis=1)
    strongest = np.argsort(-sizes, kind="stable")[:MOST_CHANNELS]
    names = {1: ("grey",), 3: ("red", "green", "blue")}
    image_channels = result.colour_weights.shape[1]
    return View(
        cells=heat_cells(result.site_effects),
        intervals=result.site_effects.size <= MOST_SITE_INTERVALS,
        strongest=(int(down), int(across)),
        strongest_effect=Estimate(*(float(end[down, across]) for end in ends)),
        radii=(float(known.min()), float(known.max())) if known.size else None,
        channels=tuple(sorted(strongest.tolist())),
        colours=names.get(image_channels, tuple(str(c) for c in range(image_channels))),
    )


def moved(result: Spatial, results: Results) -> Iterator[MovedCodes]:
    """Codes with one site taken out."""
    yield MovedCodes("codes with one site at its mean", result.off_data_share)
