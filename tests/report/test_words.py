"""Words from both sides of every threshold, with intervals across it, and the table of them all."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from reportgen.analyses.health import UnitState
from reportgen.report import words
from reportgen.report.words import (
    CAN_BE_SUMMED,
    IS_LINEAR,
    IS_VALID,
    RECONSTRUCTS,
    SCALES,
    Drawing,
    Word,
    spoken,
)
from reportgen.settings import Settings
from reportgen.statistics.bootstrap import UNDEFINED, Estimate, weaker_end

SETTINGS = Settings()
METHODS = Path(__file__).resolve().parents[2] / "docs" / "methods.md"
NAN = float("nan")


@pytest.mark.parametrize(
    ("scale", "value", "word"),
    [
        *((RECONSTRUCTS, value, word) for value, word in
          [(-0.001, "no"), (0.0, "poorly"), (0.499, "poorly"), (0.5, "partly"), (0.799, "partly"),
           (0.8, "well"), (1.0, "well")]),
        *((IS_LINEAR, value, word) for value, word in
          [(0.0, "no"), (0.499, "no"), (0.5, "partly"), (0.799, "partly"), (0.8, "mostly"),
           (0.949, "mostly"), (0.95, "linear"), (1.0, "linear")]),
        *((CAN_BE_SUMMED, value, word) for value, word in
          [(0.0, "yes"), (0.0499, "yes"), (0.05, "roughly"), (0.2499, "roughly"), (0.25, "no"),
           (4.5, "no")]),
        *((IS_VALID, value, word) for value, word in
          [(0.0, "valid"), (0.0499, "valid"), (0.05, "roughly"), (0.2499, "roughly"), (0.25, "no"),
           (3.88, "no")]),
    ],
)  # fmt: skip
def test_each_word_is_said_on_its_side_of_each_threshold(scale, value, word) -> None:
    assert scale.word(value, SETTINGS) == word
    assert scale.of(Estimate(value, value, value), SETTINGS) == (word,)


@pytest.mark.parametrize("scale", SCALES)
def test_an_interval_across_a_threshold_says_both_words(scale) -> None:
    limits = [words._limit(t, SETTINGS) for t in scale.thresholds]
    sign = -1 if scale.small_is_good else 1
    for place, limit in enumerate(limits):
        across = Estimate(limit + sign * 0.001, limit - 0.002, limit + 0.002)
        worse, better = scale.words[place], scale.words[place + 1]
        assert scale.of(across, SETTINGS) == (worse, better)
        assert spoken(scale.of(across, SETTINGS)) == f"{worse.capitalize()} to {better}"


def test_an_interval_across_two_thresholds_says_its_ends() -> None:
    found = IS_LINEAR.of(Estimate(0.7, 0.4, 0.85), SETTINGS)
    assert found == (Word.NO, Word.PARTLY, Word.MOSTLY)
    assert spoken(found) == "No to mostly"


def test_a_number_outside_its_own_interval_has_a_say_too() -> None:
    """ρ of few images may lie above its corrected interval."""
    assert IS_LINEAR.of(Estimate(0.96, 0.85, 0.9), SETTINGS) == (Word.MOSTLY, Word.LINEAR)


def test_without_an_interval_the_number_alone_decides_and_without_a_number_nothing() -> None:
    assert IS_LINEAR.of(Estimate(0.96, NAN, NAN), SETTINGS) == (Word.LINEAR,)
    assert IS_LINEAR.of(UNDEFINED, SETTINGS) == ()
    assert spoken(()) == "Unknown"


def test_thresholds_are_the_settings() -> None:
    strict = replace(SETTINGS, small_gap=0.01, linear_share=0.99, well_reconstructed=0.9)
    assert CAN_BE_SUMMED.word(0.02, strict) == Word.ROUGHLY
    assert IS_LINEAR.word(0.98, strict) == Word.MOSTLY
    assert RECONSTRUCTS.word(0.85, strict) == Word.PARTLY


@pytest.mark.parametrize(
    ("difference", "said"),
    [
        ((-0.05, -0.07, -0.03), "less well than PCA"),
        ((-0.011, -0.013, -0.0101), "less well than PCA"),
        ((-0.009, -0.012, -0.006), "about as well as PCA"),
        ((0.009, 0.006, 0.012), "about as well as PCA"),
        ((-0.05, -0.11, 0.001), "about as well as PCA"),
        ((0.05, -0.001, 0.1), "about as well as PCA"),
        ((-0.01, -0.012, -0.008), "less well than PCA"),
        ((0.01, 0.008, 0.012), ""),
        ((-0.05, -0.1, 0.0), "about as well as PCA"),
        ((0.05, 0.0, 0.1), "about as well as PCA"),
        ((0.011, 0.0101, 0.013), ""),
        ((0.2, 0.1, 0.3), ""),
    ],
)
def test_the_paired_difference_decides_what_is_said_beside_pca(difference, said) -> None:
    assert words.beside_pca(Estimate(*difference), SETTINGS) == said


def test_in_sample_nothing_is_said_beside_pca() -> None:
    assert words.beside_pca(None, SETTINGS) == ""
    assert words.beside_pca(UNDEFINED, SETTINGS) == ""


@pytest.mark.parametrize(
    ("moved", "real", "said"),
    [
        ((0.10, 0.08, 0.12), 0.02, True),
        ((0.10, 0.059, 0.14), 0.02, False),
        ((0.031, NAN, NAN), 0.0, True),
        ((0.029, NAN, NAN), 0.0, False),
        ((0.03, NAN, NAN), 0.0, False),
        ((0.061, 0.061, 0.061), 0.02, True),
        ((0.059, 0.059, 0.059), 0.02, False),
    ],
)
def test_off_data_is_said_from_three_times_real_codes_and_of_one_in_a_hundred(
    moved, real, said
) -> None:
    real = Estimate(real, NAN, NAN)
    assert words.is_off_data(Estimate(*moved), real, SETTINGS) == said


@pytest.mark.parametrize(
    ("does", "verb"),
    [
        ((0.3, 0.201, 0.4), Drawing.DRAWS),
        ((-0.3, -0.4, -0.201), Drawing.DRAWS),
        ((0.3, 0.199, 0.4), Drawing.MAY_DRAW),
        ((0.3, 0.2, 0.4), Drawing.MAY_DRAW),
        ((0.1, 0.0, 0.2), Drawing.DOES_NOT),
        ((-0.1, -0.2, 0.0), Drawing.DOES_NOT),
        ((0.0, -0.3, 0.3), Drawing.MAY_DRAW),
        ((0.1, 0.0, 0.199), Drawing.DOES_NOT),
        ((0.0, 0.0, 0.0), Drawing.DOES_NOT),
        ((0.3, NAN, NAN), Drawing.MAY_DRAW),
    ],
)
def test_draws_needs_the_weak_end_and_does_not_draw_the_strong_one(does, verb) -> None:
    assert words.draws(Estimate(*does), SETTINGS) is verb


@pytest.mark.parametrize(
    ("rho", "said"),
    [
        ((0.95, 0.9, 0.98), True),
        ((0.95, 0.899, 0.98), False),
        ((0.9, 0.91, 0.98), True),
        ((0.899, 0.91, 0.98), False),
        ((0.9, NAN, NAN), True),
        ((0.899, NAN, NAN), False),
    ],
)
def test_the_same_picture_is_said_from_nine_tenths_on_at_the_lower_of_number_and_end(
    rho, said
) -> None:
    assert words.is_same_picture(Estimate(*rho), SETTINGS) == said


def test_the_weaker_end_is_nearer_to_zero_and_zero_across_it() -> None:
    assert weaker_end(Estimate(0.5, 0.3, 0.7)) == 0.3
    assert weaker_end(Estimate(-0.5, -0.7, -0.3)) == 0.3
    assert weaker_end(Estimate(0.1, -0.1, 0.3)) == 0
    assert weaker_end(UNDEFINED) == 0


def test_the_table_in_the_documentation_is_the_one_that_words_are_made_from() -> None:
    """`python -m reportgen.command.words` prints it."""
    text = METHODS.read_text(encoding="utf-8")
    (found,) = re.findall(r"<!-- words -->\n(.*?)<!-- end of words -->", text, re.DOTALL)
    assert found.strip() == words.words_table(SETTINGS).strip()


def test_the_table_names_every_word_and_every_threshold() -> None:
    table = words.words_table(SETTINGS)
    for scale in SCALES:
        for word in scale.words:
            assert f"*{word}*" in table
        for threshold in scale.thresholds:
            assert f"{words._limit(threshold, SETTINGS):g}" in table
    for addition in words.ADDITIONS:
        assert addition.said in table
        for name in addition.settings:
            assert f"{getattr(SETTINGS, name):g}" in table


def test_states_are_said_in_plain_words() -> None:
    assert words.states((UnitState.ATOM, UnitState.IGNORED)) == "mostly one value, ignored"
    assert words.states(()) == ""
