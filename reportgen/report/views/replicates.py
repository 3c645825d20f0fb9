"""Other trainings: what to beware of; its template needs no pictures."""

from __future__ import annotations

from collections.abc import Iterator

from reportgen.analyses.reconstruction import Reconstruction
from reportgen.analyses.replicates import Replicates
from reportgen.report import numbers
from reportgen.report.results import Results

WORSE_R2 = 0.05


def limits(result: Replicates, results: Results) -> Iterator[str]:
    """Trainings that reconstruct less well."""
    own = results.answers.of(Reconstruction)
    if own is None:
        return
    worse = [
        name for name, r2 in zip(result.names, result.r2, strict=True) if r2 < own.r2.low - WORSE_R2
    ]
    if worse:
        yield (
            f"{numbers.listed(worse)} reconstructs less well than this model (R² more than "
            f"{numbers.short(WORSE_R2)} below): its units may differ because of that."
        )
