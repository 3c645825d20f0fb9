"""Trust: what to beware of; its template needs no pictures."""

from __future__ import annotations

from collections.abc import Iterator

from reportgen.analyses.trust import Trust
from reportgen.report.results import Results


def limits(result: Trust, results: Results) -> Iterator[str]:
    """Things there was no time for; classes that are fed; a covariance from few images."""
    yield from (note.text for note in results.provenance.data_notes if note.topic == "time")
    yield from (note.text for note in results.provenance.model_notes if note.topic == "condition")
    if result.covariance_shrunk:
        yield (
            "The images are few for so many units, so the covariance behind the flag is shrunk "
            "(Ledoit–Wolf) and the flag is coarse."
        )
