"""Regressions that say what is linear, what is curved and what is neither: affine maps, splines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.statistics.bootstrap import Bootstrap, Estimate, safe_ratio

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


@dataclass(frozen=True)
class VarianceShares:
    """What part of the targets' variance a linear map explains, curves add, and neither explains.

    Attributes
    ----------
    linear, curved, not_additive : shares of the test targets' variance, pooled over columns; the
        last two None where no curves were fitted.
    ridge : the curves' penalty, or None.
    affine : the linear fit; missed (n,) squared norms of what linear and curved leave.
    total : (n,) squared norms of the centred test targets.
    """

    linear: Estimate
    curved: Estimate | None
    not_additive: Estimate | None
    ridge: float | None
    affine: Affine
    missed: np.ndarray
    total: np.ndarray


def variance_shares(
    fit: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    bootstrap: Bootstrap,
    seed: int,
    *,
    curves: bool = True,
) -> VarianceShares:
    """Fit (regressors, targets) on `fit`, score on `test`, variance-weighted over columns."""
    target = test[1].astype(np.float64)
    total = _squared_norms(target - target.mean(axis=0))
    affine = Affine(*fit)
    misses = target - affine.predict(test[0])
    missed_linear = _squared_norms(misses)
    linear = bootstrap.estimate(lambda m, t: 1 - safe_ratio(m, t), missed_linear, total)
    if not curves:
        return VarianceShares(linear, None, None, None, affine, missed_linear, total)
    splines = Splines(*fit, affine, seed)
    missed = _squared_norms(misses - splines.predict(test[0]))
    return VarianceShares(
        linear=linear,
        curved=bootstrap.ratio(missed_linear - missed, total),
        not_additive=bootstrap.ratio(missed, total),
        ridge=splines.ridge,
        affine=affine,
        missed=missed,
        total=total,
    )


def _squared_norms(rows: np.ndarray) -> np.ndarray:
    return np.einsum("np,np->n", rows, rows)
