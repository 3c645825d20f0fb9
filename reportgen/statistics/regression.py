"""Regressions that say what is linear, what is curved and what is neither: affine maps, splines."""

from __future__ import annotations

import numpy as np

RIDGES = (1e-6, 1e-4, 1e-2)
KNOTS = 8


class Affine:
    """Least squares of targets (n, P) on regressors (n, m), with an intercept, standardised."""

    def __init__(self, regressors: np.ndarray, targets: np.ndarray) -> None:
        self._centre = regressors.mean(axis=0)
        scale = regressors.std(axis=0)
        self._scale = np.where(scale > 0, scale, 1)
        self.mean = targets.mean(axis=0, dtype=np.float64)
        self.coefficients, *_ = np.linalg.lstsq(
            self._standardised(regressors), targets - self.mean, rcond=None
        )

    def _standardised(self, regressors: np.ndarray) -> np.ndarray:
        return (regressors - self._centre) / self._scale

    def predict(self, regressors: np.ndarray) -> np.ndarray:
        """The fitted targets, (n, P)."""
        return self.mean + self._standardised(regressors) @ self.coefficients


class Splines:
    """Ridge regression of the linear fit's residual on cubic splines of each regressor.

    The splines (8 quantile knots, linear beyond them) are residualised against the regressors, so
    that they can only explain what a linear map cannot. With `products`, the product of every two
    regressors is a feature too. `ridge` is the penalty chosen on a seeded split of the rows.
    """

    def __init__(
        self,
        regressors: np.ndarray,
        targets: np.ndarray,
        linear: Affine,
        seed: int,
        *,
        products: bool = False,
    ) -> None:
        from sklearn.preprocessing import SplineTransformer

        self._basis = SplineTransformer(
            n_knots=KNOTS, knots="quantile", extrapolation="linear", include_bias=False
        ).fit(regressors)
        self._products = products
        self._centre, self._scale = regressors.mean(axis=0), regressors.std(axis=0)
        features = self._raw_features(regressors)
        self._linear_part = Affine(regressors, features)
        features = features - self._linear_part.predict(regressors)
        residual = targets - linear.predict(regressors)
        self.ridge = _chosen_ridge(features, residual, seed)
        self._coefficients = _ridge_fit(features, residual, self.ridge)

    def _raw_features(self, regressors: np.ndarray) -> np.ndarray:
        splines = self._basis.transform(regressors)
        if not self._products:
            return splines
        scaled = (regressors - self._centre) / self._scale
        first, second = np.triu_indices(regressors.shape[1], k=1)
        return np.hstack([splines, scaled[:, first] * scaled[:, second]])

    def predict(self, regressors: np.ndarray) -> np.ndarray:
        """What the linear fit misses, (n, P)."""
        features = self._raw_features(regressors) - self._linear_part.predict(regressors)
        return features @ self._coefficients


def _ridge_fit(features: np.ndarray, targets: np.ndarray, ridge: float) -> np.ndarray:
    penalty = ridge * len(features) * np.eye(features.shape[1])
    return np.linalg.solve(features.T @ features + penalty, features.T @ targets)


def _chosen_ridge(features: np.ndarray, targets: np.ndarray, seed: int) -> float:
    """The penalty with the smallest error on a seeded quarter of the rows."""
    shuffled = np.random.default_rng([seed, 5]).permutation(len(features))
    held_out, kept = shuffled[: len(features) // 4], shuffled[len(features) // 4 :]

    def error(ridge: float) -> float:
        fitted = features[held_out] @ _ridge_fit(features[kept], targets[kept], ridge)
        return float(np.square(targets[held_out] - fitted).sum())

    return min(RIDGES, key=error)
