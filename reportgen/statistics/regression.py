"""Regressions that say what is linear, what is curved and what is neither: affine maps, splines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.statistics.blocks import column_blocks, columns_filled, in_parallel
from reportgen.statistics.bootstrap import Bootstrap, Estimate

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
        self.coefficients = columns_filled(
            len(solve), targets, lambda some: solve @ (targets[:, some] - self.intercept[some])
        )

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
    """The penalty with the smallest error on a seeded quarter of the rows, and all rows' fit."""
    from scipy.linalg import cho_factor, cho_solve

    shuffled = np.random.default_rng([seed, 5]).permutation(len(features))
    held_out, kept = shuffled[: len(features) // 4], shuffled[len(features) // 4 :]
    gram_held_out = features[held_out].T @ features[held_out]
    gram_kept = features[kept].T @ features[kept]
    cross = np.empty((features.shape[1], targets.shape[1]))

    def products(columns: slice) -> tuple[np.ndarray, np.ndarray]:
        block = residual.of(columns)
        cross[:, columns] = features.T @ block
        cross_held_out = features[held_out].T @ block[held_out]
        cross_kept = cross[:, columns] - cross_held_out
        return cross_kept @ cross_kept.T, cross_kept @ cross_held_out.T

    squares, mixed = np.zeros((2, *gram_kept.shape))
    for with_itself, with_held_out in in_parallel(products, column_blocks(targets)):
        squares += with_itself
        mixed += with_held_out

    def held_out_error(ridge: float) -> float:
        """‖Y − FB‖² less ‖Y‖², which is the same for every penalty.

        Y is the held-out residual, F its features, and B = inverse · cross_kept the fit:
        ⟨B, FᵀFB⟩ − 2⟨FᵀY, B⟩ needs no more of the pixels than `squares` and `mixed`.
        """
        inverse = cho_solve(
            cho_factor(_penalised(gram_kept, ridge * len(kept))), np.eye(len(mixed))
        )
        fitted = (inverse @ gram_held_out @ inverse) * squares
        return float(fitted.sum() - 2 * (inverse * mixed).sum())

    best = min(RIDGES, key=held_out_error)
    whole = _penalised(gram_held_out + gram_kept, best * len(features))
    return best, cho_solve(cho_factor(whole), cross)


def _penalised(gram: np.ndarray, penalty: float) -> np.ndarray:
    """(m, m) what a ridge regression inverts."""
    return gram + penalty * np.eye(len(gram))


def squares_left(
    regressors: np.ndarray, targets: np.ndarray, *fits: Affine | Splines
) -> tuple[np.ndarray, ...]:
    """Squared norms (n,) of targets (n, P), one more than there are fits.

    First those of the centred targets, then of what the first fit leaves of them, then of what the
    second leaves of that, and so on.
    """
    features = [fit.features(regressors) for fit in fits]

    def of(columns: slice) -> list[np.ndarray]:
        block = targets[:, columns].astype(np.float64)
        centred = block - block.mean(axis=0)
        squares = [np.vecdot(centred, centred)]
        for fit, design in zip(fits, features, strict=True):
            block -= fit.intercept[columns] + design @ fit.coefficients[:, columns]
            squares.append(np.vecdot(block, block))
        return squares

    left = np.zeros((1 + len(fits), len(targets)))
    for some in in_parallel(of, column_blocks(targets)):
        left += some
    return tuple(left)


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
    affine = Affine(*fit)
    if not curves:
        total, missed = squares_left(*test, affine)
        linear = bootstrap.explained(missed, total)
        return VarianceShares(linear, None, None, None, affine, missed, total)
    splines = Splines(*fit, affine, seed)
    total, missed_linear, missed = squares_left(*test, affine, splines)
    return VarianceShares(
        linear=bootstrap.explained(missed_linear, total),
        curved=bootstrap.ratio(missed_linear - missed, total),
        not_additive=bootstrap.ratio(missed, total),
        ridge=splines.ridge,
        affine=affine,
        missed=missed,
        total=total,
    )
