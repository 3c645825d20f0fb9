"""Angles between pictures: how far those of different units are one picture."""

from __future__ import annotations

import numpy as np

# Of the largest picture's length: what is shorter is rounding and has no direction.
SHORTEST = 1e-6


def absolute_cosines(pictures: np.ndarray) -> np.ndarray:
    """(m, P) → (m, m) |cos| of the angle between each two; NaN with one that is rounding."""
    lengths = np.linalg.norm(pictures.astype(np.float64), axis=1)
    known = lengths > SHORTEST * lengths.max(initial=0.0)
    scaled = np.full(pictures.shape, np.nan)
    scaled[known] = pictures[known] / lengths[known, None]
    return np.minimum(np.abs(scaled @ scaled.T), 1.0)


def contrast(pictures: np.ndarray) -> float:
    """−½ log det of the cosines of pictures (m, P): 0 where all are orthogonal, ∞ where dependent.

    The contrast of independent mechanisms (Gresele et al., 2021), which holds the product of the
    columns' lengths against the volume that they span. Pictures that are rounding take no part.
    """
    lengths = np.linalg.norm(pictures.astype(np.float64), axis=1)
    known = pictures[lengths > SHORTEST * lengths.max(initial=0.0)].astype(np.float64)
    if len(known) < 2:
        return 0.0
    scaled = known / np.linalg.norm(known, axis=1, keepdims=True)
    singular = np.linalg.svd(scaled, compute_uv=False) if len(known) <= known.shape[1] else [0.0]
    with np.errstate(divide="ignore"):
        return float(-np.log(singular).sum())
