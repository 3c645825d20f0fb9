"""The largest difference between contributions together and an image's change."""

from __future__ import annotations

import numpy as np

from reportgen.process.ranks import Ranks


class Incompleteness:
    """Largest |Σφ − Δ| over images and pixels, over the largest |Δ|; NaN where an image is."""

    def __init__(self) -> None:
        self._missed_and_change = np.zeros(2)

    def add(self, phi: np.ndarray, change: np.ndarray) -> None:
        """One image's φ (players, P), and Δ (P,) that was decoded apart from its path."""
        missed = np.abs(phi.sum(axis=0, dtype=np.float64) - change).max()
        # Unlike `max`, it passes on what is not a number.
        self._missed_and_change = np.maximum(
            self._missed_and_change, [missed, np.abs(change).max()]
        )

    def over(self, ranks: Ranks) -> float:
        """Return the share missed by the images of all ranks; 0 where nothing changes."""
        missed, change = (ranks.largest(float(number)) for number in self._missed_and_change)
        return 0.0 if change == 0 else missed / change
