"""What every question moved off data, gathered once for each kind of codes."""

from __future__ import annotations

from dataclasses import replace

from reportgen.questions import QUESTIONS
from reportgen.report.off_data_panels import with_off_data
from reportgen.statistics.bootstrap import Estimate
from tests.report.example import with_answers


def test_the_flag_is_that_of_trust(results) -> None:
    summary, trust = results.off_data, results.answers["trust"]
    assert summary.real_codes == trust.real_codes_flagged
    assert summary.covariance_shrunk == trust.covariance_shrunk
    assert summary.largest_distance == trust.largest_distance
    assert summary.largest_cycle_error == trust.largest_cycle_error


def test_every_kind_of_moved_codes_has_a_panel_with_its_first_question_s_share(results) -> None:
    first = {}
    for question in QUESTIONS:
        answer = results.answer(question.name)
        for codes in question.moved(answer, results) if answer is not None else ():
            first.setdefault(codes.name, codes.off_data)
    assert len(first) > 5
    assert with_off_data(results, QUESTIONS).off_data.panels == first


def test_a_share_that_changes_changes_its_panel(results) -> None:
    share = Estimate(0.123, 0.1, 0.2)
    paths = replace(results.answers["contributions"], off_data_share=share)
    summary = with_off_data(with_answers(results, contributions=paths), QUESTIONS).off_data
    assert summary.panels["codes on the paths"] == share


def test_without_a_calibrated_flag_there_is_no_summary(results) -> None:
    without = replace(with_answers(results, trust=None), off_data=None)
    assert with_off_data(without, QUESTIONS).off_data is None
