"""Squared lengths of vectors."""

from __future__ import annotations

import numpy as np


def squared_norms(vectors: np.ndarray) -> np.ndarray:
    """(…, P) → (…) squared Euclidean norms, accumulated in float64."""
    vectors = np.asarray(vectors, dtype=np.float64)
    squares: np.ndarray = np.vecdot(vectors, vectors)
    return squares
