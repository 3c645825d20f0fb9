"""The parts of one image's change that are shown alone, by their shares of it."""

from __future__ import annotations

import numpy as np

LARGEST_PARTS = 6


def largest_parts(shares: np.ndarray) -> np.ndarray:
    """Each image's own largest shares by absolute value, largest first: (r, n) → (r, at most 6)."""
    order = np.argsort(-np.abs(shares), axis=1, kind="stable")[:, :LARGEST_PARTS]
    return np.take_along_axis(shares, order, axis=1)
