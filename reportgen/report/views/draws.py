"""Units that draw what they go with: the codes moved; cards and sentences show the numbers."""

from __future__ import annotations

from collections.abc import Iterator

from reportgen.analyses.draws import Draws
from reportgen.report.question import MovedCodes
from reportgen.report.results import Results


def moved(result: Draws, results: Results) -> Iterator[MovedCodes]:
    """One unit a step more or less."""
    yield MovedCodes("codes with one unit moved by its free sd", result.off_data_share)
