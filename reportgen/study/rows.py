"""Images that each number is computed on: seeded, the same for the same settings, no clock."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from reportgen.settings import Settings
from reportgen.study.sample import FEWEST_TO_SPLIT

FEWEST_STATISTIC_ROWS, MOST_STATISTIC_ROWS = 32, 256
STATISTIC_DECODES = 20_000
FEWEST_SHIFT_ROWS, MOST_SHIFT_ROWS, SHIFT_DECODES = 16, 64, 4_000
MEDOID_CANDIDATES = 2_000
# Rows on which the steps of a path are doubled.
PILOT_ROWS = 16
# Rows, beside the picture rows, on which zeroing is held against paths.
FURTHER_MISS_ROWS = 8
FEWEST_DRAWN_ROWS, DRAWN_DECODES = 4, 10_000
WALK_QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Rows:
    """Indices into the test sample.

    Attributes
    ----------
    walks : rows that units are walked from: the medoid code, then the rows at the .1, .5 and .9
        quantiles of reconstruction error.
    pictures : rows shown as pictures; the walk rows come first.
    statistics : random rows behind most numbers.
    pooled : random rows for the shares, of which the first `pooled_count` are used; with
        `statistics` it shares its first rows.
    table : random rows of the coalition table, the first of `statistics`.
    shifts : random rows whose units move a little to both sides, the first of them all.
    """

    walks: np.ndarray
    pictures: np.ndarray
    statistics: np.ndarray
    pooled: np.ndarray
    table: np.ndarray
    shifts: np.ndarray

    def fewer(self, statistics: int, table: int) -> Rows:
        """At most so many rows behind statistics, and so many of the coalition table."""
        return replace(
            self,
            statistics=self.statistics[:statistics],
            pooled=self.pooled[:statistics],
            shifts=self.shifts[:statistics],
            table=self.table[: min(table, statistics)],
        )


def split_rows(count: int, seed: int) -> tuple[np.ndarray, ...]:
    """Fit and test rows: a seeded half each; below 20 images one part, which serves as both."""
    if count < FEWEST_TO_SPLIT:
        return (np.arange(count),)
    shuffled = np.random.default_rng([seed, 1]).permutation(count)
    return np.sort(shuffled[: count // 2]), np.sort(shuffled[count // 2 :])


def choose_rows(
    codes: np.ndarray, squared_errors: np.ndarray, units: int, settings: Settings
) -> Rows:
    """Rows among the test sample's codes (n, code_size) and reconstruction errors (n,)."""
    shuffled = np.random.default_rng([settings.seed, 2]).permutation(len(codes))
    statistics = settings.rows or _scaled(
        STATISTIC_DECODES // (2 * units + 1), settings.effort_factor
    )
    table = max(2, round(settings.table_rows * settings.effort_factor))
    shifts = np.clip(SHIFT_DECODES // units, FEWEST_SHIFT_ROWS, MOST_SHIFT_ROWS)
    shifts = max(2, round(shifts * settings.effort_factor))
    walks = _walk_rows(codes, squared_errors, settings.walk_rows, settings.seed)
    others = [row for row in shuffled[::-1] if row not in set(walks.tolist())]
    pictures = np.array([*walks, *others][: max(settings.picture_rows, len(walks))], np.intp)
    return Rows(
        walks=walks,
        pictures=pictures,
        statistics=shuffled[:statistics],
        pooled=shuffled[: _scaled(MOST_STATISTIC_ROWS, settings.effort_factor)],
        table=shuffled[: min(table, statistics)],
        shifts=shuffled[:shifts],
    )


def drawn_count(baselines: int, codes: int, rows: int, settings: Settings) -> int:
    """Rows, of so many, that are moved from each of so many mean codes, by so many codes each."""
    afforded = max(DRAWN_DECODES // (baselines * codes), FEWEST_DRAWN_ROWS)
    return min(afforded, rows, settings.drawn_rows)


def pooled_count(players: int, steps: int, settings: Settings) -> int:
    """Rows behind the shares of so many players on paths of so many steps: 20,000/(2Mp)."""
    return _scaled(STATISTIC_DECODES // (2 * steps * max(1, players)), settings.effort_factor)


def _scaled(count: int, factor: float) -> int:
    """METHODS' clamp to 32 … 256 rows, times the effort."""
    clamped = min(max(count, FEWEST_STATISTIC_ROWS), MOST_STATISTIC_ROWS)
    return max(2, round(clamped * factor))


def _walk_rows(codes: np.ndarray, squared_errors: np.ndarray, count: int, seed: int) -> np.ndarray:
    by_error = np.argsort(squared_errors, kind="stable")
    quantiles = np.linspace(0.1, 0.9, count - 1) if count != 4 else np.array(WALK_QUANTILES)
    chosen = [_medoid(codes, seed)]
    for quantile in quantiles:
        distance = np.abs(np.arange(len(codes)) - round(quantile * (len(codes) - 1)))
        nearest = by_error[np.argsort(distance, kind="stable")]
        free = nearest[~np.isin(nearest, chosen)]
        chosen.extend(free[:1].tolist())
    return np.array(chosen, dtype=np.intp)


def _medoid(codes: np.ndarray, seed: int) -> int:
    """The row whose code has the smallest summed distance to the others, in sd of each unit."""
    from scipy.spatial.distance import cdist

    deviation = codes.std(axis=0, dtype=np.float64)
    scaled = codes / np.where(deviation > 0, deviation, 1)
    candidates = np.arange(len(codes))
    if len(codes) > MEDOID_CANDIDATES:
        generator = np.random.default_rng([seed, 3])
        candidates = np.sort(generator.choice(len(codes), MEDOID_CANDIDATES, replace=False))
    chosen = scaled[candidates]
    return int(candidates[np.argmin(cdist(chosen, chosen).sum(axis=1))])
