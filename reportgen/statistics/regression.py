"""Regressions that say what is linear, what is curved and what is neither: affine maps, splines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reportgen.statistics.blocks import column_blocks, columns_filled, in_parallel, row_blocks
from reportgen.statistics.bootstrap import Bootstrap, Estimate, safe_ratio
from reportgen.statistics.fit_uncertainty import jackknife_deviation, jackknife_groups, widened
from reportgen.statistics.jackknife import squares_left_without_groups
from reportgen.statistics.ridge import chosen_ridge, ridge_fit
from reportgen.statistics.sketch import compressor

KNOTS = 8
COLUMNS_TOGETHER = 512


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
    """Ridge regression of the linear fit's residual on cubic splines of some regressors.

    The splines (8 quantile knots, linear beyond them) are residualised against all regressors, so
    that they can only explain what a linear map cannot. With `products`, the product of every two
    regressors is a feature too.

    Parameters
    ----------
    bent : the regressors that have splines.
    ridge : the penalty; without, it is chosen on folds of the rows.

    Attributes
    ----------
    ridge : the penalty, infinite where no curve predicts rows that were left out.
    coefficients, intercept : (m, q) and (q,), for m features and q target columns; the intercept
        is 0, since residuals have no mean.
    """

    def __init__(
        self,
        regressors: np.ndarray,
        targets: np.ndarray,
        linear: Affine,
        seed: int,
        *,
        bent: np.ndarray | None = None,
        products: bool = False,
        ridge: float | None = None,
    ) -> None:
        from sklearn.preprocessing import SplineTransformer

        self._bent = np.arange(regressors.shape[1]) if bent is None else bent
        self._basis = SplineTransformer(
            n_knots=KNOTS, knots="quantile", extrapolation="linear", include_bias=False
        ).fit(regressors[:, self._bent])
        self._products = products
        self._centre, scale = regressors.mean(axis=0), regressors.std(axis=0)
        self._scale = np.where(scale > 0, scale, 1)
        raw = self._raw_features(regressors)
        self._linear_part = Affine(regressors, raw)
        features = raw - self._linear_part.predict(regressors)
        residual = _Residual(linear, regressors, targets)
        self.ridge = residual.chosen_ridge(features, seed) if ridge is None else ridge
        cross = columns_filled(
            features.shape[1], targets, lambda some: features.T @ residual.of(some)
        )
        self.coefficients = ridge_fit(features, cross, self.ridge)
        # The features' own means are 0, and so are the residual's.
        self.intercept = np.zeros(targets.shape[1])

    def _raw_features(self, regressors: np.ndarray) -> np.ndarray:
        splines = self._basis.transform(regressors[:, self._bent])
        if not self._products:
            return splines
        scaled = (regressors - self._centre) / self._scale
        first, second = np.triu_indices(regressors.shape[1], k=1)
        return np.hstack([splines, scaled[:, first] * scaled[:, second]])

    def features(self, regressors: np.ndarray) -> np.ndarray:
        """(n, m) what the coefficients multiply."""
        return self._raw_features(regressors) - self._linear_part.predict(regressors)


class _Residual:
    """Residuals of a linear fit on its own targets, block by block."""

    def __init__(self, linear: Affine, regressors: np.ndarray, targets: np.ndarray) -> None:
        self._linear, self._targets = linear, targets
        self._features = linear.features(regressors)

    def of(self, columns: slice) -> np.ndarray:
        """(n, columns) float64."""
        return self._at(slice(None), columns)

    def _at(self, rows: slice, columns: slice) -> np.ndarray:
        fitted = self._features[rows] @ self._linear.coefficients[:, columns]
        return self._targets[rows, columns] - (self._linear.intercept[columns] + fitted)

    def chosen_ridge(self, features: np.ndarray, seed: int) -> float:
        """The penalty for these features (n, m); of images above 4,096 numbers, by a sketch.

        Twenty fits of every pixel are not worth what they would add: a sum of squares is within a
        hundredth in the sketch, and penalties differ by a factor of ten or more.
        """
        pixels = self._targets.shape[1]
        compress, length, sketched = compressor(pixels, 1, seed, limit=0)
        if not sketched:
            return chosen_ridge(features, self.of, column_blocks(self._targets), seed)
        sketch = np.empty((len(self._targets), length), np.float32)
        for rows in row_blocks(self._targets):
            sketch[rows] = compress(self._at(rows, slice(None)))
        columns = (slice(n, n + COLUMNS_TOGETHER) for n in range(0, length, COLUMNS_TOGETHER))
        return chosen_ridge(
            features, lambda some: sketch[:, some].astype(np.float64), columns, seed
        )


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
    """Shares of the targets' variance that a linear map explains, curves add, and neither explains.

    Attributes
    ----------
    linear, curved, not_additive : shares of the test targets' variance, pooled over columns, in
        [0, 1] and summing to 1; the last two None where no curves were fitted.
    ridge : the curves' penalty; None where none were fitted, or where none predict.
    affine : the linear fit.
    missed_linear, missed : (n,) squared norms of what it leaves, and of what curves leave of that.
    total : (n,) squared norms of the centred test targets.
    """

    linear: Estimate
    curved: Estimate | None
    not_additive: Estimate | None
    ridge: float | None
    affine: Affine
    missed_linear: np.ndarray
    missed: np.ndarray
    total: np.ndarray


def variance_shares(
    fit: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    bootstrap: Bootstrap,
    seed: int,
    *,
    curves: bool = True,
    bent: np.ndarray | None = None,
    copies: np.ndarray | None = None,
) -> VarianceShares:
    """Fit (regressors, targets) on `fit`, score on `test`, variance-weighted over columns.

    Without `curves` only the linear map is fitted; `bent` are the regressors that may curve. With
    `copies` (n,), for each fit row a number that copies of one image share, intervals cover the fit
    half; without, the test rows alone.
    """
    fits: list[Affine | Splines] = [affine := Affine(*fit)]
    ridge = np.inf
    if curves and (bent is None or len(bent) > 0):
        fits.append(splines := Splines(*fit, affine, seed, bent=bent))
        ridge = splines.ridge
    total, *missed = squares_left(*test, *fits)
    without = None if copies is None else _Without(fit, test, fits, copies, seed)

    def covering(
        found: Estimate, statistic: Callable[..., np.ndarray], *sums: np.ndarray
    ) -> Estimate:
        if without is None:
            return found
        return widened(found, without.deviation(statistic, len(sums)), least=0, largest=1)

    def estimated(statistic: Callable[..., np.ndarray], *sums: np.ndarray) -> Estimate:
        return covering(bootstrap.estimate(statistic, *sums, total), statistic, *sums)

    explained = _not_below_zero(bootstrap.explained(missed[0], total))
    linear = covering(explained, _linear, missed[0])
    if not curves:
        return VarianceShares(linear, None, None, None, affine, missed[0], missed[0], total)
    both = missed[0], missed[-1]
    return VarianceShares(
        linear=linear,
        curved=estimated(_curved, *both),
        not_additive=estimated(_not_additive, *both),
        ridge=ridge if np.isfinite(ridge) else None,
        affine=affine,
        missed_linear=missed[0],
        missed=missed[-1],
        total=total,
    )


class _Without:
    """Residuals on the test targets of fits that leave out each tenth of the fit rows."""

    def __init__(
        self,
        fit: tuple[np.ndarray, np.ndarray],
        test: tuple[np.ndarray, np.ndarray],
        fits: list[Affine | Splines],
        copies: np.ndarray,
        seed: int,
    ) -> None:
        groups = jackknife_groups(copies, seed)
        self._left: list[np.ndarray] = []
        penalties, designs = np.zeros(0), [np.zeros((len(part[0]), 0)) for part in (fit, test)]
        for one in fits:
            own = [one.features(part[0]) for part in (fit, test)]
            designs = [np.hstack(pair) for pair in zip(designs, own, strict=True)]
            ridge = one.ridge if isinstance(one, Splines) else 0.0
            penalties = np.append(penalties, np.full(own[0].shape[1], ridge))
            left, self._total = squares_left_without_groups(
                (designs[0], fit[1]), (designs[1], test[1]), groups, penalties, seed
            )
            self._left.append(left)

    def deviation(self, statistic: Callable[..., np.ndarray], sums: int) -> float:
        """Sd that the fit half adds to a share of the total, from what one or both fits leave."""
        left = self._left[:1] if sums == 1 else (self._left[0], self._left[-1])
        return float(jackknife_deviation(statistic(*left, np.array(self._total))))


def _not_below_zero(explained: Estimate) -> Estimate:
    """A map that predicts worse than the mean explains nothing."""
    ends = (float(np.maximum(0, e)) for e in (explained.value, explained.low, explained.high))
    resampled = explained.resamples
    return Estimate(*ends).with_resamples(None if resampled is None else np.maximum(0, resampled))


def _linear(missed: np.ndarray, total: np.ndarray) -> np.ndarray:
    """max(0, R²): a map that predicts worse than the mean explains nothing."""
    return np.maximum(0, 1 - safe_ratio(missed, total))


def _curved(missed_linear: np.ndarray, missed: np.ndarray, total: np.ndarray) -> np.ndarray:
    """max(0, R² of both − linear): curves that predict worse than none explain nothing."""
    return np.maximum(0, 1 - safe_ratio(missed, total) - _linear(missed_linear, total))


def added_to_shares(
    missed_further: np.ndarray, missed_linear: np.ndarray, missed: np.ndarray, total: np.ndarray
) -> np.ndarray:
    """Return what a further fit explains of the not additive, from sums of squares; at least 0."""
    explained = 1 - safe_ratio(missed_further, total)
    additive = 1 - _not_additive(missed_linear, missed, total)
    return np.maximum(0, explained - additive)


def _not_additive(missed_linear: np.ndarray, missed: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Return what linear and curved leave of 1."""
    return 1 - _linear(missed_linear, total) - _curved(missed_linear, missed, total)
