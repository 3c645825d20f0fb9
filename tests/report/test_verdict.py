"""The verdict's words from both sides of every threshold, and what it says when it cannot say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from reportgen.analyses import (
    additivity,
    contributions,
    health,
    linearity,
    reconstruction,
    subtraction,
)
from reportgen.report.results import VerdictLine
from reportgen.report.unit_sentences import merge_units
from reportgen.report.verdict import verdict_of
from reportgen.settings import Settings
from reportgen.statistics.bootstrap import UNDEFINED, Estimate
from reportgen.suite.answers import Answers
from tests.conftest import FEW
from tests.oracles import decoders
from tests.report.example import example_results

QUESTIONS = ("reconstructs", "linear", "summed", "matter", "subtraction")


def about(value: float, spread: float = 0.01) -> Estimate:
    return Estimate(value, value - spread, value + spread)


def only(kind: type, **fields: Any) -> Any:
    """An answer of this type that holds nothing but these fields."""
    answer = object.__new__(kind)
    answer.__dict__.update(fields)
    return answer


def answers(parts: dict[str, Any], units: tuple = ()) -> dict[str, VerdictLine]:
    found = verdict_of(Answers(parts), units, Settings())
    assert len(found) == len(QUESTIONS)
    return dict(zip(QUESTIONS, found, strict=True))


def reconstructs(r2: float, equivalent: float = 12, components: int = 10) -> VerdictLine:
    result = only(
        reconstruction.Reconstruction,
        r2=about(r2),
        equivalent_components=about(equivalent, 0.5),
        equivalent_beyond=False,
        pca_components=components,
        largest_components=64,
        pca_r2=about(0.7),
    )
    return answers({"reconstruction": result})["reconstructs"]


@pytest.mark.parametrize(
    ("r2", "word"),
    [(-0.001, "No"), (0.001, "Poorly"), (0.499, "Poorly"), (0.501, "Partly"), (0.799, "Partly"),
     (0.801, "Well")],
)  # fmt: skip
def test_reconstruction_is_worded_by_r2(r2: float, word: str) -> None:
    assert reconstructs(r2).word == word


@pytest.mark.parametrize(
    ("equivalent", "word"), [(9.4, "Less well than PCA"), (9.6, "Well"), (10.6, "Well")]
)
def test_a_model_is_worse_than_pca_when_its_whole_interval_is(equivalent, word) -> None:
    """9.6 ± .5 reaches 10 components, so it is not said to be worse."""
    assert reconstructs(0.9, equivalent).word == word


def linear(share: float) -> str:
    result = only(
        linearity.Linearity, linear=about(share), curved=about(0.1), not_additive=about(0.05)
    )
    return answers({"linearity": result})["linear"].word


@pytest.mark.parametrize(
    ("share", "word"),
    [(0.951, "Linear"), (0.949, "Mostly"), (0.801, "Mostly"), (0.799, "No"), (0.1, "No")],
)
def test_linearity_is_worded_by_its_share(share: float, word: str) -> None:
    assert linear(share) == word


@pytest.mark.parametrize(
    ("gap", "word"), [(0.049, "Yes"), (0.051, "Roughly"), (0.249, "Roughly"), (0.251, "No"),
                      (3.0, "No")]
)  # fmt: skip
def test_sums_are_worded_by_the_upward_gap(gap: float, word: str) -> None:
    up, down = (SimpleNamespace(gap=about(g), r2_sum=about(0.5)) for g in (gap, 0.9))
    result = only(additivity.Additivity, up=up, down=down)
    assert answers({"additivity": result})["summed"].word == word


@pytest.mark.parametrize(
    ("miss", "word"), [(0.049, "Valid"), (0.051, "Roughly"), (0.249, "Roughly"), (0.251, "No")]
)
def test_subtraction_is_worded_by_what_zeroing_misses(miss: float, word: str) -> None:
    result = only(
        subtraction.Subtraction, miss_zero=about(miss), miss_mean=about(0.9), off_data_zero=0.5
    )
    assert answers({"subtraction": result})["subtraction"].word == word


def test_what_is_undefined_is_unknown() -> None:
    up = SimpleNamespace(gap=UNDEFINED, r2_sum=UNDEFINED)
    parts = {
        "additivity": only(additivity.Additivity, up=up, down=up),
        "subtraction": only(
            subtraction.Subtraction, miss_zero=UNDEFINED, miss_mean=UNDEFINED, off_data_zero=0.0
        ),
    }
    found = answers(parts)
    assert found["summed"].word == found["subtraction"].word == "Unknown"


def test_without_analyses_every_question_is_unknown_and_has_no_number() -> None:
    for answer in answers({}).values():
        assert (answer.word, answer.number) == ("Unknown", None)
        assert answer.section


def parts_of(study) -> dict[str, Any]:
    modules = {
        "reconstruction": reconstruction,
        "linearity": linearity,
        "additivity": additivity,
        "subtraction": subtraction,
        "contributions": contributions,
        "health": health,
    }
    return {name: module.run(study) for name, module in modules.items()}


def test_a_linear_autoencoder_gets_the_verdict_that_is_true(linear_study) -> None:
    parts = parts_of(linear_study)
    found = answers(parts, merge_units(Answers(parts)))
    assert [found[q].word for q in QUESTIONS[:4]] == ["Well", "Linear", "Yes", "4 of 4"]
    assert "unit 3" in found["matter"].measure


def test_a_product_gets_the_verdict_that_is_true() -> None:
    study = decoders.carrying(
        decoders.product(),
        decoders.gaussian_codes(200, 2),
        fit_codes=decoders.symmetric_codes(200, 2),
        settings=FEW,
    )
    parts = parts_of(study)
    found = answers(parts, merge_units(Answers(parts)))
    assert found["linear"].word == "No"
    assert found["summed"].word == "No"
    assert found["subtraction"].word == "No"


def test_dead_units_are_counted_in_the_verdict() -> None:
    decode = decoders.linear(2)
    codes = decoders.gaussian_codes(200, 4)
    codes[:, 3] = 1
    study = decoders.carrying(lambda z: decode(z[:, :2]), codes, settings=FEW)
    parts = parts_of(study)
    found = answers(parts, merge_units(Answers(parts)))["matter"]
    assert found.word == "2 of 4"
    assert "2 of 4" in found.detail


def test_one_unit_has_nothing_to_sum_and_says_so() -> None:
    results = example_results(units=1)
    (summed,) = (a for a in results.verdict if a.question == "Can effects be summed?")
    assert (summed.word, summed.number) == ("One unit", None)
    assert summed.detail == "Only unit 0 varies, so there is nothing to add up."
    assert "additivity" in results.unanswered
    assert {"interactions", "plane_walks", "directions"} <= set(results.not_applicable)
