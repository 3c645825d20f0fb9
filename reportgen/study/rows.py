"""Which images each number is computed on: seeded, the same for the same settings, no clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.settings import Settings

FEWEST_TO_SPLIT = 20
FEWEST_STATISTIC_ROWS, MOST_STATISTIC_ROWS = 32, 256
STATISTIC_DECODES, PATH_DECODES = 20_000, 10_000
MEDOID_CANDIDATES = 2_000
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
    pooled : random rows behind the shares; with `statistics` it shares its first rows.
    table : random rows of the coalition table, the first of `statistics`.
    """

    walks: np.ndarray
    pictures: np.ndarray
    statistics: np.ndarray
    pooled: np.ndarray
    table: np.ndarray


def split_rows(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit and test rows: a seeded half each; below 20 images all rows serve as both."""
    if count < FEWEST_TO_SPLIT:
        return np.arange(count), np.arange(count)
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
    path_players = min(units, settings.path_players + 1)
    pooled = _scaled(PATH_DECODES // (4 * path_players), settings.effort_factor)
    table = max(2, round(settings.table_rows * settings.effort_factor))
    walks = _walk_rows(codes, squared_errors, settings.walk_rows, settings.seed)
    others = [row for row in shuffled[::-1] if row not in set(walks.tolist())]
    pictures = np.array([*walks, *others][: max(settings.picture_rows, len(walks))], np.intp)
    return Rows(
        walks=walks,
        pictures=pictures,
        statistics=shuffled[:statistics],
        pooled=shuffled[:pooled],
        table=shuffled[: min(table, statistics)],
    )


def _scaled(count: int, factor: float) -> int:
    """METHODS' clamp to 32 … 256 rows, times the effort."""
    return max(2, round(np.clip(count, FEWEST_STATISTIC_ROWS, MOST_STATISTIC_ROWS) * factor))


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
