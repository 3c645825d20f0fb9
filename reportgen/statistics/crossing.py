"""The place where a falling curve of sums over rows meets a level that is such a sum too.

An interval of that place is the set of places at which the interval of curve over level holds 1:
unlike percentiles of the place it knows how few rows either sum may hang on, and that a curve may
be steep on one side and flat on the other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from reportgen.statistics.bootstrap import FEWEST_TO_JUDGE, Bootstrap, Estimate
from reportgen.statistics.fit_uncertainty import jackknife_deviation, widened


def crossing(curve: np.ndarray, level: float) -> float:
    """The place at which a falling curve (k + 1,) over 0, 1, … k, joined by lines, reaches `level`.

    k where it does not.
    """
    reached = np.flatnonzero(curve <= level)
    if len(reached) == 0:
        return float(len(curve) - 1)
    place = int(reached[0])
    return 0.0 if place == 0 else _between(place - 1, curve[place - 1], curve[place], level)


def crossing_interval(
    bootstrap: Bootstrap, curve: np.ndarray, level: np.ndarray, without: np.ndarray
) -> tuple[float, float] | None:
    """The 95 % interval of where the sums over rows of curve (n, k + 1) reach that of level (n,).

    At each place log(Σ curve / Σ level) has a studentized interval, widened by a jackknife over
    what the curve's sums are (G, j + 1) without each of G groups of the rows that it was fitted on;
    beyond j as at j. None below 32 images, or where the level is 0.
    """
    if bootstrap.images < FEWEST_TO_JUDGE or not level.sum() > 0:
        return None
    sums, target = curve.sum(axis=0), float(level.sum())

    @cache
    def ends(place: int) -> tuple[float, float]:
        if not sums[place] > 0:
            return 0.0, 0.0
        found = float(np.log(sums[place] / target))
        low, high = bootstrap.log_ratio(curve[:, place], level, FEWEST_TO_JUDGE)
        if not (np.isfinite(low) and np.isfinite(high)):
            low = high = found
        elsewhere = without[:, min(place, without.shape[1] - 1)]
        deviation = jackknife_deviation(np.log(elsewhere)) if (elsewhere > 0).all() else 0.0
        wider = widened(Estimate(found, min(low, found), max(high, found)), float(deviation))
        return float(np.exp(wider.low)), float(np.exp(wider.high))

    value, last = crossing(sums, target), len(sums) - 1
    return (
        _first_below(lambda place: ends(place)[0], int(value), last),
        _last_above(lambda place: ends(place)[1], int(value), last),
    )


def _first_below(ratio: Callable[[int], float], start: int, last: int) -> float:
    """Return where a ratio that is at most 1 next to `start` comes down to 1, going left."""
    place = min(start + 1, last)
    if ratio(place) > 1:
        return float(place)
    while place > 0 and ratio(place - 1) <= 1:
        place -= 1
    return 0.0 if place == 0 else _between(place - 1, ratio(place - 1), ratio(place), 1)


def _last_above(ratio: Callable[[int], float], start: int, last: int) -> float:
    """Return where a ratio that is at least 1 at `start` goes below it, going right."""
    place = start
    if ratio(place) < 1:
        return float(place)
    while place < last and ratio(place + 1) >= 1:
        place += 1
    return float(last) if place == last else _between(place, ratio(place), ratio(place + 1), 1)


def _between(place: int, before: float, after: float, level: float) -> float:
    return place + float((before - level) / (before - after))
