"""What the fit half adds to an interval: closed forms of means."""

from __future__ import annotations

import numpy as np
import pytest

from reportgen.statistics.bootstrap import Estimate
from reportgen.statistics.fit_uncertainty import (
    deviation_about_first,
    drawn_means,
    jackknife_deviation,
    jackknife_groups,
    widened,
)


def test_half_widths_add_in_quadrature() -> None:
    found = widened(Estimate(10, 7, 14), 4 / 1.959963984540054)
    assert (found.value, found.low, found.high) == (
        10,
        pytest.approx(5),
        pytest.approx(10 + 32**0.5),
    )


def test_a_corrected_interval_is_widened_about_its_own_centre() -> None:
    """The value may lie outside it."""
    found = widened(Estimate(10, 4, 8), 1.5 / 1.959963984540054, centre=6)
    assert (found.value, found.low, found.high) == (10, pytest.approx(3.5), pytest.approx(8.5))


def test_an_interval_stays_within_what_the_number_can_be_and_is_never_narrowed() -> None:
    found = widened(Estimate(0.9, 0.8, 0.95), 1.0, least=0, largest=1)
    assert (found.low, found.high) == (0, 1)
    outside = widened(Estimate(0.5, 0.6, 0.7), 0.0)
    assert (outside.low, outside.high) == (0.5, 0.7)


def test_what_is_not_known_changes_nothing() -> None:
    estimate = Estimate(1.0, 0.5, 2.0)
    assert widened(estimate, float("nan")) == estimate


def test_groups_are_even_and_hold_copies_together() -> None:
    groups = jackknife_groups(np.arange(95), seed=3)
    assert sorted(np.bincount(groups)) == [9] * 5 + [10] * 5
    copies = np.repeat(np.arange(50), 4)
    of_copies = jackknife_groups(copies, seed=3).reshape(50, 4)
    assert (of_copies == of_copies[:, :1]).all()


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    """With groups of one row it is exactly sd/√n (ddof 1)."""
    values = np.random.default_rng(0).normal(size=10)
    without = np.array([np.delete(values, row).mean() for row in range(10)])
    expected = values.std(ddof=1) / np.sqrt(10)
    assert jackknife_deviation(without) == pytest.approx(expected, rel=1e-12)


def test_drawn_means_have_the_covariance_of_a_mean() -> None:
    generator = np.random.default_rng(1)
    codes = generator.normal(size=(400, 3)) @ generator.normal(size=(3, 3)) + 7
    drawn = np.concatenate([drawn_means(codes, np.arange(400), seed) for seed in range(1000)])
    np.testing.assert_allclose(drawn.mean(axis=0), codes.mean(axis=0), atol=0.02)
    expected = np.cov(codes.T, ddof=0) / 400
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(np.cov(drawn.T) / scale, expected / scale, atol=0.07)


def test_copies_are_drawn_as_one_image() -> None:
    """Four copies of 100 codes: the mean of 100."""
    codes = np.random.default_rng(1).normal(size=(100, 1)).repeat(4, axis=0)
    copies = np.repeat(np.arange(100), 4)
    drawn = np.concatenate([drawn_means(codes, copies, seed) for seed in range(1000)])
    assert drawn.std() == pytest.approx(codes.std() / 10, rel=0.05)


def test_a_deviation_is_about_the_value_at_the_mean_code_itself() -> None:
    found = deviation_about_first(np.array([[1.0, 5], [2, 5], [0, 5], [3, 5], [1, 5]]))
    assert found.tolist() == [pytest.approx(np.sqrt(6 / 4)), 0]
