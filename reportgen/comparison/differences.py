"""Differences between two reports' numbers, with intervals, and between trainings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from reportgen.analyses.reconstruction import Reconstruction
from reportgen.analyses.replicates import Replicates
from reportgen.comparison.sources import Source, same_rows
from reportgen.report.kept_arrays import RESAMPLES
from reportgen.report.name_path import VERDICT_SECTIONS
from reportgen.report.number_names import NumberNames
from reportgen.report.number_places import as_estimate
from reportgen.report.numbers import NumberScale
from reportgen.report.question import Question
from reportgen.report.results import VerdictLine
from reportgen.statistics.bootstrap import LOWER, UNDEFINED, UPPER, Estimate

Mark = Literal["same", "higher", "lower", "cannot be compared"]
FEWEST_TRAININGS = 3
# Name, as printed, how it is printed.
COMPARED: tuple[tuple[str, str, NumberScale], ...] = (
    ("reconstruction.r2", "R²", "ratio"),
    ("reconstruction.mse", "mean squared error", "ratio"),
    ("reconstruction.beyond_pca", "R² beyond PCA's", "ratio"),
    ("reconstruction.equivalent_components", "equivalent PCA components", "ratio"),
    ("linearity.linear", "linear share of Var x̂", "percent"),
    ("linearity.curved", "curved share", "percent"),
    ("linearity.not_additive", "not additive", "percent"),
    ("additivity.up.gap", "gap, moved up", "percent"),
    ("additivity.down.gap", "gap, moved down", "percent"),
    ("subtraction.miss_zero", "miss of zeroing", "percent"),
    ("subtraction.miss_mean", "miss with the mean in place of zero", "percent"),
    ("one_picture.pooled_solo", "one picture for each unit, alone", "percent"),
    ("one_picture.pooled_context", "one picture for each unit, in context", "percent"),
)
# Numbers from images that depend on the model, beside those that all numbers share.
OWN_ROWS = {
    "subtraction.miss_zero": "pictures",
    "subtraction.miss_mean": "pictures",
    "verdict.subtraction": "pictures",
    "verdict.units": "pooled shares",
}

SAME_NUMBER = {
    "verdict.reconstructs": "reconstruction.r2",
    "verdict.linear": "linearity.linear",
    "verdict.subtraction": "subtraction.miss_zero",
}


@dataclass(frozen=True)
class Difference:
    """One number in two reports.

    Attributes
    ----------
    name, label : as in docs/numbers.md, and as printed; `scale` how.
    first, second : the number in each; NaN where there is none.
    difference : second less first, with its 95 % interval; NaN where there is none.
    paired : whether it was taken resample by resample on the same rows, and not from the two
        intervals as if they were independent.
    mark : "same" where the interval holds 0.
    """

    name: str
    label: str
    scale: NumberScale
    first: Estimate
    second: Estimate
    difference: Estimate
    paired: bool
    mark: Mark


@dataclass(frozen=True)
class Answer:
    """One question of the verdict in two reports: the words, and the difference of the numbers."""

    question: str
    first_word: str
    second_word: str
    difference: Difference


@dataclass(frozen=True)
class TrainingsDifference:
    """One number over several trainings of each side.

    Attributes
    ----------
    name, label, scale : as in `Difference`.
    first, second : (n,) the number in each training.
    difference : mean of the second less mean of the first, with Welch's 95 % interval.
    changed : whether that interval leaves 0 out.
    """

    name: str
    label: str
    scale: NumberScale
    first: tuple[float, ...]
    second: tuple[float, ...]
    difference: Estimate
    changed: bool


def verdict_beside(
    first: Source, second: Source, questions: Sequence[Question]
) -> tuple[Answer, ...]:
    """The verdict of two reports, question by question; those that both have."""
    answers = []
    for key, section in VERDICT_SECTIONS.items():
        one, two = (_line_of(source, section) for source in (first, second))
        if one is None or two is None:
            continue
        found = _difference(first, second, f"verdict.{key}", one.measure, one.scale, questions)
        if section == "additivity" and one.measure != two.measure:
            # From the mean code in one, and from a real code in the other.
            found = replace(found, difference=UNDEFINED, mark="cannot be compared")
        answers.append(Answer(one.question, one.word, two.word, found))
    return tuple(answers)


def _line_of(source: Source, section: str) -> VerdictLine | None:
    return next((line for line in source.results.verdict if line.section == section), None)


def differences_of(
    first: Source, second: Source, questions: Sequence[Question]
) -> tuple[Difference, ...]:
    """The numbers of `COMPARED` that both reports have."""
    found = (_difference(first, second, *entry, questions) for entry in COMPARED)
    return tuple(d for d in found if np.isfinite([d.first.value, d.second.value]).any())


def trainings_differences(
    first: Sequence[Source], second: Sequence[Source], questions: Sequence[Question]
) -> tuple[TrainingsDifference, ...]:
    """The numbers of `COMPARED` over trainings of two recipes, at least three of each."""
    return tuple(_over_trainings(first, second, questions))


def replicated_difference(first: Source, second: Source) -> TrainingsDifference | None:
    """R² over the trainings that both reports hold: the model and its replicates.

    None where either has fewer than three of them. R² is the only one of the compared numbers that
    a report keeps of its replicates.
    """
    sides = [_replicated_r2(source) for source in (first, second)]
    if any(len(side) < FEWEST_TRAININGS or not np.isfinite(side).all() for side in sides):
        return None
    return _told_apart(*COMPARED[0], *sides)


def _replicated_r2(source: Source) -> np.ndarray:
    answers = source.results.answers
    own, others = answers.of(Reconstruction), answers.of(Replicates)
    if own is None or others is None:
        return np.zeros(0)
    return np.array([own.r2.value, *others.r2], dtype=np.float64)


def welch(first: np.ndarray, second: np.ndarray) -> Estimate:
    """Mean of `second` less mean of `first` with Welch's 95 % interval (Welch, 1947).

    Equal numbers on both sides give an interval of no width.
    """
    from scipy.stats import t

    difference = float(second.mean() - first.mean())
    squares = [part.var(ddof=1) / len(part) for part in (first, second)]
    total = float(sum(squares))
    if total == 0:
        return Estimate(difference, difference, difference)
    parts = zip(squares, (first, second), strict=True)
    freedom = total**2 / sum(s**2 / (len(p) - 1) for s, p in parts)
    half = float(t.ppf(0.975, freedom)) * np.sqrt(total)
    return Estimate(difference, float(difference - half), float(difference + half))


def _over_trainings(
    first: Sequence[Source], second: Sequence[Source], questions: Sequence[Question]
) -> Iterator[TrainingsDifference]:
    for name, label, scale in COMPARED:
        sides = [
            np.array([_number(source, name, questions).value for source in side])
            for side in (first, second)
        ]
        if all(np.isfinite(side).all() for side in sides):
            yield _told_apart(name, label, scale, *sides)


def _told_apart(
    name: str, label: str, scale: NumberScale, first: np.ndarray, second: np.ndarray
) -> TrainingsDifference:
    difference = welch(first, second)
    changed = not difference.low <= 0 <= difference.high
    one, two = (tuple(side.tolist()) for side in (first, second))
    return TrainingsDifference(name, label, scale, one, two, difference, changed)


def _number(source: Source, name: str, questions: Sequence[Question]) -> Estimate:
    return as_estimate(NumberNames(source.results, questions).find(name).value)


def _difference(
    first: Source,
    second: Source,
    name: str,
    label: str,
    scale: NumberScale,
    questions: Sequence[Question],
) -> Difference:
    one, two = (_number(source, name, questions) for source in (first, second))
    resamples = _resamples(first, name, one), _resamples(second, name, two)
    paired = same_rows(first, second, OWN_ROWS.get(name))
    paired = paired and all(part is not None for part in resamples)
    found = _paired(one, two, resamples) if paired else _independent(one, two)
    return Difference(name, label, scale, one, two, found, paired, _mark(found))


def _resamples(source: Source, name: str, number: Estimate) -> np.ndarray | None:
    """Resamples that were kept of a number, under this name or that of the same number."""
    kept = source.arrays.get(RESAMPLES + name)
    if kept is None and name in SAME_NUMBER:
        kept = source.arrays.get(RESAMPLES + SAME_NUMBER[name])
    return kept if kept is not None and np.isfinite(number.value) and kept.ndim == 1 else None


def _paired(
    one: Estimate, two: Estimate, resamples: tuple[np.ndarray | None, np.ndarray | None]
) -> Estimate:
    first, second = resamples
    assert first is not None and second is not None
    value = two.value - one.value
    if len(first) != len(second):
        return _independent(one, two)
    differences = second.astype(np.float64) - first
    differences = differences[np.isfinite(differences)]
    if len(differences) == 0:
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.percentile(differences, [LOWER, UPPER])
    return Estimate(value, float(min(low, value)), float(max(high, value)))


def _independent(one: Estimate, two: Estimate) -> Estimate:
    """The difference of two numbers whose errors have nothing to do with each other."""
    value = two.value - one.value
    if not np.isfinite(value):
        return UNDEFINED
    low = np.hypot(two.value - two.low, one.high - one.value)
    high = np.hypot(two.high - two.value, one.value - one.low)
    if value == 0 and (one.low, one.high) == (two.low, two.high):
        return Estimate(0.0, float(-low), float(high))
    return Estimate(value, float(value - low), float(value + high))


def _mark(difference: Estimate) -> Mark:
    if not np.isfinite(difference.value):
        return "cannot be compared"
    ends = [end for end in (difference.low, difference.high) if np.isfinite(end)]
    if difference.value == 0 or (ends and min(ends) <= 0 <= max(ends)):
        return "same"
    return "higher" if difference.value > 0 else "lower"
