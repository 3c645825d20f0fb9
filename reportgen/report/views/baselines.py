"""Baselines: the codes they move; the template needs no pictures."""

from __future__ import annotations

from collections.abc import Iterator

from reportgen.analyses.baselines import Baselines
from reportgen.report.question import ONE_AT_MEAN, ONE_AT_ZERO, MovedCodes
from reportgen.report.results import Results


def moved(result: Baselines, results: Results) -> Iterator[MovedCodes]:
    """Codes with one unit at each baseline."""
    known = {"mean": ONE_AT_MEAN, "zero": ONE_AT_ZERO}
    for table in result.tables:
        name = known.get(table.baseline, f"codes of the baseline “{table.baseline}”")
        yield MovedCodes(name, table.off_data_share)
