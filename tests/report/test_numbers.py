"""How numbers are printed."""

from __future__ import annotations

import math

import pytest

from reportgen.report import numbers, phrases
from reportgen.statistics.bootstrap import Estimate


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0.8904, "0.890"),
        (12.34, "12.3"),
        (0.99996, "1.00"),
        (9.9996, "10.0"),
        (123456.0, "123,000"),
        (-0.5, "−0.500"),
        (0, "0"),
        (3.25e-7, "3.25 × 10⁻⁷"),
        (-1.5e-12, "−1.50 × 10⁻¹²"),
        (2.5e8, "2.50 × 10⁸"),
        (float("nan"), "undefined"),
        (None, "undefined"),
        (math.inf, "∞"),
    ],
)
def test_three_significant_digits(value: float | None, printed: str) -> None:
    assert numbers.number(value) == printed


@pytest.mark.parametrize(
    ("share", "printed"),
    [(0.432, "43.2"), (1.28, "128"), (0.00019, "0.019"), (-1e-9, "0"), (0, "0")],
)
def test_percentages_have_at_most_three_decimals(share: float, printed: str) -> None:
    assert numbers.percent(share) == f"{printed}\u202f%"
    assert numbers.percentage(share) == printed


def test_correlations_have_two_decimals_and_a_real_minus() -> None:
    assert numbers.signed(-0.97) == "−0.97"
    assert numbers.signed(-0.001) == "0.00"
    assert numbers.signed(1.0) == "1.00"


def test_intervals_stand_in_brackets_on_the_scale_of_their_number() -> None:
    estimate = Estimate(0.5, 0.45, 0.551)
    assert numbers.interval(estimate) == "[0.450, 0.551]"
    assert numbers.interval(estimate, "percent") == "[45.0, 55.1]"
    assert numbers.interval(Estimate(0.5, math.nan, math.nan)) == ""


def test_an_effect_that_is_rounding_is_none() -> None:
    assert not numbers.has_effect(Estimate(1e-12, 0, 1e-11))
    assert not numbers.has_effect(None)
    assert numbers.has_effect(Estimate(1e-9, 0, 1e-8))
    assert numbers.has_effect(Estimate(-0.01, -0.02, 0))


def test_sizes_have_units() -> None:
    sizes = [numbers.bytes_(size) for size in (812, 81_200, 999_600, 1_250_000)]
    assert sizes == ["812\u202fB", "81.2\u202fkB", "1.00\u202fMB", "1.25\u202fMB"]


@pytest.mark.parametrize(
    ("value", "whole", "said"),
    [
        (0.66, "", "misses 66.0 %"),
        (0.66, "the sum", "misses 66.0 % of the sum"),
        (1.0, "the sum", "misses 100 % of the sum"),
        (4.52, "", "is off by 4.52 times its size"),
        (4.52, "the sum", "is off by 4.52 times the sum"),
    ],
)
def test_what_is_missed_is_a_part_or_a_multiple_of_the_whole_that_is_named(
    value: float, whole: str, said: str
) -> None:
    assert numbers.with_plain_spaces(phrases.misses(value, whole)) == said
