"""Trustworthiness: how far neighbours on a map are neighbours in what it maps."""

from __future__ import annotations

import numpy as np


def trustworthiness(codes: np.ndarray, points: np.ndarray, neighbours: int) -> float:
    """1 less a penalty for each neighbour on the map that is none in the code, by its rank there.

    Of codes (n, m) and their points (n, 2), with fewer than n / 2 neighbours (Venna & Kaski, 2001;
    as scikit-learn has it, whose import takes longer than all maps).
    """
    from scipy.spatial.distance import cdist

    count = len(codes)
    apart = cdist(codes, codes)
    np.fill_diagonal(apart, np.inf)
    ranks = np.empty((count, count))
    np.put_along_axis(ranks, np.argsort(apart, axis=1), np.arange(1.0, count + 1)[None], axis=1)
    on_map = cdist(points, points)
    np.fill_diagonal(on_map, np.inf)
    nearest = np.argsort(on_map, axis=1)[:, :neighbours]
    beyond = np.maximum(np.take_along_axis(ranks, nearest, axis=1) - neighbours, 0)
    return 1 - float(beyond.sum()) * 2 / (count * neighbours * (2 * count - 3 * neighbours - 1))
