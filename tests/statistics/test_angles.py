"""Angles between pictures, in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from reportgen.statistics.angles import absolute_cosines, contrast


def at_angle(angle: float, pixels: int = 6) -> np.ndarray:
    """Two pictures of different lengths at that angle."""
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(pixels, 2)))[0].T
    return np.stack([3 * basis[0], -0.2 * (np.cos(angle) * basis[0] + np.sin(angle) * basis[1])])


@pytest.mark.parametrize("angle", [0.1, 0.7, np.pi / 2])
def test_two_pictures_at_an_angle_have_its_cosine_and_minus_the_log_of_its_sine(angle) -> None:
    pictures = at_angle(angle)
    assert absolute_cosines(pictures)[0, 1] == pytest.approx(abs(np.cos(angle)), abs=1e-12)
    assert contrast(pictures) == pytest.approx(-np.log(np.sin(angle)), abs=1e-12)


def test_orthogonal_pictures_have_no_contrast_and_dependent_ones_an_infinite() -> None:
    orthogonal = np.linalg.qr(np.random.default_rng(1).normal(size=(9, 4)))[0].T
    assert contrast(orthogonal * np.arange(1, 5)[:, None]) == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(absolute_cosines(orthogonal), np.eye(4), atol=1e-12)
    assert contrast(np.random.default_rng(2).normal(size=(4, 3))) == np.inf
    assert contrast(np.stack([orthogonal[0], orthogonal[0]])) > 15


def test_pictures_that_are_rounding_take_no_part() -> None:
    pictures = np.concatenate([at_angle(0.7), 1e-9 * np.ones((1, 6)), np.zeros((1, 6))])
    assert contrast(pictures) == pytest.approx(-np.log(np.sin(0.7)), abs=1e-12)
    cosines = absolute_cosines(pictures)
    assert np.isnan(cosines[2:]).all()
    assert cosines[0, 1] == pytest.approx(np.cos(0.7))
    assert contrast(np.zeros((3, 6))) == 0
