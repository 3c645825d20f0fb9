"""Fits without each group of rows, against scikit-learn's refits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge

from reportgen.statistics.fit_uncertainty import jackknife_deviation, jackknife_groups
from reportgen.statistics.jackknife import (
    RANDOM_SUMS,
    pca_errors_without_groups,
    random_sums,
    squares_left_without_groups,
)
from reportgen.statistics.pca import fit_pca


def regression_data(targets: int) -> tuple[tuple, tuple, np.ndarray]:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(150, 6))
    mixing = generator.normal(size=(6, targets)) / 3
    noise = generator.normal(size=(150, targets))
    values = 5 + features @ mixing + np.square(features[:, :1]) + noise
    groups = jackknife_groups(np.arange(90), seed=1)
    return (features[:90], values[:90]), (features[90:], values[90:]), groups


@pytest.mark.parametrize("penalty", [0.0, 0.3])
def test_squares_without_each_group_are_those_of_scikit_learn_s_refits(penalty: float) -> None:
    fit, test, groups = regression_data(8)
    found, total = squares_left_without_groups(fit, test, groups, np.full(6, penalty), seed=0)
    for group, left in enumerate(found):
        kept = groups != group
        model = Ridge(penalty * kept.sum()) if penalty else LinearRegression()
        model.fit(fit[0][kept], fit[1][kept])
        expected = np.square(test[1] - model.predict(test[0])).sum()
        assert left == pytest.approx(expected, rel=1e-6)
    assert total == pytest.approx(np.square(test[1] - test[1].mean(axis=0)).sum(), rel=1e-9)


def test_features_with_an_infinite_penalty_are_left_out_and_copies_do_no_harm() -> None:
    fit, test, groups = regression_data(8)
    twice = [(np.hstack([part[0], part[0][:, :2]]), part[1]) for part in (fit, test)]
    penalties = np.array([0, 0, 0, np.inf, np.inf, np.inf, 0, 0])
    found, _ = squares_left_without_groups(*twice, groups, penalties, seed=0)
    few = [(part[0][:, :3], part[1]) for part in (fit, test)]
    expected, _ = squares_left_without_groups(*few, groups, np.zeros(3), seed=0)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_random_sums_of_many_targets_give_the_same_deviation_within_their_standard_error() -> None:
    """What is left lies almost along one direction, the worst there is."""
    fit, test, groups = regression_data(2_000)
    found, total = squares_left_without_groups(fit, test, groups, np.zeros(6), seed=0)
    lefts = []
    for group in range(10):
        kept = groups != group
        model = LinearRegression().fit(fit[0][kept], fit[1][kept])
        lefts.append(np.square(test[1] - model.predict(test[0])).sum())
    standard_error = np.sqrt(2 / RANDOM_SUMS)
    np.testing.assert_allclose(found, lefts, rtol=3 * standard_error)
    spread = np.square(test[1] - test[1].mean(axis=0)).sum()
    assert total == pytest.approx(spread, rel=3 * standard_error)
    deviations = jackknife_deviation(found), jackknife_deviation(np.array(lefts))
    assert deviations[0] == pytest.approx(deviations[1], rel=3 * standard_error)


def test_random_sums_are_the_targets_themselves_where_those_are_few() -> None:
    few = np.random.default_rng(0).normal(size=(7, RANDOM_SUMS))
    np.testing.assert_array_equal(random_sums(few, 0), few)
    many = np.random.default_rng(0).normal(size=(7, 3 * RANDOM_SUMS))
    assert random_sums(many, 0).shape == (7, RANDOM_SUMS)


@pytest.fixture(scope="module")
def images() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    axes = np.linalg.qr(generator.normal(size=(60, 60)))[0]
    spread = 1.12 ** -np.arange(60)
    pixels = 0.5 + (generator.normal(size=(500, 60)) * spread) @ axes
    return pixels[:250].astype(np.float32), pixels[250:].astype(np.float32)


def refits(images: tuple[np.ndarray, np.ndarray], groups: np.ndarray, counts: list[int]):
    """(G, counts) Σ‖x − x̂‖² of scikit-learn's PCA."""
    fit, test = (part.astype(np.float64) for part in images)
    errors = np.empty((10, len(counts)))
    for group in range(10):
        pca = PCA(svd_solver="full").fit(fit[groups != group])
        scores = pca.transform(test)
        total = np.square(test - pca.mean_).sum()
        errors[group] = [total - np.square(scores[:, :count]).sum() for count in counts]
    return errors


def test_with_all_components_pca_without_a_group_is_scikit_learn_s(images) -> None:
    groups = jackknife_groups(np.arange(250), seed=0)
    found = pca_errors_without_groups(fit_pca(images[0], 60, 0), *images, groups)
    counts = [0, 1, 5, 20, 59]
    np.testing.assert_allclose(found[:, counts], refits(images, groups, counts), rtol=1e-6)


def test_twice_as_many_components_are_enough_for_the_deviation(images) -> None:
    groups = jackknife_groups(np.arange(250), seed=0)
    found = pca_errors_without_groups(fit_pca(images[0], 20, 0), *images, groups)
    counts = [0, 1, 5, 10]
    expected = jackknife_deviation(refits(images, groups, counts))
    np.testing.assert_allclose(jackknife_deviation(found[:, counts]), expected, rtol=0.05)
