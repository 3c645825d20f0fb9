"""The fit half's part of an interval: another half would have another mean code, another PCA.

A bootstrap over test rows knows nothing of that. Each half-width of its interval is therefore
widened in quadrature by 1.96 sd of what the fit half adds. Of numbers that need no decodes the sd
is a delete-a-group jackknife's over ten tenths of the fit rows (Kott, 2001); of numbers that start
from the mean code z0 it is the root mean square change over four other mean codes, drawn from the
distribution that z0 itself is a draw of.
"""

from __future__ import annotations

import numpy as np

from reportgen.statistics.blocks import row_blocks
from reportgen.statistics.bootstrap import Estimate

GROUPS, DRAWS = 10, 4
# Of the standard normal distribution, for 95 %.
QUANTILE = 1.959963984540054


def widened(
    estimate: Estimate,
    deviation: float,
    *,
    centre: float | None = None,
    least: float = -np.inf,
    largest: float = np.inf,
) -> Estimate:
    """The estimate, its interval widened by the sd of what the fit half adds.

    Half-widths are those about `centre`, which is the value unless the interval was corrected for
    bias. An end stays between `least` and `largest`, which the number itself cannot pass. A
    deviation that is not known (NaN) leaves the interval as it is.
    """
    if not np.isfinite(deviation) or not np.isfinite(estimate.value):
        return estimate
    centre = estimate.value if centre is None else centre
    added = QUANTILE * deviation
    low = centre - np.hypot(max(0.0, centre - estimate.low), added)
    high = centre + np.hypot(max(0.0, estimate.high - centre), added)
    low, high = min(low, estimate.low), max(high, estimate.high)
    wider = Estimate(estimate.value, float(max(low, least)), float(min(high, largest)))
    return wider.with_resamples(estimate.resamples)


def jackknife_groups(copy_of: np.ndarray, seed: int) -> np.ndarray:
    """(n,) in which of ten groups each fit row is: evenly, at random, copies in one.

    `copy_of` (n,) has the same number for rows that are copies of one image.
    """
    images, of_each = np.unique(copy_of, return_inverse=True)
    shuffled = np.random.default_rng([seed, 14]).permutation(len(images))
    return shuffled[of_each] % GROUPS


def jackknife_deviation(without: np.ndarray) -> np.ndarray:
    """(G, …) a number without each of G groups → its sd, √((G − 1)/G Σ(v − v̄)²).

    NaN where one of them is.
    """
    groups = len(without)
    squares = np.square(without - without.mean(axis=0)).sum(axis=0)
    return np.sqrt((groups - 1) / groups * squares)


def drawn_means(codes: np.ndarray, copy_of: np.ndarray, seed: int) -> np.ndarray:
    """(4, code_size) float32 other means that codes (n, code_size) might have had.

    They are z0 + Lξ/√n, where LLᵀ is the covariance of the codes: as the mean itself of (z − z0)ξ,
    one normal ξ for each row, which needs no covariance. Copies share theirs.
    """
    images, of_each = np.unique(copy_of, return_inverse=True)
    drawn = np.random.default_rng([seed, 15]).normal(size=(DRAWS, len(images)))
    mean = codes.mean(axis=0, dtype=np.float64)
    sums = np.zeros((DRAWS, codes.shape[1]))
    for block in row_blocks(codes):
        sums += drawn[:, of_each[block]] @ (codes[block] - mean)
    return (mean + sums / len(codes)).astype(np.float32)


def deviation_about_first(values: np.ndarray) -> np.ndarray:
    """(1 + draws, …) a number at z0 and at each draw → the root mean square change from z0."""
    return np.sqrt(np.mean(np.square(values[1:] - values[0]), axis=0))
