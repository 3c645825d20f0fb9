"""The leading right singular vectors of a stack of images, and the images along them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LARGEST_SUBSPACE = 24
# What a resample's leading eigenvalue may miss outside the subspace, as a share of itself.
MISSED = 1e-4


@dataclass(frozen=True)
class LeadingDirections:
    """Terms that σ₁² and Σσ² of one uncentred stack (r, q) and of resamples of its rows come from.

    Attributes
    ----------
    first : σ₁².
    squares : (r,) squared norms of the rows.
    along : (r, d) the rows along the leading directions, the first first: so many, at most 24, that
        a resample's σ₁² misses some 1e-4 of itself.
    """

    first: float
    squares: np.ndarray
    along: np.ndarray


def leading_directions(stack: np.ndarray) -> LeadingDirections:
    """Decompose rows (r, q) in float64, from their products or the columns', the fewer of both.

    NaN where a row is not a number.
    """
    from scipy.linalg import eigh

    stack = stack.astype(np.float64)
    rows, columns = stack.shape
    squares = np.einsum("np,np->n", stack, stack)
    if not np.isfinite(squares).all():
        return LeadingDirections(float("nan"), squares, np.full((rows, 1), np.nan))
    smaller = min(rows, columns)
    products = stack @ stack.T if rows == smaller else stack.T @ stack
    leading = [max(0, smaller - LARGEST_SUBSPACE), smaller - 1]
    eigenvalues, vectors = eigh(products, subset_by_index=leading)
    eigenvalues, vectors = np.maximum(eigenvalues[::-1], 0), vectors[:, ::-1]
    # Resampling couples the first direction with the others by √(λ₁λ_j/r), which changes its
    # eigenvalue by about λ_j/r in second order.
    outside = float(squares.sum()) - np.cumsum(eigenvalues)
    needed = 1 + np.count_nonzero(outside > MISSED * rows * eigenvalues[0])
    eigenvalues, vectors = eigenvalues[:needed], vectors[:, :needed]
    along = vectors * np.sqrt(eigenvalues) if rows == smaller else stack @ vectors
    return LeadingDirections(float(eigenvalues[0]), squares, along)
