"""Codes of every question that were off data, in one place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from reportgen.analyses.trust import Trust
from reportgen.report.question import Question
from reportgen.report.results import OffDataSummary, Results
from reportgen.statistics.bootstrap import Estimate


def with_off_data(results: Results, questions: Iterable[Question]) -> Results:
    """The results with the off-data flag and what it marks; without, where it was not calibrated.

    Questions that moved the same codes have one panel, that of the first.
    """
    trust = results.answers.of(Trust)
    if trust is None:
        return results
    panels: dict[str, Estimate] = {}
    for question in questions:
        answer = results.answer(question.name)
        if answer is not None:
            for codes in question.moved(answer, results):
                panels.setdefault(codes.name, codes.off_data)
    summary = OffDataSummary(
        real_codes=trust.real_codes_flagged,
        largest_distance=trust.largest_distance,
        largest_cycle_error=trust.largest_cycle_error,
        covariance_shrunk=trust.covariance_shrunk,
        panels=panels,
    )
    return replace(results, off_data=summary)
