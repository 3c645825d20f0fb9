"""What becomes of rules, on numbers that are known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from reportgen.autoencoder import SourceFile
from reportgen.checks.outcomes import Checker, Outcome, as_plain, broken_of, outcomes_of
from reportgen.checks.presets import preset_rules
from reportgen.checks.rules import read_rule
from reportgen.errors import CheckError
from reportgen.questions import QUESTIONS
from reportgen.report.results import Results
from reportgen.statistics.bootstrap import Estimate
from tests.report.example import with_answers, without

R2 = Estimate(0.8, 0.7, 0.9)


@pytest.fixture(scope="module")
def known(results: Results) -> Results:
    return with_r2(results, R2)


def with_r2(results: Results, r2: Estimate) -> Results:
    reconstruction = replace(results.answers["reconstruction"], r2=r2)
    return with_answers(results, reconstruction=reconstruction)


def outcome(rule: str, results: Results, baseline: Results | None = None, **how: bool) -> Outcome:
    return Checker(results, QUESTIONS, baseline, **how).check(read_rule(rule))


@pytest.mark.parametrize(
    ("rule", "result"),
    [
        ("reconstruction.r2 >= 0.8", "pass"),
        ("reconstruction.r2 > 0.8", "fail"),
        ("reconstruction.r2 <= 80%", "pass"),
        ("reconstruction.r2 < 0.8", "fail"),
        ("reconstruction.r2 == 0.8", "pass"),
        ("reconstruction.r2 != 0.8", "fail"),
        ("reconstruction.r2.low >= 0.8", "fail"),
        ("reconstruction.r2.high >= 0.9", "pass"),
        ("count(units) == 4", "pass"),
        ("count(failures) == 0", "pass"),
        ("control.passed == true", "pass"),
        ("control.passed != true", "fail"),
        ("control.passed == false", "fail"),
        ("verdict.additive is no", "pass"),
        ("verdict.additive in yes, roughly", "fail"),
        ("replicates.rows >= 1", "unknown"),
        ("replicates.rows >= 1 if measured", "unknown"),
    ],
)
def test_a_rule_passes_fails_or_is_unknown(known: Results, rule: str, result: str) -> None:
    found = outcome(rule, known)
    assert found.result == result
    assert found.broken == (result == "fail" or (result == "unknown" and "measured" not in rule))


def test_an_outcome_says_what_was_found_with_interval_and_limit(known: Results) -> None:
    found = outcome("reconstruction.r2 >= 0.85", known)
    assert found.said == "0.800 [0.700, 0.900] is not at least 0.85."
    assert (found.number, found.limit) == (R2, 0.85)
    near = outcome("reconstruction.r2 >= 0.80000001", known)
    assert near.said == "0.8 [0.700, 0.900] is not at least 0.80000001."


def test_a_word_is_kept_only_if_all_words_within_the_interval_are_allowed(
    results: Results,
) -> None:
    line = results.verdict[0]
    assert tuple(map(str, line.words)) == ("partly", "well")
    assert outcome("verdict.reconstructs in partly, well", results).result == "pass"
    assert outcome("verdict.reconstructs is well", results).result == "fail"


def test_what_was_not_answered_says_why(results: Results) -> None:
    lacking = without(results, "reconstruction")
    found = outcome("reconstruction.r2 >= 0", lacking)
    assert (found.result, found.said) == ("unknown", "No reconstruction here.")
    words = outcome("verdict.reconstructs is well", lacking)
    assert words.result == "unknown"
    assert "No reconstruction here" in words.said


def test_a_baseline_s_number_and_its_ends_are_limits(known: Results) -> None:
    better = with_r2(known, Estimate(0.85, 0.75, 0.95))
    assert outcome("reconstruction.r2 >= baseline - 0.05", known, better).result == "pass"
    assert outcome("reconstruction.r2 >= baseline - 0.01", known, better).result == "fail"
    assert outcome("reconstruction.r2 >= baseline.low", known, better).limit == 0.75
    assert outcome("reconstruction.r2.low >= baseline.high", known, better).limit == 0.95
    assert outcome("reconstruction.r2.low >= baseline", known, better).limit == 0.75
    assert outcome("count(units) <= baseline", known, better).limit == 4
    assert outcome("control.passed == baseline", known, better).result == "pass"
    lacking = without(known, "reconstruction")
    found = outcome("reconstruction.r2 >= baseline", known, lacking)
    assert (found.result, found.said) == ("unknown", "Of the baseline, no reconstruction here.")


def test_a_baseline_of_other_images_is_refused_unless_that_is_allowed(known: Results) -> None:
    provenance = replace(known.provenance, data=SourceFile("others", 1, "ef" * 32))
    other = replace(known, provenance=provenance, data_name="others")
    with pytest.raises(CheckError, match="made from other images"):
        outcome("reconstruction.r2 >= baseline", known, other)
    allowed = outcome("reconstruction.r2 >= baseline", known, other, other_images=True)
    assert allowed.result == "pass"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("reconstrution.r2 >= 0", "nearest name is 'reconstruction.r2'"),
        ("reconstruction.r2 >= baseline", "name its results with --baseline"),
        ("reconstruction.r2 >= true", "a number, not true or false"),
        ("control.passed >= 1", "true or false, not a number"),
        ("control.passed >= true", "compared with == or !="),
        ("title == 1", "title is no number"),
        ("units.damage >= 1", "say units[0].damage"),
    ],
)
def test_a_rule_that_cannot_be_held_is_one_sentence(known: Results, rule: str, said: str) -> None:
    with pytest.raises(CheckError) as refused:
        outcome(rule, known)
    assert said in str(refused.value)
    why = Checker(known, QUESTIONS).check_or_say_why(read_rule(rule))
    assert (why.result, why.broken) == ("unknown", True)
    assert said in why.said


def test_ends_that_a_number_has_not_are_refused(known: Results) -> None:
    with pytest.raises(CheckError, match="has no interval"):
        outcome("count(units) <= baseline.high", known, known)
    with pytest.raises(CheckError, match="has no interval"):
        outcome("reconstruction.pca_components <= baseline.high", known, known)
    assert outcome("off_data.real_codes <= baseline.high", known, known).said == (
        "Of the baseline, it has no interval."
    )


def test_warnings_fail_only_where_strict(known: Results) -> None:
    checker = Checker(known, QUESTIONS)
    warned = checker.check(read_rule("reconstruction.r2 >= 0.9", severity="warning"))
    failed = checker.check(read_rule("reconstruction.r2 >= 0.9"))
    assert broken_of([warned, failed]) == (failed,)
    assert broken_of([warned, failed], strict=True) == (warned, failed)


def test_outcomes_are_the_same_after_json(known: Results) -> None:
    checker = Checker(known, QUESTIONS, known)
    found = tuple(checker.check(rule) for rule in preset_rules("release", with_baseline=True))
    again = outcomes_of([as_plain(each) for each in found])
    for one, other in zip(found, again, strict=True):
        assert (one.rule, one.result, one.said, one.broken) == (
            other.rule,
            other.result,
            other.said,
            other.broken,
        )
        assert math.isclose(one.number.value, other.number.value)
    for wrong in ([3], [{}], None, [{**as_plain(found[0]), "result": "maybe"}]):
        with pytest.raises(ValueError, match="outcome"):
            outcomes_of(wrong)
