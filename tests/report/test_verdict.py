"""The verdict: closed-form decoders whose truth is known, each line's parts, and why not."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from reportgen.analyses import (
    additivity,
    contributions,
    health,
    linearity,
    reconstruction,
    subtraction,
    trust,
)
from reportgen.analyses.code_book import CodeBook
from reportgen.analyses.direction_contributions import DirectionContributions
from reportgen.report.results import Unit, VerdictLine
from reportgen.report.unit_sentences import merge_units
from reportgen.report.verdict import verdict_of
from reportgen.settings import Settings
from reportgen.statistics.bootstrap import UNDEFINED, Estimate
from reportgen.study.study import Study
from reportgen.suite.answers import Answers
from tests.conftest import FEW
from tests.oracles import decoders
from tests.report.example import example_results, page_of
from tests.report.parsed import parsed

QUESTIONS = ("reconstructs", "linear", "summed", "matter", "subtraction")
MODULES = {
    "reconstruction": reconstruction,
    "linearity": linearity,
    "additivity": additivity,
    "subtraction": subtraction,
    "contributions": contributions,
    "health": health,
    "trust": trust,
}


def about(value: float, spread: float = 0.01) -> Estimate:
    return Estimate(value, value - spread, value + spread)


def only(kind: type, **fields: Any) -> Any:
    """An answer of this type that holds nothing but these fields."""
    answer = object.__new__(kind)
    answer.__dict__.update(fields)
    return answer


def answers(
    parts: dict[str, Any], units: tuple = (), reasons: dict[str, str] | None = None
) -> dict[str, VerdictLine]:
    found = verdict_of(Answers(parts), units, Settings(), reasons or {})
    assert len(found) == len(QUESTIONS)
    return dict(zip(QUESTIONS, found, strict=True))


def verdict(study: Study) -> dict[str, VerdictLine]:
    parts = {name: module.run(study) for name, module in MODULES.items()}
    return answers(parts, merge_units(Answers(parts), study.settings))


# Decoders whose truth is known


def test_a_linear_autoencoder_gets_the_verdict_that_is_true(linear_study) -> None:
    found = verdict(linear_study)
    words = [found[q].word for q in QUESTIONS[:4]]
    assert words == ["Well, about as well as PCA", "Linear", "Yes", "4 of 4"]
    assert "unit 3" in found["matter"].measure


def test_a_product_gets_the_verdict_that_is_true() -> None:
    study = decoders.carrying(
        decoders.product(),
        decoders.gaussian_codes(200, 2),
        fit_codes=decoders.symmetric_codes(200, 2),
        settings=FEW,
    )
    found = verdict(study)
    assert found["linear"].word == "No"
    assert found["summed"].word == "No"
    assert found["subtraction"].word.startswith("No")


def test_a_decoder_that_is_seven_tenths_linear_is_partly_so_and_says_the_rest() -> None:
    """√.7 z₀ and √.3 z₁z₂: a bare "No" would stand over a number that reads like a yes."""
    first, second = decoders.directions(2)

    def decode(z: torch.Tensor) -> torch.Tensor:
        return 0.7**0.5 * z[:, :1] * first + 0.3**0.5 * z[:, 1:2] * z[:, 2:3] * second

    line = verdict(decoders.carrying(decode, decoders.uniform_codes(2000, 3), settings=FEW))[
        "linear"
    ]
    assert line.word == "Partly"
    assert line.number.value == pytest.approx(0.7, abs=0.03)
    assert line.detail.startswith("A straight line explains ")
    assert "curves of single units " in line.detail
    assert line.detail.endswith("is left to units together.")


def test_copies_count_once_in_which_units_matter() -> None:
    """Four units, of which the last copies the third."""
    codes = decoders.gaussian_codes(400, 4)
    codes[:, 3] = codes[:, 2]
    found = verdict(decoders.carrying(decoders.linear(4), codes, settings=FEW))["matter"]
    assert found.word == "3 of 4"
    assert found.detail.endswith(
        "No unit is without effect. Units 2, 3 go together so closely that copies count once."
    )


def test_how_spread_the_change_is_stands_beside_which_units_matter() -> None:
    """Shares of a linear decoder go as 1, 4, 9: (14)²/98 = 2 equal units."""
    study = decoders.carrying(decoders.linear(3), decoders.uniform_codes(2000, 3), settings=FEW)
    detail = verdict(study)["matter"].detail
    spread = re.match(r"The change is spread as over ([\d.]+) equal units\.", detail)
    assert float(spread[1]) == pytest.approx(2, abs=0.15)


def test_where_directions_lead_the_verdict_sends_there() -> None:
    parts = {
        "health": only(
            health.Health, units=(SimpleNamespace(states=()),) * 512, live=512, distinct=512
        ),
        "contributions": only(contributions.Contributions, effective_units=300.4),
        "direction_contributions": only(DirectionContributions, leads=True),
    }
    unit = SimpleNamespace(share=about(0.01), name="3", rank=1, rank_high=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reportgen.report.verdict._who_matters_not", lambda health: [])
        found = answers(parts, (unit,))["matter"]
    expected = "Spread over 512 units (as many as 300 equal ones): read it by directions."
    assert found.detail == expected


def test_dead_units_are_counted_in_the_verdict() -> None:
    decode = decoders.linear(2)
    codes = decoders.gaussian_codes(200, 4)
    codes[:, 3] = 1
    found = verdict(decoders.carrying(lambda z: decode(z[:, :2]), codes, settings=FEW))["matter"]
    assert found.word == "2 of 4"
    assert found.detail.endswith(" equal units. 2 of 4 units have next to no effect.")


def test_one_dead_unit_has_next_to_no_effect() -> None:
    decode = decoders.linear(2)
    codes = decoders.gaussian_codes(200, 3)
    found = verdict(decoders.carrying(lambda z: decode(z[:, :2]), codes, settings=FEW))["matter"]
    assert found.detail.endswith("1 of 3 units has next to no effect.")


def test_a_model_that_is_worse_than_pca_is_said_to_be() -> None:
    """x̂ = z W, of which one component of PCA's four is shrunk to nothing."""
    pixels = decoders.correlated_pixels(400)
    from sklearn.decomposition import PCA

    model = decoders.pca_model(PCA(4, svd_solver="full").fit(pixels))
    whole = model["decode"]
    model["decode"] = lambda z: whole(z * torch.tensor([1.0, 0.3, 1.0, 1.0]))
    line = verdict(decoders.of_pixels(pixels, settings=FEW, **model))["reconstructs"]
    assert line.word.endswith(", less well than PCA")
    same = verdict(
        decoders.of_pixels(pixels, settings=FEW, **decoders.pca_model(PCA(4).fit(pixels)))
    )["reconstructs"]
    assert same.word.endswith(", about as well as PCA")


def test_one_unit_has_nothing_to_sum_and_says_so() -> None:
    results = example_results(units=1)
    (summed,) = (a for a in results.verdict if a.question == "Can effects be summed?")
    assert (summed.word, summed.number) == ("One unit", None)
    assert summed.detail == "Only unit 0 varies, so there is nothing to add up."
    assert "additivity" in results.unanswered
    assert {"interactions", "plane_walks", "directions"} <= set(results.not_applicable)
    page = parsed(page_of(results).html)
    assert "Additivity:" not in page.one("section", id="verdict").text
    assert "units together" not in page.one("section", id="verdict").text


def strongest(*units: tuple[str, float, int, int | None]) -> str:
    """What is said of the strongest of units, each a name, a share, its rank and its largest."""
    made = tuple(
        only(Unit, name=name, share=about(share), rank=rank, rank_high=high)
        for name, share, rank, high in units
    )
    state = only(health.Health, units=made, live=len(made), distinct=len(made))
    for unit in made:
        unit.__dict__.update(duplicate_of=None, states=())
    return answers({"health": state}, made)["matter"].measure


def test_the_strongest_unit_is_named_with_the_ranks_that_resamples_leave_open() -> None:
    settled, open_ = ("b", 0.6, 1, 1), ("b", 0.6, 1, 3)
    others = ("a", 0.3, 2, 3), ("c", -0.1, 3, 3)
    assert strongest(others[0], settled, others[1]).endswith("by unit b, the strongest")
    assert strongest(others[0], open_, others[1]).endswith(
        "by unit b, the strongest on these images (rank 1 to 3 in resamples of them)"
    )
    assert strongest(("b", 0.6, 1, None)).endswith("by unit b, the strongest")


# In sample


def in_sample(same_folder: bool) -> Study:
    """The same images to fit on, by --fit-data or because they are too few."""
    codes = decoders.gaussian_codes(60 if same_folder else 18, 2)
    return decoders.carrying(
        decoders.linear(2), codes, fit_codes=codes if same_folder else None, settings=FEW
    )


@pytest.mark.parametrize("same_folder", [True, False])
def test_in_sample_nothing_is_called_held_out_and_pca_is_no_measure(same_folder: bool) -> None:
    study = in_sample(same_folder)
    assert study.in_sample
    line = verdict(study)["reconstructs"]
    assert "test images" not in line.measure
    assert line.measure == "R² on the images that PCA was fitted on too"
    assert "than PCA" not in line.word and "as PCA" not in line.word


# The parts of a line


def reconstructed(r2: float, book: CodeBook | None = None, **changed: Any) -> VerdictLine:
    fields = {
        "r2": about(r2),
        "equivalent_components": about(12, 0.5),
        "equivalent_beyond": False,
        "equivalent_at_most": False,
        "equivalent_with_half": 11.0,
        "half_beyond": False,
        "beyond_pca": about(0.1),
        "pca_components": 10,
        "largest_components": 64,
        "pca_r2": about(0.7),
        "fit_rows": 500,
    }
    result = only(reconstruction.Reconstruction, **fields | changed)
    return answers({"reconstruction": result, "code_book": book})["reconstructs"]


def test_equivalent_components_say_how_many_images_pca_had() -> None:
    detail = reconstructed(0.9).detail
    equal = (
        "Equal to 12.0 [11.5, 12.5] PCA components fitted on 500 images (11.0 with half of them)"
    )
    assert detail.startswith(equal)
    assert detail.endswith("PCA with 10 reaches R² 0.700 [0.690, 0.710].")


def test_words_of_a_code_book_are_not_held_against_as_many_real_numbers() -> None:
    book = only(CodeBook, words=64, sites=(7, 7))
    assert reconstructed(0.9, beyond_pca=about(-0.2)).word == "Well, less well than PCA"
    line = reconstructed(0.9, book, beyond_pca=about(-0.2))
    assert line.word == "Well"
    assert line.detail.startswith("A code is 49 words out of 64, PCA's a real number for each ")
    assert "the two do not compare at an equal number of them. Equal to 12.0 " in line.detail


def test_more_components_than_a_tenth_of_the_images_are_at_most_so_many() -> None:
    assert "Equal to at most 12.0 [" in reconstructed(0.9, equivalent_at_most=True).detail
    assert "more than 64 PCA" in reconstructed(0.9, equivalent_beyond=True).detail
    assert "(out of reach with half" in reconstructed(0.9, half_beyond=True).detail
    assert "half" not in reconstructed(0.9, equivalent_with_half=None).detail


def test_below_zero_pca_is_not_mentioned_in_the_word() -> None:
    assert reconstructed(-0.1, beyond_pca=about(-0.8)).word == "No"
    at_zero = reconstructed(0.0, beyond_pca=about(-0.7))
    assert at_zero.word == "No to poorly, less well than PCA"
    assert reconstructed(0.1, beyond_pca=about(-0.6)).word == "Poorly, less well than PCA"


def summed(up: float, down: float = 0.9, r2_sum: float = 0.5) -> VerdictLine:
    upward, downward = (SimpleNamespace(gap=about(g), r2_sum=about(r2_sum)) for g in (up, down))
    sizes = [only(additivity.GapOfSize, size=n, gap=about(up / 8 * n)) for n in (2, 3, 8)]
    result = only(
        additivity.Additivity,
        up=upward,
        down=downward,
        gap_by_size=tuple(sizes),
        sets=(SimpleNamespace(units=tuple(range(8))),),
        cannot_be_judged=False,
    )
    return answers({"additivity": result})["summed"]


def test_a_gap_above_the_whole_is_a_multiple_and_not_a_percentage() -> None:
    part, multiple = summed(0.66), summed(4.52, down=3.1)
    assert (part.scale, part.measure) == ("percent", "of the combined change is missed by the sum")
    assert multiple.scale == "times"
    assert multiple.measure == "the combined change: the size of the sum's error"
    assert part.detail.startswith("Of 2 units at a time the sum misses 16.5 %; of all, taken away")
    assert "one by one, it misses 90.0" in part.detail
    assert "one by one, it is off by 3.10" in multiple.detail
    for line in (part, multiple):
        assert "452" not in line.detail + line.measure


def test_a_sum_that_is_worse_than_nothing_says_so() -> None:
    assert "further from the combined change than no change" in summed(1.4, r2_sum=-0.5).detail
    assert "explains 50.0" in summed(0.5).detail
    assert "explains 0 %" in summed(1.0, r2_sum=0.0).detail


def test_a_gap_or_miss_of_exactly_the_whole_is_a_percentage() -> None:
    assert (summed(1.0, down=1.0).scale, subtracted(1.0, 1.0).scale) == ("percent", "percent")
    assert "one by one, it misses 100" in summed(1.0, down=1.0).detail
    assert subtracted(1.0, 1.0).detail.startswith("With the mean in place of zero they miss 100")


@pytest.mark.parametrize(
    ("baseline_off_data", "why"),
    [
        (True, "The mean code is off data, so that sums from there say little of data."),
        (False, "40.0 % of the codes with one unit away from the mean code are off data, so that"),
    ],
)
def test_sums_from_where_no_data_is_have_no_word_and_the_gap_of_a_real_code(
    baseline_off_data: bool, why: str
) -> None:
    from_the_medoid = only(additivity.Gap, gap=about(0.32))
    result = only(
        additivity.Additivity,
        cannot_be_judged=True,
        baseline_off_data=baseline_off_data,
        off_data_up=about(0.4),
        by_baseline=(
            only(additivity.BaselineGap, baseline="mean code", gap=None),
            only(
                additivity.BaselineGap,
                baseline="medoid",
                gap=from_the_medoid,
                off_data_share=about(0.1),
            ),
        ),
    )
    line = answers({"additivity": result})["summed"]
    assert line.word == "Cannot be judged from the mean code"
    assert line.words == ()
    assert line.number == from_the_medoid.gap
    assert line.measure == (
        "of the combined change is missed by the sum, measured from the medoid, a real code"
    )
    assert line.detail.startswith(why)


def subtracted(
    zero: float, mean: float, off_data: float = 0.01, real: float = 0.012, spread: float = 0.01
) -> VerdictLine:
    result = only(
        subtraction.Subtraction,
        miss_zero=about(zero, spread),
        miss_mean=about(mean, spread),
        off_data_zero=about(off_data, 0.0),
    )
    flags = only(trust.Trust, real_codes_flagged=about(real, 0.0), in_sample=False)
    return answers({"subtraction": result, "trust": flags})["subtraction"]


@pytest.mark.parametrize(
    ("zero", "mean", "word"),
    [
        (0.02, 0.02, "Valid"),
        (0.3, 0.3, "No"),
        (0.3, 0.1, "No: only from the mean roughly"),
        (0.3, 0.02, "No: only from the mean valid"),
        (0.1, 0.02, "Roughly: only from the mean valid"),
        (0.1, 0.3, "Roughly"),
        (0.3, 0.245, "No"),  # The mean's interval reaches into the same class.
        (0.255, 0.1, "No to roughly"),
    ],
)
def test_the_mean_is_named_where_it_is_a_class_better_intervals_and_all(zero, mean, word) -> None:
    assert subtracted(zero, mean).word == word


def test_zeroed_codes_that_are_flagged_three_times_as_often_are_named() -> None:
    assert subtracted(0.02, 0.02, off_data=0.035).word == "Valid"
    assert subtracted(0.02, 0.02, off_data=0.037).word == "Valid, but off data"
    word = subtracted(0.3, 0.1, off_data=0.5).word
    assert word == "No: only from the mean roughly, and off data"
    assert subtracted(0.245, 0.245, off_data=0.5).word == "No to roughly, but off data"


def test_a_miss_above_the_whole_is_a_multiple() -> None:
    line = subtracted(3.88, 1.5)
    assert line.scale == "times"
    assert line.measure == "the contributions' size: the size of zeroed-unit pictures' error"
    assert line.detail.startswith("With the mean in place of zero they are off by 1.50")
    assert subtracted(0.59, 0.2).measure == (
        "of the contributions' size is missed by zeroed-unit pictures"
    )


# What cannot be said


def test_what_is_undefined_is_unknown_and_says_so() -> None:
    up = SimpleNamespace(gap=UNDEFINED, r2_sum=UNDEFINED)
    parts = {
        "additivity": only(
            additivity.Additivity,
            up=up,
            down=up,
            sets=(SimpleNamespace(units=(0, 1)),),
            cannot_be_judged=False,
        ),
        "subtraction": only(
            subtraction.Subtraction,
            miss_zero=UNDEFINED,
            miss_mean=UNDEFINED,
            off_data_zero=about(0),
        ),
    }
    found = answers(parts)
    for name in ("summed", "subtraction"):
        assert (found[name].word, found[name].words) == ("Unknown", ())
        assert found[name].detail == "The number is undefined."


def test_unknown_carries_its_reason_in_the_same_line() -> None:
    reasons = {
        "reconstruction": "every test image equals the mean.",
        "linearity": "12 fit rows are fewer than 5 for each.",
        "additivity": "the decoder gives the same image whatever the code.",
        "contributions": "no unit of the code varies.",
        "subtraction": "no unit contributes anything.",
    }
    for answer, reason in zip(answers({}, reasons=reasons).values(), reasons.values(), strict=True):
        assert (answer.word, answer.number, answer.words) == ("Unknown", None, ())
        assert answer.detail == reason[0].upper() + reason[1:]
        assert answer.section


def test_a_question_that_nobody_asked_says_that() -> None:
    for answer in answers({}).values():
        assert answer.detail == "This question was not asked."


def test_linear_without_curves_says_why() -> None:
    result = only(linearity.Linearity, linear=about(0.9, 0.001), curved=None, not_additive=None)
    line = answers({"linearity": result})["linear"]
    assert (line.word, line.detail) == (
        "Mostly",
        "Too few images to tell curved from not additive.",
    )
