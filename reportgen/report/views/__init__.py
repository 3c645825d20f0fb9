"""One module for each question: the pictures it shows, its limits, the codes it moved.

A question whose template can do with the answer alone needs no view.
"""

from reportgen.report.views import (
    ablation,
    additivity,
    baselines,
    contributions,
    direction_contributions,
    directions,
    draws,
    interactions,
    label_metrics,
    linearity,
    one_picture,
    partial_reconstruction,
    plane_walks,
    pre_activation,
    provenance,
    reconstruction,
    replicates,
    spatial,
    subtraction,
    traversal,
    trust,
    units,
)

__all__ = [
    "ablation",
    "additivity",
    "baselines",
    "contributions",
    "direction_contributions",
    "directions",
    "draws",
    "interactions",
    "label_metrics",
    "linearity",
    "one_picture",
    "partial_reconstruction",
    "plane_walks",
    "pre_activation",
    "provenance",
    "reconstruction",
    "replicates",
    "spatial",
    "subtraction",
    "traversal",
    "trust",
    "units",
]
