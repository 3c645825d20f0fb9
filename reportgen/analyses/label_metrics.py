"""What do units know of the labels? Mutual information, and with several factors MIG and DCI."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import DoesNotApplyError, UnanswerableError
from reportgen.statistics.blocks import available_threads
from reportgen.study.study import Study

BINS = 20
FEWEST_ROWS = 100
MOST_CLASSES = 50
TREES = 50
LEAST_KNOWN = 0.5
CLASS = "class"


@dataclass(frozen=True)
class LabelMetrics:
    """Units against given factors, over the test rows.

    Attributes
    ----------
    factors : columns of labels.csv, and "class" where images have one, from folders or a table;
        "class of the image" where a factor has that name.
    units : indices of the units that vary.
    mutual_information : (factors, units) in nat, of a unit cut into 20 equally filled bins and a
        factor (numbers with more than 20 values are cut likewise; equal values share a bin);
        corrected for chance by the mean over 10 shuffles, so that 0 is what unrelated labels give.
    entropies : (factors,) of the cut factors, in nat.
    gap : mutual information gap (Chen et al., 2018): the mean over factors of the difference
        between the two largest entries over the entropy; None with fewer than two factors.
    disentanglement, completeness : DCI (Eastwood & Williams, 2018) from random forests;
        None with fewer than two factors, completeness also with one unit.
    informativeness : (factors,) R² (numbers) or accuracy above chance (classes) of those forests on
        held-out rows; NaN where these are all of one class; empty with fewer than two factors.
    rows : test images with every one of these labels.
    """

    factors: tuple[str, ...]
    units: tuple[int, ...]
    mutual_information: np.ndarray
    entropies: np.ndarray
    gap: float | None
    disentanglement: float | None
    completeness: float | None
    informativeness: tuple[float, ...]
    rows: int


@dataclass(frozen=True)
class _Column:
    """One factor: its name, whether it is numeric, its values and its bins."""

    name: str
    numeric: bool
    values: np.ndarray
    bins: np.ndarray


def run(study: Study) -> LabelMetrics:
    """Compare every unit that varies with every label.

    Raises DoesNotApplyError without labels, UnanswerableError with fewer than 100 test rows.
    """
    if len(study.players) == 0:
        raise UnanswerableError("no unit of the code varies over the images.")
    columns, rows = _columns(study)
    if not columns:
        raise DoesNotApplyError(
            "the images have no labels: no class folders, and no varying column in a labels.csv "
            "that at least half of the images have."
        )
    values = study.players.values(study.test.codes[rows])
    if len(values) < FEWEST_ROWS:
        raise UnanswerableError(f"{len(values)} labelled test images are fewer than {FEWEST_ROWS}.")
    units = [_equally_filled(column) for column in values.T]
    information = np.array(
        [[_corrected(c.bins, unit, study.settings.seed) for unit in units] for c in columns]
    )
    entropies = np.array([_entropy(column.bins) for column in columns])
    several = len(columns) >= 2
    importances, scores = _forests(columns, values, study.settings.seed) if several else (None, ())
    return LabelMetrics(
        factors=tuple(column.name for column in columns),
        units=tuple(int(unit) for unit in study.player_units),
        mutual_information=information,
        entropies=entropies,
        gap=_gap(information, entropies) if several and len(units) > 1 else None,
        disentanglement=None if importances is None else _concentration(importances.T),
        completeness=(
            None if importances is None or len(units) < 2 else _concentration(importances)
        ),
        informativeness=scores,
        rows=len(values),
    )


def _columns(study: Study) -> tuple[list[_Column], np.ndarray]:
    """Usable factors, and the test rows that have a label in each of them."""
    given = dict(study.test.factors)
    if study.test.labels is not None:
        # A table may have a factor of that name beside the classes.
        given[CLASS if CLASS not in given else f"{CLASS} of the image"] = study.test.labels
    known = {name: np.array([_is_known(entry) for entry in c]) for name, c in given.items()}
    common = {name: column for name, column in known.items() if column.mean() >= LEAST_KNOWN}
    rows = np.arange(len(study.test))
    if common:
        rows = np.flatnonzero(np.all(list(common.values()), axis=0))
    if len(rows) == 0:
        return [], rows
    found = [_column(name, [given[name][row] for row in rows]) for name in common]
    return [column for column in found if column is not None], rows


def _is_known(entry: object) -> bool:
    return entry != "" and entry == entry


def _column(name: str, entries: list) -> _Column | None:
    """A usable factor; None where it does not vary or is a name for each image."""
    try:
        values = np.array([float(entry) for entry in entries])
    except (TypeError, ValueError):
        distinct, bins = np.unique(np.array([str(e) for e in entries]), return_inverse=True)
        usable = 1 < len(distinct) <= MOST_CLASSES
        return _Column(name, False, bins.astype(float), bins) if usable else None
    if not np.isfinite(values).all() or np.ptp(values) == 0:
        return None
    distinct, bins = np.unique(values, return_inverse=True)
    return _Column(name, True, values, bins if len(distinct) <= BINS else _equally_filled(values))


def _equally_filled(values: np.ndarray) -> np.ndarray:
    """(n,) bins by rank. Ties share their mean rank: an atom is apart from what is beside it."""
    from scipy.stats import rankdata

    return np.floor(BINS * (rankdata(values) - 0.5) / len(values)).astype(np.intp)


def _entropy(bins: np.ndarray) -> float:
    shares = np.bincount(bins) / len(bins)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def _corrected(factor: np.ndarray, unit: np.ndarray, seed: int) -> float:
    """Mutual information less what shuffled labels give; not below 0."""
    generator = np.random.default_rng([seed, 10])
    chance = np.mean([_mutual_information(generator.permutation(factor), unit) for _ in range(10)])
    return max(0.0, _mutual_information(factor, unit) - float(chance))


def _mutual_information(first: np.ndarray, second: np.ndarray) -> float:
    from sklearn.metrics import mutual_info_score

    counts = np.zeros((first.max() + 1, second.max() + 1), dtype=np.intp)
    np.add.at(counts, (first, second), 1)
    return float(mutual_info_score(None, None, contingency=counts))


def _gap(information: np.ndarray, entropies: np.ndarray) -> float:
    ordered = np.sort(information, axis=1)
    return float(np.mean((ordered[:, -1] - ordered[:, -2]) / entropies))


def _forests(
    columns: list[_Column], values: np.ndarray, seed: int
) -> tuple[np.ndarray, tuple[float, ...]]:
    """Importances (factors, units) and held-out scores of one random forest for each factor."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    shuffled = np.random.default_rng([seed, 11]).permutation(len(values))
    held_out, kept = shuffled[: len(values) // 3], shuffled[len(values) // 3 :]
    importances, scores = [], []
    for column in columns:
        kind = RandomForestRegressor if column.numeric else RandomForestClassifier
        forest = kind(TREES, min_samples_leaf=5, random_state=seed, n_jobs=available_threads()).fit(
            values[kept], column.values[kept]
        )
        # Trees are the same on any number of threads, sums of what they predict are not.
        forest.n_jobs = 1
        importances.append(forest.feature_importances_)
        score = float(forest.score(values[held_out], column.values[held_out]))
        if not column.numeric:
            commonest = float(np.bincount(column.bins[held_out]).max() / len(held_out))
            score = (score - commonest) / (1 - commonest) if commonest < 1 else float("nan")
        scores.append(score)
    return np.array(importances), tuple(scores)


def _concentration(importances: np.ndarray) -> float:
    """Σ_i weight_i (1 − H_i / log n): how far each row's importance lies on one column.

    NaN where no forest found anything to split on.
    """
    totals = importances.sum(axis=1)
    if totals.sum() == 0:
        return float("nan")
    shares = importances / np.where(totals > 0, totals, 1)[:, None]
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    entropies = -(shares * logs).sum(axis=1) / np.log(importances.shape[1])
    return float(((1 - entropies) * totals / totals.sum()).sum())
