"""Each word, on autoencoders whose number is known: on both sides of its threshold, and across.

A new word or threshold without both sides fails the tests that compare the lists.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from reportgen.analyses import (
    additivity,
    draws,
    health,
    linearity,
    one_picture,
    reconstruction,
    subtraction,
    tracking,
    trust,
)
from reportgen.report import words
from reportgen.report.results import VerdictLine
from reportgen.report.unit_sentences import merge_units
from reportgen.report.verdict import verdict_of
from reportgen.report.words import CAN_BE_SUMMED, IS_LINEAR, IS_VALID, RECONSTRUCTS, Scale
from reportgen.statistics.bootstrap import Estimate
from reportgen.study.study import Study
from reportgen.suite.answers import Answers
from tests.oracles import graded
from tests.oracles.graded import SETTINGS

MAKERS = {
    RECONSTRUCTS: graded.of_r2,
    IS_LINEAR: graded.of_linear_share,
    CAN_BE_SUMMED: graded.of_gap,
    IS_VALID: graded.of_miss,
}
ASKED = {
    RECONSTRUCTS: reconstruction,
    IS_LINEAR: linearity,
    CAN_BE_SUMMED: additivity,
    IS_VALID: subtraction,
}
# By scale and threshold, the truth on its worse and on its better side.
SIDES = {
    (RECONSTRUCTS, 0): (-0.2, 0.2),
    (RECONSTRUCTS, 1): (0.4, 0.6),
    (RECONSTRUCTS, 2): (0.76, 0.84),
    (IS_LINEAR, 0): (0.42, 0.58),
    (IS_LINEAR, 1): (0.74, 0.85),
    (IS_LINEAR, 2): (0.93, 0.97),
    (CAN_BE_SUMMED, 0): (0.31, 0.2),
    (CAN_BE_SUMMED, 1): (0.065, 0.038),
    (IS_VALID, 0): (0.34, 0.17),
    (IS_VALID, 1): (0.085, 0.028),
}


def lines_of(study: Study, *modules) -> dict[str, VerdictLine]:
    parts = {module.__name__.rpartition(".")[2]: module.run(study) for module in modules}
    found = verdict_of(Answers(parts), (), study.settings, {})
    return {line.question: line for line in found}


def line_of(scale: Scale, truth: float) -> VerdictLine:
    line = lines_of(MAKERS[scale](truth), ASKED[scale])[scale.question]
    assert line.number.low <= truth <= line.number.high
    return line


def test_every_threshold_of_every_scale_has_decoders_on_both_sides() -> None:
    thresholds = {(scale, at) for scale in words.SCALES for at in range(len(scale.thresholds))}
    assert set(SIDES) == thresholds
    for (scale, place), truths in SIDES.items():
        said = tuple(scale.word(truth, SETTINGS) for truth in truths)
        assert said == scale.words[place : place + 2]


@pytest.mark.parametrize(("scale", "place"), SIDES)
def test_a_decoder_on_either_side_of_a_threshold_gets_that_side_s_word_alone(scale, place) -> None:
    for truth, word in zip(SIDES[scale, place], scale.words[place:], strict=False):
        line = line_of(scale, truth)
        assert line.words == (word,)
        assert re.match(f"{word.capitalize()}($|,)", line.word)


@pytest.mark.parametrize(("scale", "place"), SIDES)
def test_a_decoder_at_a_threshold_gets_both_words(scale, place) -> None:
    worse, better = scale.words[place : place + 2]
    line = line_of(scale, words._limit(scale.thresholds[place], SETTINGS))
    assert line.words == (worse, better)
    assert line.word.startswith(f"{worse.capitalize()} to {better}")


# What is said beside the words


def beside_pca(study: Study) -> str:
    line = lines_of(study, reconstruction)[RECONSTRUCTS.question]
    return line.word.partition(", ")[2]


def beside_zeroing(study: Study) -> str:
    return lines_of(study, subtraction, trust)[IS_VALID.question].word


def sentence(study: Study, unit: int, *modules) -> str:
    parts = {m.__name__.rpartition(".")[2]: m.run(study) for m in (health, *modules)}
    units = {found.index: found for found in merge_units(Answers(parts), study.settings)}
    return units[unit].sentence


def of_what_it_follows(study: Study) -> str:
    return sentence(study, 0, tracking)


def of_what_it_draws(study: Study) -> str:
    return sentence(study, 1, tracking, draws)


def of_its_picture(study: Study) -> str:
    return sentence(study, 0, one_picture)


def from_pca(study: Study) -> Estimate:
    return reconstruction.run(study).beyond_pca


def from_the_mean(study: Study) -> Estimate:
    return subtraction.run(study).miss_mean


def flagged_more_than_allowed(study: Study) -> Estimate:
    zeroed, real = subtraction.run(study).off_data_zero, trust.run(study).real_codes_flagged.value
    return Estimate(*(end / real / SETTINGS.off_data_factor - 1 for end in ends(zeroed)))


def brightness(study: Study) -> Estimate:
    return tracking.run(study).units[0].factors[0].measure


def of_moved(study: Study) -> Estimate:
    factors = tracking.run(study).units[0].factors
    return next(factor.measure for factor in factors if factor.name == "moved")


def drawing(study: Study) -> Estimate:
    return draws.run(study).units[1].does["brightness"]


def in_context(study: Study) -> Estimate:
    return one_picture.run(study).units[0].rho_context


def ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


@dataclass(frozen=True)
class Case:
    """An autoencoder, what tells of it, and whether these words are among that."""

    make: Callable[[], Study]
    tells: Callable[[Study], str]
    said: bool
    words: str


@dataclass(frozen=True)
class Across(Case):
    """One whose number has its interval across the limit."""

    number: Callable[[Study], Estimate]
    limit: float


CASES = {
    words.ABOUT_AS_PCA: (
        Case(lambda: graded.below_pca(0.005), beside_pca, True, "about as well as PCA"),
        Case(lambda: graded.below_pca(0.02), beside_pca, False, "about as well as PCA"),
        Case(lambda: graded.above_pca(0.005), beside_pca, True, "about as well as PCA"),
        Case(lambda: graded.above_pca(0.03), beside_pca, False, "PCA"),
        Across(
            lambda: graded.beside_pca_by_chance(0.03), beside_pca, True, "about as well as PCA",
            from_pca, 0,
        ),
    ),
    words.LESS_THAN_PCA: (
        Case(lambda: graded.below_pca(0.005), beside_pca, False, "less well than PCA"),
        Case(lambda: graded.below_pca(0.02), beside_pca, True, "less well than PCA"),
        Across(
            lambda: graded.beside_pca_by_chance(0.03), beside_pca, False, "less well than PCA",
            from_pca, 0,
        ),
    ),
    words.FROM_THE_MEAN: (
        Case(lambda: graded.of_misses(0.03, 0.035), beside_zeroing, False, "only from the mean"),
        Case(
            lambda: graded.of_misses(0.03, 0.1), beside_zeroing, True,
            "Roughly: only from the mean valid",
        ),
        Case(
            lambda: graded.of_misses(0.15, 0.4), beside_zeroing, True,
            "No: only from the mean roughly",
        ),
        Across(
            lambda: graded.of_misses(0.05, 0.15), beside_zeroing, False, "only from the mean",
            from_the_mean, SETTINGS.small_gap,
        ),
    ),
    words.OFF_DATA: (
        Case(lambda: graded.zeroed_off_data(0.003), beside_zeroing, False, "off data"),
        Case(lambda: graded.zeroed_off_data(0.3), beside_zeroing, True, "Valid, but off data"),
        Across(
            lambda: graded.zeroed_off_data(0.038, 20), beside_zeroing, False, "off data",
            flagged_more_than_allowed, 0,
        ),
    ),
    words.GOES_WITH: (
        Case(
            lambda: graded.going_with_brightness(0.4), of_what_it_follows, False, "brightness"
        ),
        Case(
            lambda: graded.going_with_brightness(0.6), of_what_it_follows, True,
            "goes with brightness (r 0.",
        ),
        Case(
            lambda: graded.going_with_brightness(-0.65), of_what_it_follows, True,
            "goes with brightness (r −0.",
        ),
        Across(
            lambda: graded.going_with_brightness(0.53), of_what_it_follows, False,
            "goes with brightness", brightness, SETTINGS.tracked_correlation,
        ),
        Across(
            lambda: graded.going_with_brightness(0.47), of_what_it_follows, True,
            "may go with brightness (r 0.", brightness, SETTINGS.tracked_correlation,
        ),
        Case(lambda: graded.going_with_a_class(0.8), of_what_it_follows, False, "AUC"),
        Case(
            lambda: graded.going_with_a_class(0.9), of_what_it_follows, True,
            "is high for moved (AUC 0.",
        ),
        Across(
            lambda: graded.going_with_a_class(0.86), of_what_it_follows, False, "is high",
            of_moved, SETTINGS.tracked_auc,
        ),
        Across(
            lambda: graded.going_with_a_class(0.84), of_what_it_follows, True,
            "may be low for not (AUC 0.", of_moved, SETTINGS.tracked_auc,
        ),
    ),
    words.DRAWS: (
        Case(
            lambda: graded.drawing_brightness(0.15), of_what_it_draws, False, "draws brightness"
        ),
        Case(
            lambda: graded.drawing_brightness(0.15), of_what_it_draws, True,
            "goes with brightness",
        ),
        Case(lambda: graded.drawing_brightness(0.25), of_what_it_draws, True, "draws brightness"),
        Across(
            lambda: graded.drawing_brightness(0.2, 0.6), of_what_it_draws, False,
            "draws brightness", drawing, SETTINGS.drawn_deviations,
        ),
        Across(
            lambda: graded.drawing_brightness(0.2, 0.6), of_what_it_draws, True,
            "and may draw it", drawing, SETTINGS.drawn_deviations,
        ),
    ),
    words.SAME_PICTURE: (
        Case(lambda: graded.of_one_picture(0.85), of_its_picture, False, "the same picture"),
        Case(
            lambda: graded.of_one_picture(0.95), of_its_picture, True,
            "the same picture in every image",
        ),
        Across(
            lambda: graded.of_one_picture(0.9), of_its_picture, False, "the same picture",
            in_context, SETTINGS.same_picture,
        ),
    ),
}  # fmt: skip


def test_everything_said_beside_a_word_has_decoders_on_both_sides_and_across() -> None:
    assert set(CASES) == set(words.ADDITIONS)
    for cases in CASES.values():
        assert {case.said for case in cases} == {True, False}
        assert any(isinstance(case, Across) for case in cases)


@pytest.mark.parametrize("case", [case for cases in CASES.values() for case in cases])
def test_what_is_said_beside_a_word_is_said_on_its_side_alone(case) -> None:
    study = case.make()
    assert (case.words in case.tells(study)) == case.said
    if isinstance(case, Across):
        number = case.number(study)
        assert number.low < case.limit < number.high


# What has no word


@pytest.mark.parametrize(
    ("flagged", "weight", "word"),
    [(0.12, 1, "No"), (0.4, 1, words.CANNOT_BE_JUDGED), (0.4, 0, "Yes")],
)
def test_sums_are_not_judged_from_where_over_a_quarter_of_moved_codes_are_off_data(
    flagged, weight, word
) -> None:
    """Two normal units that go together and multiply, so that (z₀, 0) leaves their ellipse."""
    study = graded.with_product(weight, correlation=graded.off_data_of_solo(flagged))
    assert lines_of(study, additivity)[CAN_BE_SUMMED.question].word == word
