"""M27: Shapley effects of linear decoders, against closed forms and shapiq's definition."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from reportgen.analyses import DoesNotApplyError, UnanswerableError, dependent_shares
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders


def correlated(units: int, r: float, rows: int = 400) -> np.ndarray:
    generator = np.random.default_rng(3)
    common = generator.normal(size=(rows, 1))
    own = generator.normal(size=(rows, units))
    return (np.sqrt(r) * common + np.sqrt(1 - r) * own).astype(np.float32)


def carried(units: int, r: float = 0.8, rows: int = 400) -> Study:
    return decoders.carrying(decoders.linear(units), correlated(units, r, rows), settings=FEW)


def test_two_gaussian_units_have_owen_and_prieur_s_closed_form() -> None:
    """One pixel, β₁x₁ + β₂x₂ with correlation ρ, all three as they are in these test images."""
    codes = correlated(2, 0.7)
    study = decoders.carrying(
        lambda z: 0.5 + (2 * z[:, :1] + 3 * z[:, 1:]) @ decoders.directions(1), codes, settings=FEW
    )
    result = dependent_shares.run(study)
    (first, covariance), (_, second) = np.cov(study.test.codes.astype(np.float64).T)
    rho2, cross = covariance**2 / (first * second), 6 * covariance
    alone = 4 * first, 9 * second
    effects = [
        alone[0] * (1 - rho2 / 2) + cross + alone[1] * rho2 / 2,
        alone[1] * (1 - rho2 / 2) + cross + alone[0] * rho2 / 2,
    ]
    np.testing.assert_allclose(result.shares, effects / np.sum(effects), rtol=1e-5)
    assert result.linear_share == pytest.approx(1, abs=1e-5)
    correlation = np.corrcoef(study.fit.codes.T.astype(np.float64))[0, 1]
    assert result.largest_correlation == pytest.approx(correlation, abs=1e-9)
    assert (result.permutations, result.error, result.rows) == (0, 0, len(study.test))


def test_shares_are_means_over_all_orders_of_scikit_learn_s_regressions() -> None:
    study = carried(4)
    result = dependent_shares.run(study)
    codes, images = study.test.codes.astype(np.float64), study.test.reconstructions
    fitted = LinearRegression().fit(study.fit.codes.astype(np.float64), study.fit.reconstructions)
    linear = fitted.predict(codes)

    def known(units: tuple[int, ...]) -> float:
        if not units:
            return 0.0
        columns = codes[:, units]
        return LinearRegression().fit(columns, linear).predict(columns).var(axis=0).sum()

    parts = np.zeros(4)
    for order in permutations(range(4)):
        for place, unit in enumerate(order):
            parts[unit] += known(order[: place + 1]) - known(order[:place])
    np.testing.assert_allclose(result.shares, parts / parts.sum(), rtol=1e-4)
    assert result.shares.sum() == pytest.approx(1)
    assert images.shape[0] == result.rows
    assert np.isfinite(result.path_shares).all()


def test_a_copy_halves_the_share() -> None:
    codes = correlated(2, 0)
    copied = np.concatenate([codes, codes[:, :1]], axis=1)
    pictures = decoders.directions(2)
    study = decoders.carrying(
        lambda z: 0.5 + (z[:, :1] + z[:, 2:]) / 2 @ pictures[:1] + z[:, 1:2] @ pictures[1:],
        copied,
        settings=FEW,
    )
    result = dependent_shares.run(study)
    alone = study.test.codes[:, :2].var(axis=0, dtype=np.float64)
    assert result.shares[0] == pytest.approx(result.shares[2], rel=1e-6)
    expected = alone[0] / alone.sum()
    assert 2 * result.shares[0] == pytest.approx(expected, abs=0.02)


def test_more_than_ten_units_are_taken_in_seeded_orders() -> None:
    study = carried(12, rows=800)
    result = dependent_shares.run(study)
    assert result.permutations == 512
    assert 0 < result.error < 0.02
    assert result.shares.min() > 0
    exact = dependent_shares._over_all_orders(
        *dependent_shares._moments(study, np.arange(12))[:2], [1] * 12
    )
    np.testing.assert_allclose(result.shares, exact / exact.sum(), atol=4 * result.error)


def test_units_that_do_not_go_together_are_not_asked_about() -> None:
    with pytest.raises(DoesNotApplyError, match="go together"):
        dependent_shares.run(carried(3, 0.0))


def test_too_few_images_for_a_regression_are_said() -> None:
    study = carried(8, rows=60)
    with pytest.raises(UnanswerableError, match="30 fit images are fewer than 5 for each"):
        dependent_shares.run(study)
