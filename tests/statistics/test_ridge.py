"""The penalty by folds and the one-standard-error rule: scikit-learn's Ridge, fold by fold."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from reportgen.statistics import regression, ridge
from reportgen.statistics.blocks import column_blocks
from reportgen.statistics.bootstrap import Bootstrap
from reportgen.statistics.regression import Affine, Splines, variance_shares
from reportgen.statistics.ridge import RIDGES, chosen_ridge, ridge_fit


def centred(values: np.ndarray) -> np.ndarray:
    return values - values.mean(axis=0)


def data(rows: int, strength: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Eight features of which two tell something of thirty noisy targets."""
    generator = np.random.default_rng(seed)
    features = centred(generator.normal(size=(rows, 8)))
    told = features[:, :2] @ generator.normal(size=(2, 30))
    return features, centred(strength * told + generator.normal(size=(rows, 30)))


def by_scikit_learn(features: np.ndarray, targets: np.ndarray, seed: int) -> float:
    """Every penalty on every fold, and the rule as METHODS states it."""
    generator = np.random.default_rng([seed, 5])
    errors = []
    for _ in range(4):
        folds = generator.permutation(np.arange(len(features)) % 5)
        for fold in range(5):
            kept, out = folds != fold, folds == fold
            row = []
            for penalty in RIDGES:
                fitted = np.zeros_like(targets[out])
                if np.isfinite(penalty):
                    model = Ridge(alpha=penalty * kept.sum(), fit_intercept=False)
                    fitted = model.fit(features[kept], targets[kept]).predict(features[out])
                row.append(np.square(targets[out] - fitted).sum() / out.sum())
            errors.append(row)
    table = np.array(errors)
    best = table.mean(axis=0).argmin()
    allowed = [
        penalty
        for penalty, column in zip(RIDGES, table.T, strict=True)
        if (column - table[:, best]).mean() <= np.std(column - table[:, best], ddof=1) / np.sqrt(5)
    ]
    return max(allowed)


@pytest.mark.parametrize("strength", [0.0, 0.05, 0.15, 0.3, 1.0, 10.0])
@pytest.mark.parametrize("rows", [60, 203])
def test_the_penalty_is_that_of_scikit_learn_s_ridge_on_the_same_folds(rows, strength) -> None:
    for seed in range(2):
        features, targets = data(rows, strength, seed)
        found = chosen_ridge(features, lambda some, t=targets: t[:, some], [slice(0, 30)], seed)
        assert found == by_scikit_learn(features, targets, seed)


def test_every_kind_of_penalty_is_chosen_somewhere() -> None:
    """From almost none, where everything is told, to infinity, where nothing is."""
    chosen = set()
    for strength in (0.0, 0.1, 0.2, 0.5, 3.0, 30.0, 1000.0):
        for seed in range(3):
            features, targets = data(100, strength, seed)
            chosen.add(chosen_ridge(features, lambda s, t=targets: t[:, s], [slice(0, 30)], seed))
    assert chosen >= {1e-6, 1e-2, 0.1, 1.0, np.inf}


def test_blocks_of_columns_change_nothing() -> None:
    features, targets = data(120, 0.2, 1)

    def errors(*blocks: slice) -> np.ndarray:
        folds = np.arange(120) % 5
        return ridge._errors(features, lambda some: targets[:, some], list(blocks), folds)

    np.testing.assert_allclose(errors(slice(0, 7), slice(7, 30)), errors(slice(0, 30)), rtol=1e-9)


@pytest.mark.parametrize("penalty", [1e-4, 1.0])
def test_the_fit_is_scikit_learn_s(penalty: float) -> None:
    features, targets = data(90, 1.0, 2)
    expected = Ridge(alpha=penalty * 90, fit_intercept=False).fit(features, targets).coef_.T
    np.testing.assert_allclose(
        ridge_fit(features, features.T @ targets, penalty), expected, rtol=1e-8
    )


def test_an_infinite_penalty_fits_nothing() -> None:
    features, targets = data(90, 1.0, 2)
    assert not ridge_fit(features, features.T @ targets, np.inf).any()


def test_too_few_rows_for_five_folds_have_no_curves() -> None:
    features, targets = data(9, 10.0, 0)
    assert chosen_ridge(features, lambda some: targets[:, some], [slice(0, 30)], 0) == np.inf


def large(pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of so many pixels, whose curves matter and whose noise does too."""
    generator = np.random.default_rng(4)
    codes = generator.normal(size=(300, 3))
    shown = np.hstack([codes, 0.2 * (np.tanh(2 * codes) + codes**2)])
    images = shown @ generator.normal(size=(6, pixels)) + generator.normal(size=(300, pixels))
    return codes, images.astype(np.float32)


def test_large_images_have_their_penalty_from_a_sketch_which_is_the_same() -> None:
    codes, images = large(6000)
    linear = Affine(codes, images)
    sketched = Splines(codes, images, linear, 0)
    residual = regression._Residual(linear, codes, images)
    whole = chosen_ridge(sketched.features(codes), residual.of, column_blocks(images), 0)
    assert sketched.ridge == whole
    assert np.isfinite(whole)


def test_a_given_penalty_is_taken() -> None:
    codes, images = large(20)
    linear = Affine(codes, images)
    assert Splines(codes, images, linear, 0, ridge=0.1).ridge == 0.1


def test_only_the_regressors_that_may_curve_do() -> None:
    """Each square is one target, so that a unit's curve explains its own part of the variance."""
    codes = np.random.default_rng(6).uniform(-1, 1, size=(2000, 2))
    images = codes**2
    parts = images[1000:].var(axis=0) / images[1000:].var(axis=0).sum()
    for bent, expected in (([0], parts[0]), ([1], parts[1]), ([0, 1], 1.0)):
        shares = variance_shares(
            (codes[:1000], images[:1000]),
            (codes[1000:], images[1000:]),
            Bootstrap(1000, 100, 0),
            0,
            bent=np.array(bent),
        )
        assert shares.linear.value + shares.curved.value == pytest.approx(expected, abs=0.03)


def test_shares_that_predict_worse_than_nothing_are_zero_and_the_three_sum_to_one() -> None:
    """Targets unrelated to the codes: R² on other rows is below 0, a share is not."""
    for seed in range(5):
        generator = np.random.default_rng(seed)
        codes, images = generator.normal(size=(160, 3)), generator.normal(size=(160, 10))
        shares = variance_shares(
            (codes[:80], images[:80]), (codes[80:], images[80:]), Bootstrap(80, 200, 0), 0
        )
        assert shares.linear.value == shares.linear.low == 0
        assert (shares.curved.value, shares.not_additive.value) == (0, 1)
        assert shares.ridge is None or shares.ridge >= 0.1
        for part in (shares.linear, shares.curved, shares.not_additive):
            assert 0 <= part.low <= part.value <= part.high <= 1


def test_intervals_of_shares_are_those_of_shares_and_not_of_r2() -> None:
    """Every resample is cut as the value is: the three of each sum to one as well."""
    generator = np.random.default_rng(7)
    missed_linear, missed, total = generator.uniform(1, 2, size=(3, 50))
    parts = [
        function(*terms)
        for function, terms in (
            (regression._linear, (missed_linear, total)),
            (regression._curved, (missed_linear, missed, total)),
            (regression._not_additive, (missed_linear, missed, total)),
        )
    ]
    np.testing.assert_allclose(np.sum(parts, axis=0), 1, rtol=1e-12)
    assert np.min(parts) >= 0
    np.testing.assert_allclose(parts[0], np.maximum(0, 1 - missed_linear / total), rtol=1e-12)
