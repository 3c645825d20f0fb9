"""Footprints: how far from its centre a map reaches."""

from __future__ import annotations

import numpy as np

HELD = 0.9


def holding_radius(energy: np.ndarray, cell: tuple[float, float] = (1.0, 1.0)) -> float:
    """The radius about the centroid of a map (h, w) ≥ 0 that holds 90 % of its sum; NaN for 0.

    `cell` is an entry's height and width, in whose unit the radius is.
    """
    total = energy.sum()
    if total <= 0:
        return float("nan")
    y, x = np.mgrid[: energy.shape[0], : energy.shape[1]] * np.reshape(cell, (2, 1, 1))
    centre_y, centre_x = (energy * y).sum() / total, (energy * x).sum() / total
    distances = np.hypot(y - centre_y, x - centre_x).ravel()
    order = np.argsort(distances, kind="stable")
    reached = np.cumsum(energy.ravel()[order]) >= HELD * total
    return float(distances[order][np.argmax(reached)])
