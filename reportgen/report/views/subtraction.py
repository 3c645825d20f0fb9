"""Zero and subtract: both ablations' difference pictures beside the contribution."""

from __future__ import annotations

from dataclasses import dataclass

from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.results import Results
from reportgen.report.views.reconstruction import LabelledStrip


@dataclass(frozen=True)
class View:
    """Three strips over the picture rows, on one signed scale."""

    strips: tuple[LabelledStrip, ...]
    limit: float


def view(results: Results, drawing: Drawing) -> View:
    """The strongest unit on every picture row."""
    result = results.subtraction
    assert result is not None
    limit = drawing.limit(result.zeroed, result.averaged, result.contribution)
    names = ", ".join(result.picture_names)
    rows = (
        (
            "x̂ − (unit set to 0)",
            result.zeroed,
            f"misses {numbers.plain(result.miss_zero, 'percent')}",
        ),
        (
            "x̂ − (unit set to its mean)",
            result.averaged,
            f"misses {numbers.plain(result.miss_mean, 'percent')}",
        ),
        ("contribution", result.contribution, "adds up with the other units'"),
    )
    return View(
        strips=tuple(
            LabelledStrip(
                label,
                Strip(
                    drawing.strip(drawing.differences(pictures, limit)),
                    f"{label} on ±{numbers.number(limit)} ({what}), for {names}.",
                    limit=limit,
                ),
            )
            for label, pictures, what in rows
        ),
        limit=limit,
    )
