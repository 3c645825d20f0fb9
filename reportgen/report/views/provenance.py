"""Method and provenance: every setting with its value and meaning."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import Any

from reportgen.report.drawing import Drawing
from reportgen.report.results import Results
from reportgen.report.views.live import carried_images


@dataclass(frozen=True)
class SettingRow:
    """A setting: name, value as text, what it is for, and whether it is not the default."""

    name: str
    value: str
    help: str
    changed: bool


@dataclass(frozen=True)
class View:
    """All settings, the verdict's thresholds among them; `carried` images travel in the page."""

    settings: tuple[SettingRow, ...]
    thresholds: tuple[SettingRow, ...]
    carried: int


THRESHOLDS = (
    "well_reconstructed",
    "partly_reconstructed",
    "linear_share",
    "mostly_linear_share",
    "partly_linear_share",
    "like_pca",
    "small_gap",
    "medium_gap",
    "off_data_factor",
    "judged_off_data",
    "ignored_effect",
    "constant_deviation",
    "collapsed_divergence",
    "atom_share",
    "duplicate_correlation",
    "correlated_units",
    "tracked_correlation",
    "drawn_deviations",
    "same_picture",
    "tracked_auc",
    "bottleneck_tolerance",
)


def view(result: None, results: Results, drawing: Drawing) -> View:
    """Settings in the order of `settings.py`."""
    rows = tuple(
        SettingRow(
            name=knob.name,
            value=_text(getattr(results.settings, knob.name)),
            help=str(knob.metadata.get("help", "")),
            changed=knob.default is not MISSING
            and getattr(results.settings, knob.name) != knob.default,
        )
        for knob in fields(results.settings)
    )
    thresholds = tuple(row for row in rows if row.name in THRESHOLDS)
    return View(rows, thresholds, carried_images(results, drawing))


def _text(value: Any) -> str:
    if value is None:
        return "automatic"
    return f"{value:g}" if isinstance(value, float) else str(value)
