"""Ablation: the codes it moves; the units' cards show the pictures."""

from __future__ import annotations

from collections.abc import Iterator

from reportgen.analyses.ablation import Ablation
from reportgen.report.question import ONE_AT_MEAN, ONE_AWAY, MovedCodes
from reportgen.report.results import Results


def moved(result: Ablation, results: Results) -> Iterator[MovedCodes]:
    """One unit alone away from the mean code, and one unit taken out."""
    yield MovedCodes(ONE_AWAY, result.off_data_solo)
    yield MovedCodes(ONE_AT_MEAN, result.off_data_last)
