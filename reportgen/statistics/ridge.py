"""The penalty of a ridge regression, chosen by what it predicts on rows that were left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from reportgen.statistics.blocks import in_parallel

RIDGES = (1e-6, 1e-4, 1e-2, 0.1, 1.0, np.inf)
FOLDS, REPEATS = 5, 4
FEWEST_ROWS = 2 * FOLDS

Columns = Callable[[slice], np.ndarray]


def chosen_ridge(
    features: np.ndarray, targets: Columns, blocks: Iterable[slice], seed: int
) -> float:
    """The largest penalty that predicts left-out rows as well as the best, within chance.

    Features (n, m) and targets, both centred; `targets` gives the columns (n, …) of each block.
    Each of `RIDGES`, in units of n, is tried on 5 folds of the rows, 4 times. The largest is taken
    whose mean error is within one standard error of the best's: the sd of the 20 differences from
    it, over √5, since the repeats share their rows (the one-standard-error rule; Hastie et al.,
    2009, §7.10). Infinity, no fit at all, is one of them.
    """
    if len(features) < FEWEST_ROWS:
        return np.inf
    blocks = list(blocks)
    errors = np.concatenate(
        [_errors(features, targets, blocks, fold) for fold in _folds(len(features), seed)]
    )
    best = int(np.argmin(errors.mean(axis=0)))
    differences = errors - errors[:, [best]]
    chance = differences.std(axis=0, ddof=1) / np.sqrt(FOLDS)
    return RIDGES[int(np.flatnonzero(differences.mean(axis=0) <= chance).max())]


def _folds(rows: int, seed: int) -> Iterator[np.ndarray]:
    """(n,) the fold of each row, once for each repeat."""
    generator = np.random.default_rng([seed, 5])
    for _ in range(REPEATS):
        yield generator.permutation(np.arange(rows) % FOLDS)


def _errors(
    features: np.ndarray, targets: Columns, blocks: list[slice], folds: np.ndarray
) -> np.ndarray:
    """(5, penalties) mean squared error on each fold of a fit to the others, less ‖Y‖².

    With G = FᵀF and C = FᵀY of the rows that were kept, F the features and Y the targets, the fit
    is B = (G + λn)⁻¹C, and on the fold that was left out ‖Y − FB‖² − ‖Y‖² = ⟨B, FᵀFB⟩ − 2⟨FᵀY, B⟩.
    In the eigenvectors of G every penalty is one division.
    """
    inside = [np.flatnonzero(folds == fold) for fold in range(FOLDS)]
    parts = [features[rows] for rows in inside]
    grams = np.stack([part.T @ part for part in parts])
    decomposed = [np.linalg.eigh(grams.sum(axis=0) - gram) for gram in grams]

    def products(columns: slice) -> tuple[np.ndarray, np.ndarray]:
        block = targets(columns)
        crosses = [part.T @ block[rows] for part, rows in zip(parts, inside, strict=True)]
        whole = np.sum(crosses, axis=0)
        turned = [
            (vectors.T @ (whole - cross), vectors.T @ cross)
            for (_, vectors), cross in zip(decomposed, crosses, strict=True)
        ]
        return (
            np.stack([kept @ kept.T for kept, _ in turned]),
            np.stack([np.vecdot(kept, left_out) for kept, left_out in turned]),
        )

    size = features.shape[1]
    squares, explained = np.zeros((FOLDS, size, size)), np.zeros((FOLDS, size))
    for of_block, explained_in_block in in_parallel(products, blocks):
        squares += of_block
        explained += explained_in_block
    errors = np.empty((FOLDS, len(RIDGES)))
    for fold, (values, vectors) in enumerate(decomposed):
        fitted = (vectors.T @ grams[fold] @ vectors) * squares[fold]
        left_out = len(inside[fold])
        for place, ridge in enumerate(RIDGES):
            inverse = 1 / (np.maximum(values, 0) + ridge * (len(features) - left_out))
            error = inverse @ fitted @ inverse - 2 * inverse @ explained[fold]
            errors[fold, place] = error / left_out
    return errors


def ridge_fit(features: np.ndarray, cross: np.ndarray, ridge: float) -> np.ndarray:
    """(m, P) coefficients of features (n, m), from their product with the targets (m, P)."""
    from scipy.linalg import cho_factor, cho_solve

    if np.isinf(ridge):
        return np.zeros_like(cross)
    gram = features.T @ features
    return cho_solve(cho_factor(gram + ridge * len(features) * np.eye(len(gram))), cross)
