"""Overlap of two sets of variables: the share of one in the linear span of the other, held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.statistics.bootstrap import safe_ratio
from reportgen.statistics.ridge import chosen_ridge, ridge_fit

# Directions whose spread is this much smaller than the largest are rounding.
NEARLY_COLLINEAR = 1e-6


@dataclass(frozen=True)
class Variables:
    """The same variables on rows to fit on (n, m) and to score on (k, m)."""

    fit: np.ndarray
    test: np.ndarray

    def standardised(self) -> Variables:
        """About the fit rows' mean, in their sd; those that do not vary stay at 0."""
        centre, deviation = self.fit.mean(axis=0), self.fit.std(axis=0)
        deviation = np.where(deviation > 0, deviation, np.inf)
        return Variables((self.fit - centre) / deviation, (self.test - centre) / deviation)


def explained_by(targets: Variables, others: Variables, seed: int) -> np.ndarray:
    """(m,) R² on the test rows of each target's ridge regression on all of `others`.

    The penalty is one for all targets, chosen as in `chosen_ridge`; where no fit predicts rows that
    were left out, R² is that of their mean.
    """
    wanted, given = targets.standardised(), others.standardised()
    columns = [slice(0, wanted.fit.shape[1])]
    ridge = chosen_ridge(given.fit, lambda some: wanted.fit[:, some], columns, seed)
    coefficients = ridge_fit(given.fit, given.fit.T @ wanted.fit, ridge)
    missed = np.square(wanted.test - given.test @ coefficients).sum(axis=0)
    total = np.square(wanted.test - wanted.test.mean(axis=0)).sum(axis=0)
    return 1 - safe_ratio(missed, total)


def mean_canonical_correlation(first: Variables, second: Variables) -> float:
    """The mean over all pairs of canonical variates (Hotelling, 1936), fitted on the fit rows.

    Their correlations are those on the test rows, at least 0. NaN where the fit rows are not more
    than the variables of either set, which could make any two agree.
    """
    rows = len(first.fit)
    if rows <= max(first.fit.shape[1], second.fit.shape[1]) + 1:
        return float("nan")
    bases, maps = zip(_basis(first), _basis(second), strict=True)
    left, _, right = np.linalg.svd(bases[0].T @ bases[1], full_matrices=False)
    variates = first.test @ maps[0] @ left, second.test @ maps[1] @ right.T
    one, other = (part - part.mean(axis=0) for part in variates)
    sizes = np.linalg.norm(one, axis=0) * np.linalg.norm(other, axis=0)
    return float(np.maximum(0, safe_ratio((one * other).sum(axis=0), sizes)).mean())


def _basis(variables: Variables) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal columns (n, r) that span the centred fit rows, and the map (m, r) to them."""
    centred = variables.fit - variables.fit.mean(axis=0)
    left, scales, right = np.linalg.svd(centred, full_matrices=False)
    kept = scales > NEARLY_COLLINEAR * scales[0]
    return left[:, kept], right[kept].T / scales[kept]
