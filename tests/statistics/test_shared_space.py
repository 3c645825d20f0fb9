"""The same space in other axes: scikit-learn's Ridge and CCA, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cross_decomposition import CCA
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from reportgen.statistics.ridge import chosen_ridge
from reportgen.statistics.shared_space import (
    Variables,
    explained_by,
    mean_canonical_correlation,
)


def related(rows: int = 400, seed: int = 0) -> tuple[Variables, Variables]:
    """Three and five variables that share three causes, with noise."""
    generator = np.random.default_rng(seed)
    causes = generator.normal(size=(rows, 3))
    first = causes @ generator.normal(size=(3, 3)) + 0.5 * generator.normal(size=(rows, 3))
    second = causes @ generator.normal(size=(3, 5)) + 0.5 * generator.normal(size=(rows, 5))
    half = rows // 2
    return Variables(first[:half], first[half:]), Variables(second[:half], second[half:])


def test_explained_is_scikit_learn_s_ridge_on_rows_it_was_not_fitted_on() -> None:
    targets, others = related()
    inputs, outputs = StandardScaler().fit(others.fit), StandardScaler().fit(targets.fit)
    x, y = inputs.transform(others.fit), outputs.transform(targets.fit)
    penalty = chosen_ridge(x, lambda some: y[:, some], [slice(0, 3)], 0)
    model = Ridge(alpha=penalty * len(x), fit_intercept=False).fit(x, y)
    expected = r2_score(
        outputs.transform(targets.test),
        model.predict(inputs.transform(others.test)),
        multioutput="raw_values",
    )
    np.testing.assert_allclose(explained_by(targets, others, 0), expected, rtol=1e-9)
    assert 0.3 < expected.min() < expected.max() < 1


def test_the_canonical_correlation_is_scikit_learn_s_on_rows_it_was_not_fitted_on() -> None:
    first, second = related()
    fitted = CCA(n_components=3, max_iter=10_000, tol=1e-12).fit(first.fit, second.fit)
    one, other = fitted.transform(first.test, second.test)
    expected = [np.corrcoef(one[:, k], other[:, k])[0, 1] for k in range(3)]
    found = mean_canonical_correlation(first, second)
    assert found == pytest.approx(np.mean(np.maximum(0, expected)), abs=1e-4)
    assert 0.5 < found < 0.99


def test_a_mixture_is_the_same_space_and_its_scale_does_not_matter() -> None:
    first, _ = related()
    mixing = np.random.default_rng(1).normal(size=(3, 3)) * [1e-4, 1, 1e3]
    mixed = Variables(first.fit @ mixing + 7, first.test @ mixing + 7)
    np.testing.assert_allclose(explained_by(first, mixed, 0), 1, atol=1e-4)
    assert mean_canonical_correlation(first, mixed) == pytest.approx(1, abs=1e-9)


def test_a_constant_variable_and_a_copy_change_nothing() -> None:
    first, second = related()

    def widened(part: np.ndarray) -> np.ndarray:
        return np.column_stack([part, np.full(len(part), 3.0), part[:, 0]])

    wide = Variables(widened(second.fit), widened(second.test))
    assert mean_canonical_correlation(first, wide) == pytest.approx(
        mean_canonical_correlation(first, second), abs=1e-9
    )
    np.testing.assert_allclose(
        explained_by(first, wide, 0), explained_by(first, second, 0), atol=0.02
    )


def test_unrelated_variables_explain_nothing() -> None:
    first, _ = related(2000)
    _, second = related(2000, seed=9)
    assert np.abs(explained_by(first, second, 0)).max() < 0.03
    assert mean_canonical_correlation(first, second) < 0.1


def test_as_many_variables_as_rows_have_no_canonical_correlation() -> None:
    generator = np.random.default_rng(2)
    first = Variables(*generator.normal(size=(2, 10, 3)))
    second = Variables(*generator.normal(size=(2, 10, 9)))
    assert np.isnan(mean_canonical_correlation(first, second))
    assert np.isfinite(mean_canonical_correlation(first, first))
