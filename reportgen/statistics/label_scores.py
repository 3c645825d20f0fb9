"""Scores of a code against known factors: mutual information gap, SAP, DCI.

As Locatello et al. (2019) define them in disentanglement_lib, whose factors are all discrete; what
that leaves open, a factor that is a number with many values, is said at each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reportgen.statistics.blocks import in_parallel

BINS = 20
SHUFFLES = 10
SVM_PENALTY = 0.01
# Smaller variances are those of a unit that does not vary.
LEAST_VARIANCE = 1e-12


@dataclass(frozen=True)
class LabelColumn:
    """One factor of n images.

    Attributes
    ----------
    name : as printed.
    continuous : whether it is a number with too many values to be a class.
    values : (n,) numbers, or numbers of classes.
    bins : (n,) its class; of a continuous factor the one of 20 bins of equal width.
    """

    name: str
    continuous: bool
    values: np.ndarray
    bins: np.ndarray


def equally_wide(values: np.ndarray) -> np.ndarray:
    """(n,) the one of 20 bins of equal width, from the least value to the largest."""
    return np.digitize(values, np.histogram_bin_edges(values, BINS)[:-1]) - 1


def entropy(bins: np.ndarray) -> float:
    """Return the entropy of classes (n,), in nat."""
    shares = np.bincount(bins) / len(bins)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def mutual_information(first: np.ndarray, second: np.ndarray) -> float:
    """Return the mutual information of two columns of classes (n,), in nat, not corrected."""
    from sklearn.metrics import mutual_info_score

    counts = np.zeros((first.max() + 1, second.max() + 1), dtype=np.intp)
    np.add.at(counts, (first, second), 1)
    return float(mutual_info_score(None, None, contingency=counts))


def chance_information(first: np.ndarray, second: np.ndarray, seed: int) -> float:
    """Return the mean mutual information of two columns, in nat, once one of them is shuffled."""
    generator = np.random.default_rng([seed, 10])
    shuffled = [mutual_information(generator.permutation(first), second) for _ in range(SHUFFLES)]
    return float(np.mean(shuffled))


def information_gap(information: np.ndarray, entropies: np.ndarray) -> float:
    """MIG (Chen et al., 2018) from (factors, units) information: the two largest, over entropy."""
    return float(np.mean(_first_over_second(information) / entropies))


def _first_over_second(scores: np.ndarray) -> np.ndarray:
    ordered = np.sort(scores, axis=1)
    return ordered[:, -1] - ordered[:, -2]


def predictability(
    columns: Sequence[LabelColumn],
    units: np.ndarray,
    kept: np.ndarray,
    held_out: np.ndarray,
    seed: int,
) -> np.ndarray:
    """(factors, units) how well each unit (n, K) alone predicts each factor, as SAP scores it.

    Of classes: the accuracy on held-out rows of a linear support vector machine with balanced
    classes and C = .01. Of continuous factors: the squared correlation on the kept rows.
    """
    from sklearn.svm import LinearSVC

    scores = np.zeros((len(columns), units.shape[1]))
    for factor, column in enumerate(columns):
        for unit, values in enumerate(units.T):
            if column.continuous:
                scores[factor, unit] = _squared_correlation(values[kept], column.values[kept])
            elif len(np.unique(column.bins[kept])) > 1:
                machine = LinearSVC(C=SVM_PENALTY, class_weight="balanced", random_state=seed)
                machine.fit(values[kept, None], column.bins[kept])
                scores[factor, unit] = machine.score(values[held_out, None], column.bins[held_out])
    return scores


def _squared_correlation(first: np.ndarray, second: np.ndarray) -> float:
    (variance, covariance), (_, other) = np.cov(first, second, ddof=1)
    return float(covariance**2 / (variance * other)) if variance > LEAST_VARIANCE else 0.0


def separated_predictability(scores: np.ndarray) -> float:
    """SAP (Kumar et al., 2018) from (factors, units) scores: the mean gap of the two largest."""
    return float(np.mean(_first_over_second(scores)))


def importances(
    columns: Sequence[LabelColumn],
    units: np.ndarray,
    kept: np.ndarray,
    held_out: np.ndarray,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """(factors, units) importances of units (n, K), and (factors,) scores on held-out rows.

    Of gradient boosted trees for each factor, with scikit-learn's own settings: accuracies of
    classifiers, and R² of regressions for continuous factors.
    """
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

    def grown(column: LabelColumn) -> tuple[np.ndarray, float]:
        target = column.values if column.continuous else column.bins
        if len(np.unique(target[kept])) < 2:
            return np.zeros(units.shape[1]), float(np.mean(target[held_out] == target[kept][0]))
        kind = GradientBoostingRegressor if column.continuous else GradientBoostingClassifier
        trees = kind(random_state=seed).fit(units[kept], target[kept])
        return trees.feature_importances_, float(trees.score(units[held_out], target[held_out]))

    found = list(in_parallel(grown, columns))
    return np.array([part for part, _ in found]), np.array([score for _, score in found])


def concentration(matrix: np.ndarray) -> float:
    """Σ_i weight_i (1 − H_i / log n): how far each row's importance lies on one column.

    Of (units, factors) it is DCI's disentanglement, of (factors, units) its completeness (Eastwood
    & Williams, 2018). NaN where no tree found anything to split on.
    """
    totals = matrix.sum(axis=1)
    if totals.sum() == 0:
        return float("nan")
    shares = matrix / np.where(totals > 0, totals, 1)[:, None]
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    entropies = -(shares * logs).sum(axis=1) / np.log(matrix.shape[1])
    return float(((1 - entropies) * totals / totals.sum()).sum())
