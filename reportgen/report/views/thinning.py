"""Which of many columns are shown; the rules are printed where they apply."""

from __future__ import annotations

import numpy as np

MOST_COLUMNS = 10
MOST_STEPS = 13


def first_and_rest(pictures: np.ndarray, shown: int = MOST_COLUMNS) -> tuple[np.ndarray, bool]:
    """(columns, P) → the first `shown` and the sum of the others; and whether there are others.

    One column more than `shown` is kept as it is: a rest of one saves nothing.
    """
    if len(pictures) <= shown + 1:
        return pictures, False
    rest = pictures[shown:].sum(axis=0, keepdims=True)
    return np.concatenate([pictures[:shown], rest]), True


def steps_shown(count: int) -> tuple[int, ...]:
    """Of 0 … count: all up to 13, else 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, … and the last."""
    if count < MOST_STEPS:
        return tuple(range(count + 1))
    chosen, power = [0, 1], 2
    while power < count:
        chosen += [power, power + power // 2]
        power *= 2
    return (*(step for step in chosen if step < count), count)
