"""What do units know of the labels? Mutual information, and with several factors MIG, SAP, DCI."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import DoesNotApplyError, UnanswerableError
from reportgen.statistics.label_scores import (
    LabelColumn,
    chance_information,
    concentration,
    entropy,
    equally_wide,
    importances,
    information_gap,
    mutual_information,
    predictability,
    separated_predictability,
)
from reportgen.study.study import Study

FEWEST_ROWS = 100
MOST_CLASSES = 50
MOST_TRAINED, MOST_SCORED = 1_000, 500
LEAST_KNOWN = 0.5
CLASS = "class"


@dataclass(frozen=True)
class LabelMetrics:
    """Live units against given factors, over the test rows.

    The scores are those of disentanglement_lib (Locatello et al., 2019); None with fewer than two
    factors or two live units. A factor is of classes where it is words, or numbers with at most 50
    values; else it is continuous.

    Attributes
    ----------
    factors : columns of labels.csv, and "class" where images have one, from folders or a table;
        "class of the image" where a factor has that name.
    units : indices of the live units; others know nothing that reaches an image.
    mutual_information : (factors, units) in nat, of a unit cut into 20 bins of equal width and a
        factor (a continuous one is cut likewise); corrected for chance by the mean over 10
        shuffles, so that 0 is what unrelated labels give.
    entropies : (factors,) of the factors' classes or bins, in nat.
    information_gap : MIG, from mutual information without that correction.
    separated_predictability : SAP, by linear support vector machines; of continuous factors, by
        squared correlation.
    disentanglement, completeness, informativeness : DCI from gradient boosted trees; the last is
        the mean over factors of their accuracy on scored images, of continuous ones R².
    told : (factors,) that accuracy above always saying the commonest class, as a part of what is
        left above it; of continuous factors R². NaN where scored images are all of one class;
        empty with fewer than two factors.
    trained_rows, scored_rows : test images behind the machines and trees, at most 1,000 and 500.
    rows : test images with every one of these labels.
    """

    factors: tuple[str, ...]
    units: tuple[int, ...]
    mutual_information: np.ndarray
    entropies: np.ndarray
    information_gap: float | None
    separated_predictability: float | None
    disentanglement: float | None
    completeness: float | None
    informativeness: float | None
    told: tuple[float, ...]
    trained_rows: int
    scored_rows: int
    rows: int


def run(study: Study) -> LabelMetrics:
    """Compare every live unit with every label.

    Raises DoesNotApplyError without labels, UnanswerableError with fewer than 100 test rows or
    without a live unit.
    """
    live = study.live_units
    if len(live) == 0:
        raise UnanswerableError("no unit of the code has an effect on the image.")
    columns, rows = _columns(study)
    if not columns:
        raise DoesNotApplyError(
            "the images have no labels: no class folders, and no varying column in a labels.csv "
            "that at least half of the images have."
        )
    values = study.units.subset(live).values(study.test.codes[rows])
    if len(values) < FEWEST_ROWS:
        raise UnanswerableError(f"{len(values)} labelled test images are fewer than {FEWEST_ROWS}.")
    bins = [equally_wide(unit) for unit in values.T]
    information = np.array(
        [[mutual_information(column.bins, unit) for unit in bins] for column in columns]
    )
    chance = np.array(
        [[chance_information(c.bins, unit, study.settings.seed) for unit in bins] for c in columns]
    )
    entropies = np.array([entropy(column.bins) for column in columns])
    kept, held_out = _split(len(values), study.settings.seed)
    several, two_units = len(columns) >= 2, len(live) >= 2
    split = (columns, values, kept, held_out, study.settings.seed)
    found, scores = importances(*split) if several else (None, np.zeros(0))
    return LabelMetrics(
        factors=tuple(column.name for column in columns),
        units=tuple(int(unit) for unit in live),
        mutual_information=np.maximum(0, information - chance),
        entropies=entropies,
        information_gap=information_gap(information, entropies) if several and two_units else None,
        separated_predictability=(
            separated_predictability(predictability(*split)) if several and two_units else None
        ),
        disentanglement=None if found is None else concentration(found.T),
        completeness=None if found is None or not two_units else concentration(found),
        informativeness=float(scores.mean()) if several else None,
        told=tuple(
            _above_chance(column, score, held_out)
            for column, score in zip(columns if several else (), scores, strict=True)
        ),
        trained_rows=len(kept),
        scored_rows=len(held_out),
        rows=len(values),
    )


def _split(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on, two thirds, and rows to score on; at most 1,000 and 500 of them."""
    shuffled = np.random.default_rng([seed, 11]).permutation(rows)
    held_out, kept = shuffled[: rows // 3], shuffled[rows // 3 :]
    return kept[:MOST_TRAINED], held_out[:MOST_SCORED]


def _above_chance(column: LabelColumn, score: float, held_out: np.ndarray) -> float:
    if column.continuous:
        return float(score)
    commonest = float(np.bincount(column.bins[held_out]).max() / len(held_out))
    return (score - commonest) / (1 - commonest) if commonest < 1 else float("nan")


def _columns(study: Study) -> tuple[list[LabelColumn], np.ndarray]:
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


def _column(name: str, entries: list[float | str]) -> LabelColumn | None:
    """A usable factor; None where it does not vary or is a name for each image."""
    try:
        values = np.array([float(entry) for entry in entries])
    except (TypeError, ValueError):
        distinct, bins = np.unique(np.array([str(e) for e in entries]), return_inverse=True)
        usable = 1 < len(distinct) <= MOST_CLASSES
        return LabelColumn(name, False, bins.astype(float), bins) if usable else None
    if not np.isfinite(values).all() or np.ptp(values) == 0:
        return None
    distinct, bins = np.unique(values, return_inverse=True)
    continuous = len(distinct) > MOST_CLASSES
    return LabelColumn(name, continuous, values, equally_wide(values) if continuous else bins)
