"""What sections show beyond their numbers: pictures and charts, by section.

A section whose template can do with `result` alone needs no view.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reportgen.report.drawing import Drawing
from reportgen.report.results import Results
from reportgen.report.views import (
    additivity,
    contributions,
    further,
    interactions,
    linearity,
    one_picture,
    partial_reconstruction,
    plane_walks,
    provenance,
    reconstruction,
    subtraction,
    traversal,
    units,
)

VIEWS: dict[str, Callable[[Results, Drawing], Any]] = {
    "traversal": traversal.view,
    "reconstruction": reconstruction.view,
    "contributions": contributions.view,
    "partial_reconstruction": partial_reconstruction.view,
    "units": units.view,
    "one_picture": one_picture.view,
    "additivity": additivity.view,
    "subtraction": subtraction.view,
    "interactions": interactions.view,
    "linearity": linearity.view,
    "permuted_codes": further.permuted_codes,
    "directions": further.directions,
    "plane_walks": plane_walks.view,
    "spatial": further.spatial,
    "label_metrics": further.label_metrics,
    "method": provenance.view,
    "provenance": provenance.view,
}
