"""Before the last squash: the codes it moves; "how linear" shows the numbers."""

from __future__ import annotations

from collections.abc import Iterator

from reportgen.analyses.additivity import Additivity
from reportgen.analyses.pre_activation import PreActivation
from reportgen.report.question import ONE_AWAY, MovedCodes
from reportgen.report.results import Results


def moved(result: PreActivation, results: Results) -> Iterator[MovedCodes]:
    """Separate or combined moves the same codes."""
    additivity = results.answers.of(Additivity)
    if additivity is not None:
        yield MovedCodes(ONE_AWAY, additivity.off_data_up)
