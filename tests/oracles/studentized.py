"""The studentized bootstrap of a ratio's logarithm by hand (Davison & Hinkley, 1997, §5.2)."""

from __future__ import annotations

import numpy as np


def log_ratio(above: np.ndarray, below: np.ndarray) -> tuple[float, float]:
    """log(Σ above / Σ below) and its sd by the delta method."""
    influences = above / above.sum() - below / below.sum()
    return np.log(above.sum() / below.sum()), np.sqrt(np.square(influences).sum())


def studentized(
    above: np.ndarray, below: np.ndarray, resamples: int, seed: int
) -> tuple[float, float, np.ndarray]:
    """The logarithm, its sd, and how many of its own sd each resample's is away from it."""
    whole, deviation = log_ratio(above, below)
    generator, moved = np.random.default_rng(seed), []
    for _ in range(resamples):
        chosen = generator.integers(len(above), size=len(above))
        again, its_deviation = log_ratio(above[chosen], below[chosen])
        moved.append((again - whole) / its_deviation)
    return whole, deviation, np.array(moved)
