"""Variables of two sets matched one to one by correlation, and a score of how well they match."""

from __future__ import annotations

import numpy as np

from reportgen.statistics.bootstrap import Bootstrap, safe_ratio


def correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(K, K′) Pearson r of the columns of (n, K) and (n, K′); 0 for a column that does not vary."""
    scaled = []
    for values in (first, second):
        centred = values - values.mean(axis=0)
        norms = np.linalg.norm(centred, axis=0)
        scaled.append(np.divide(centred, norms, out=np.zeros_like(centred), where=norms > 0))
    return scaled[0].T @ scaled[1]


def rank_correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(K, K′) Spearman's r: Pearson's of the ranks, ties at their mean rank."""
    from scipy.stats import rankdata

    return correlations(rankdata(first, axis=0), rankdata(second, axis=0))


def match(strength: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of (K, K′) so matched that the sum of their entries is largest.

    Kuhn, 1955, by scipy; min(K, K′) pairs, rows rising.
    """
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(strength, maximize=True)
    return rows, columns


def resampled_correlations(
    first: np.ndarray, second: np.ndarray, bootstrap: Bootstrap
) -> np.ndarray:
    """(B, m) Pearson r of each column of (n, m) with the same column of another, by resample."""
    x, y = (values - values.mean(axis=0) for values in (first, second))
    sums = [bootstrap.sums(part) for part in (x, y, x * x, y * y, x * y)]
    rows = bootstrap.weights.sum(axis=1)[:, None]
    mx, my, xx, yy, xy = (part / rows for part in sums)
    spread = np.sqrt(np.maximum(0, xx - mx**2) * np.maximum(0, yy - my**2))
    return safe_ratio(xy - mx * my, spread)


def relative_strength(strength: np.ndarray) -> float:
    """Degree to which rows and columns of |r| (K, K′) have one strong partner alone, 0 to 1.

    The mean over columns of max² / sum and that over rows, averaged: Unsupervised Disentanglement
    Ranking of two models (Duan et al., 2020, eq. 3; disentanglement_lib's `relative_strength`).
    """
    parts = [
        np.nan_to_num(safe_ratio(strength.max(axis=axis) ** 2, strength.sum(axis=axis))).mean()
        for axis in (0, 1)
    ]
    return float(np.mean(parts))
