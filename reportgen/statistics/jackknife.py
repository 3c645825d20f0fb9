"""Regressions and PCA fitted anew without each group of their rows, from products alone.

Ten fits would take ten times as long. All that is asked of them are sums of squares over the test
rows, which follow from products of features with each other and with the targets, group by group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from reportgen.statistics.blocks import column_blocks, in_parallel
from reportgen.statistics.pca import Pca

# The sd of a sum of squares is wanted to a few percent, which so many random sums of pixels give.
RANDOM_SUMS, COLUMNS_TOGETHER = 512, 4096
MOST_COMPONENTS = 512
# Of each feature's square: features that copy each other are held to it.
REGULARISER = 1e-10


def squares_left_without_groups(
    fit: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    groups: np.ndarray,
    penalties: np.ndarray,
    seed: int,
) -> tuple[np.ndarray, float]:
    """(G,) Σ‖y − ŷ‖² over test rows of a ridge regression that was fitted without each group.

    `fit` and `test` are features (n, m) and targets (n, P); the features are about 0, and the
    regression has an intercept. `groups` (n,) are those of the fit rows, `penalties` (m,) those of
    the features, for each row. The second is Σ‖y − ȳ‖². Of more than 512 targets so many random
    sums stand for them, in both.
    """
    design, test_design = (
        np.pad(part[0], ((0, 0), (1, 0)), constant_values=1) for part in (fit, test)
    )
    targets, test_targets = (random_sums(part[1], seed) for part in (fit, test))
    # Rounding is relative to what is squared.
    mean = targets.mean(axis=0)
    targets, test_targets = targets - mean, test_targets - mean
    inside = [np.flatnonzero(groups == group) for group in range(1 + int(groups.max()))]
    gram = design.T @ design
    crosses = [design[rows].T @ targets[rows] for rows in inside]
    cross = np.sum(crosses, axis=0)
    test_gram, test_cross = test_design.T @ test_design, test_design.T @ test_targets
    total = float(np.square(test_targets).sum())
    spread = float(np.square(test_targets - test_targets.mean(axis=0)).sum())
    left = np.empty(len(inside))
    for group, rows in enumerate(inside):
        kept = gram - design[rows].T @ design[rows]
        weights = np.append(0, penalties) * (len(design) - len(rows))
        coefficients = _solved(kept, weights, cross - crosses[group])
        explained = 2 * np.vdot(coefficients, test_cross)
        explained -= np.vdot(coefficients, test_gram @ coefficients)
        left[group] = max(0.0, total - explained)
    return left, spread


def _solved(gram: np.ndarray, penalties: np.ndarray, cross: np.ndarray) -> np.ndarray:
    """(m, q) coefficients; features with an infinite penalty have none."""
    from scipy.linalg import cho_factor, cho_solve

    taken = np.isfinite(penalties)
    coefficients = np.zeros_like(cross)
    kept = gram[np.ix_(taken, taken)]
    kept = kept + np.diag(penalties[taken] + REGULARISER * np.maximum(np.diag(kept), 1e-300))
    coefficients[taken] = cho_solve(cho_factor(kept), cross[taken])
    return coefficients


def random_sums(targets: np.ndarray, seed: int) -> np.ndarray:
    """(n, P) → (n, 512) float64: normal sums of the columns, which keep sums of squares.

    A total of squares that lies along one direction has a standard error of √(2/512) of itself,
    along d of them one of √(2/512d) (Johnson & Lindenstrauss, 1984). Up to 512 columns they are
    themselves.
    """
    rows, columns = targets.shape
    if columns <= RANDOM_SUMS:
        return targets.astype(np.float64)
    generator = np.random.default_rng([seed, 16])
    sums = np.zeros((rows, RANDOM_SUMS))
    for start in range(0, columns, COLUMNS_TOGETHER):
        block = targets[:, start : start + COLUMNS_TOGETHER]
        signs = generator.standard_normal((block.shape[1], RANDOM_SUMS), dtype=np.float32)
        sums += block.astype(np.float32, copy=False) @ signs
    return sums / np.sqrt(RANDOM_SUMS)


def pca_errors_without_groups(
    fitted: Pca, fit_images: np.ndarray, test_images: np.ndarray, groups: np.ndarray
) -> np.ndarray:
    """(G, k + 1) Σ‖x − x̂‖² over test images of 0 … k components fitted without each group.

    The squares about each mean image are exact. The components without a group are looked for
    among those of all rows, k of them, at most 512: the first half of them hardly needs others.
    """
    count = min(len(fitted.components), MOST_COMPONENTS)
    mean, components = fitted.mean, fitted.components[:count]

    def scores_of(images: np.ndarray) -> np.ndarray:
        def of(some: slice) -> np.ndarray:
            return (images[:, some] - mean[some]) @ components[:, some].T

        return sum(_each_block(of, images), np.zeros((len(images), count)))

    scores, test_scores = scores_of(fit_images), scores_of(test_images)
    of_group = np.stack(
        [
            fit_images[groups == group].sum(axis=0, dtype=np.float64)
            for group in range(1 + int(groups.max()))
        ]
    )
    test_mean = test_images.mean(axis=0, dtype=np.float64) - mean
    about_whole = sum(
        _each_block(lambda some: np.square(test_images[:, some] - mean[some]).sum(), test_images)
    )
    errors = np.empty((len(of_group), count + 1))
    for group, own in enumerate(of_group):
        kept = groups != group
        if not kept.any():
            # Every row is a copy of one image: nothing is known of other images.
            errors[group] = np.nan
            continue
        shift = (of_group.sum(axis=0) - own) / kept.sum() - mean
        about = about_whole + len(test_images) * (shift @ shift - 2 * shift @ test_mean)
        centre = scores[kept].mean(axis=0)
        centred = scores[kept] - centre
        _, vectors = np.linalg.eigh(centred.T @ centred)
        turned = (test_scores - centre) @ vectors[:, ::-1]
        explained = np.cumsum(np.square(turned).sum(axis=0))
        errors[group] = about - np.pad(explained, (1, 0))
    return np.maximum(errors, 0)


def _each_block(compute: Callable[[slice], np.ndarray], images: np.ndarray) -> Iterator[np.ndarray]:
    return in_parallel(compute, column_blocks(images))
