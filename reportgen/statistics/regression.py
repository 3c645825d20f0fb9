"""Regressions that say what is linear, what is curved and what is neither: affine maps, splines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reportgen.statistics.blocks import centred_squares, column_blocks
from reportgen.statistics.bootstrap import Bootstrap, Estimate, safe_ratio

RIDGES = (1e-6, 1e-4, 1e-2)
KNOTS = 8


class Affine:
    """Least squares of targets (n, P) on regressors (n, m), with an intercept, standardised.

    Attributes
    ----------
    intercept : (P,) the targets' means; coefficients (m, P) of the standardised regressors.
    """

    def __init__(self, regressors: np.ndarray, targets: np.ndarray) -> None:
        self._centre = regressors.mean(axis=0)
        scale = regressors.std(axis=0)
        self._scale = np.where(scale > 0, scale, 1)
        self.intercept = targets.mean(axis=0, dtype=np.float64)
        solve = np.linalg.pinv(self.features(regressors))
        self.coefficients = np.empty((len(solve), targets.shape[1]))
        for columns in column_blocks(targets):
            self.coefficients[:, columns] = solve @ (targets[:, columns] - self.intercept[columns])

    def features(self, regressors: np.ndarray) -> np.ndarray:
        """(n, m) what the coefficients multiply."""
        return (regressors - self._centre) / self._scale

    def predict(self, regressors: np.ndarray) -> np.ndarray:
        """The fitted targets, (n, P)."""
        return self.intercept + self.features(regressors) @ self.coefficients


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
        self._centre, scale = regressors.mean(axis=0), regressors.std(axis=0)
        self._scale = np.where(scale > 0, scale, 1)
        raw = self._raw_features(regressors)
        self._linear_part = Affine(regressors, raw)
        features = raw - self._linear_part.predict(regressors)
        residual = _Residual(linear, regressors, targets)
        self.ridge, self.coefficients = _ridge_fit(features, residual, targets, seed)
        # The features' own means are 0, and so are the residual's.
        self.intercept = np.zeros(targets.shape[1])

    def _raw_features(self, regressors: np.ndarray) -> np.ndarray:
        splines = self._basis.transform(regressors)
        if not self._products:
            return splines
        scaled = (regressors - self._centre) / self._scale
        first, second = np.triu_indices(regressors.shape[1], k=1)
        return np.hstack([splines, scaled[:, first] * scaled[:, second]])

    def features(self, regressors: np.ndarray) -> np.ndarray:
        """(n, m) what the coefficients multiply."""
        return self._raw_features(regressors) - self._linear_part.predict(regressors)


class _Residual:
    """What a linear fit leaves of its own targets, block by block."""

    def __init__(self, linear: Affine, regressors: np.ndarray, targets: np.ndarray) -> None:
        self._linear, self._targets = linear, targets
        self._features = linear.features(regressors)

    def of(self, columns: slice) -> np.ndarray:
        """(n, columns) float64."""
        fitted = self._features @ self._linear.coefficients[:, columns]
        return self._targets[:, columns] - (self._linear.intercept[columns] + fitted)


def _ridge_fit(
    features: np.ndarray, residual: _Residual, targets: np.ndarray, seed: int
) -> tuple[float, np.ndarray]:
    """The penalty with the smallest error on a seeded quarter of the rows, and all rows' fit.

    Errors come from the cross products of features and residual, which the fit needs anyway:
    ‖Y − FB‖² = ‖Y‖² − 2⟨FᵀY, B⟩ + ⟨B, FᵀFB⟩, and ‖Y‖² is the same for every penalty.
    """
    shuffled = np.random.default_rng([seed, 5]).permutation(len(features))
    held_out, kept = shuffled[: len(features) // 4], shuffled[len(features) // 4 :]
    gram_held_out = features[held_out].T @ features[held_out]
    gram_kept = features[kept].T @ features[kept]
    cross = np.empty((features.shape[1], targets.shape[1]))
    errors = dict.fromkeys(RIDGES, 0.0)
    solvers = {ridge: _ridge_solver(gram_kept, ridge * len(kept)) for ridge in RIDGES}
    for columns in column_blocks(targets):
        block = residual.of(columns)
        cross[:, columns] = features.T @ block
        seen = features[held_out].T @ block[held_out]
        for ridge, solve in solvers.items():
            fitted = solve(cross[:, columns] - seen)
            errors[ridge] += float((fitted * (gram_held_out @ fitted - 2 * seen)).sum())
    best = min(RIDGES, key=lambda ridge: errors[ridge])
    return best, _ridge_solver(gram_held_out + gram_kept, best * len(features))(cross)


def _ridge_solver(gram: np.ndarray, penalty: float) -> Callable[[np.ndarray], np.ndarray]:
    """From cross products (m, columns) to coefficients (m, columns)."""
    from scipy.linalg import cho_factor, cho_solve

    factor = cho_factor(gram + penalty * np.eye(len(gram)))
    return lambda cross: cho_solve(factor, cross)


def missed_squares(
    regressors: np.ndarray, targets: np.ndarray, *fits: Affine | Splines
) -> np.ndarray:
    """(n,) squared norms of what the fits together leave of targets (n, P)."""
    features = [fit.features(regressors) for fit in fits]
    missed = np.zeros(len(targets))
    for columns in column_blocks(targets):
        block = targets[:, columns].astype(np.float64)
        for fit, design in zip(fits, features, strict=True):
            block -= fit.intercept[columns] + design @ fit.coefficients[:, columns]
        missed += np.vecdot(block, block)
    return missed


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
    total = centred_squares(test[1])
    affine = Affine(*fit)
    missed_linear = missed_squares(*test, affine)
    linear = bootstrap.estimate(lambda m, t: 1 - safe_ratio(m, t), missed_linear, total)
    if not curves:
        return VarianceShares(linear, None, None, None, affine, missed_linear, total)
    splines = Splines(*fit, affine, seed)
    missed = missed_squares(*test, affine, splines)
    return VarianceShares(
        linear=linear,
        curved=bootstrap.ratio(missed_linear - missed, total),
        not_additive=bootstrap.ratio(missed, total),
        ridge=splines.ridge,
        affine=affine,
        missed=missed,
        total=total,
    )
