"""The choice of the columns to show among many; the rule is printed where it applies."""

from __future__ import annotations

import numpy as np

MOST_COLUMNS = 10
MOST_STEPS = 13


def first_and_rest(pictures: np.ndarray, shown: int = MOST_COLUMNS) -> tuple[np.ndarray, bool]:
    """Return the first `shown` of (columns, P) with the sum of the rest, and whether one is left.
    One column more than `shown` is kept as it is: a rest of one saves nothing.
    """
    if len(pictures) <= shown + 1:
        return pictures, False
    rest = pictures[shown:].sum(axis=0, keepdims=True)
    return np.concatenate([pictures[:shown], rest]), True


def steps_shown(count: int) -> tuple[int, ...]:
    """The steps of 0 … count to show: up to 13 all, else 0, 1, 2, 3, 4, 6, 8, 12, … and `count`."""
    if count < MOST_STEPS:
        return tuple(range(count + 1))
    chosen, power = [0, 1], 2
    while power < count:
        chosen += [power, power + power // 2]
        power *= 2
    return (*(step for step in chosen if step < count), count)
