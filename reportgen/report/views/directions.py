"""Directions: their pictures on one signed scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.directions import Directions
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.question import MovedCodes
from reportgen.report.results import Results

POOR_REPEAT = 0.5


@dataclass(frozen=True)
class View:
    """Pictures of the directions on one signed scale."""

    strip: Strip
    limit: float


def view(result: Directions, results: Results, drawing: Drawing) -> View:
    """At most 16 directions, in order."""
    shown = result.pictures[:16]
    limit = drawing.limit(shown)
    shares = [numbers.percent(float(share)) for share in result.variance_shares[: len(shown)]]
    listed = "; ".join(f"{place}: {share}" for place, share in enumerate(shares, start=1))
    return View(
        Strip(
            drawing.strip(drawing.differences(shown, limit)),
            f"Pictures of the first {len(shown)} directions on ±{numbers.number(limit)}, with "
            f"their shares of variance: {listed}.",
            tuple(shares),
            limit=limit,
        ),
        limit,
    )


def limits(result: Directions, results: Results) -> Iterator[str]:
    """Directions that do not come back, or are not told from the next."""
    yield from doubts(result.repeatability, result.undetermined, "not to be interpreted")


def doubts(repeatability: np.ndarray, undetermined: np.ndarray, what: str) -> Iterator[str]:
    """Say which directions do not come back, and `what` follows, and which the next one equals."""
    poor = np.flatnonzero(np.asarray(repeatability) < POOR_REPEAT) + 1
    if poor.size:
        yield (
            "Not found again on the other half of the images in four of seven halvings or more "
            f"(|cos| below {numbers.short(POOR_REPEAT)}), so {what}: "
            f"{numbers.numbered('direction', poor.tolist())}."
        )
    near = np.flatnonzero(undetermined) + 1
    if near.size:
        yield (
            "Too nearly as strong as the next one to be told from it: "
            f"{numbers.numbered('direction', near.tolist())}."
        )


def moved(result: Directions, results: Results) -> Iterator[MovedCodes]:
    """Codes moved along one direction, and back to its mean."""
    yield MovedCodes("codes moved along directions", result.off_data_share)
