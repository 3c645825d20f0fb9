"""Matching by correlation, against closed forms and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from reportgen.statistics.bootstrap import Bootstrap
from reportgen.statistics.matching import (
    correlations,
    match,
    rank_correlations,
    relative_strength,
    resampled_correlations,
)


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(60, 4))


def test_correlations_are_pearson_s_and_spearman_s(values: np.ndarray) -> None:
    other = np.random.default_rng(2).normal(size=(60, 3)) + values[:, :3]
    for i in range(4):
        for k in range(3):
            pearson = stats.pearsonr(values[:, i], other[:, k]).statistic
            spearman = stats.spearmanr(values[:, i], other[:, k]).statistic
            assert correlations(values, other)[i, k] == pytest.approx(pearson)
            assert rank_correlations(values, other)[i, k] == pytest.approx(spearman)


def test_what_does_not_vary_goes_with_nothing(values: np.ndarray) -> None:
    values[:, 1] = 3
    assert (correlations(values, values)[1] == 0).all()


def test_permuted_and_flipped_columns_are_found_again(values: np.ndarray) -> None:
    order = np.array([2, 0, 3, 1])
    other = values[:, order] * [1, -1, 1, -1]
    rows, columns = match(np.abs(correlations(values, other)))
    assert (order[columns] == rows).all()


def test_resampled_correlations_are_those_of_the_resampled_rows(values: np.ndarray) -> None:
    other = values + np.random.default_rng(3).normal(size=values.shape)
    bootstrap = Bootstrap(60, 5, seed=0)
    found = resampled_correlations(values, other, bootstrap)
    for weights, row in zip(bootstrap.weights, found, strict=True):
        drawn = np.repeat(np.arange(60), weights.astype(int))
        for column, r in enumerate(row):
            expected = stats.pearsonr(values[drawn, column], other[drawn, column]).statistic
            assert r == pytest.approx(expected)


def test_relative_strength_is_one_for_a_permutation_and_one_over_k_where_all_are_alike() -> None:
    assert relative_strength(np.eye(5)[[3, 1, 0, 4, 2]]) == 1
    assert relative_strength(np.ones((4, 4))) == pytest.approx(1 / 4)
    assert relative_strength(np.zeros((3, 3))) == 0


def test_relative_strength_is_the_one_of_duan_and_others() -> None:
    strength = np.random.default_rng(4).uniform(size=(3, 5))
    by_column = [max(c) ** 2 / sum(c) for c in strength.T.tolist()]
    by_row = [max(r) ** 2 / sum(r) for r in strength.tolist()]
    expected = (sum(by_column) / 5 + sum(by_row) / 3) / 2
    assert relative_strength(strength) == pytest.approx(expected)
