"""Before the last squash: what to beware of; its template needs no pictures."""

from __future__ import annotations

from collections.abc import Iterator

from reportgen.analyses.additivity import Additivity
from reportgen.analyses.pre_activation import PreActivation
from reportgen.report import numbers
from reportgen.report.question import ONE_AWAY, MovedCodes
from reportgen.report.results import Results

SATURATED_PIXELS = 0.2


def limits(result: PreActivation, results: Results) -> Iterator[str]:
    """Pixels at an end of the range."""
    if result.saturated_share > SATURATED_PIXELS:
        yield (
            f"{numbers.percent(result.saturated_share)} of the pixels are at an end of the range, "
            f"where what goes into the {result.squash} can change without a trace in the image."
        )


def moved(result: PreActivation, results: Results) -> Iterator[MovedCodes]:
    """Separate or combined moves the same codes."""
    additivity = results.answers.of(Additivity)
    if additivity is not None:
        yield MovedCodes(ONE_AWAY, additivity.off_data_up)
