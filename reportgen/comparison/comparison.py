"""The whole comparison of two or more reports."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reportgen.comparison.differences import (
    Answer,
    Difference,
    TrainingsDifference,
    differences_of,
    replicated_difference,
    trainings_differences,
    verdict_beside,
)
from reportgen.comparison.sources import Condition, Source, conditions_of
from reportgen.comparison.units import MatchedUnits, match_units, ranking_similarity
from reportgen.report.question import Question

SCHEMA_VERSION = "1.0"


@dataclass(frozen=True)
class Pair:
    """A report beside the one that all are compared with.

    Attributes
    ----------
    first, second : their names.
    conditions : what is the same.
    verdict : question by question; differences of further numbers.
    replicated : R² over the trainings that both reports hold as replicates; None where they do not.
    units : matched.
    appeared, vanished : what is the matter with some unit in the second report alone, and in the
        first alone, with how many units; factors that some unit goes with likewise.
    """

    first: str
    second: str
    conditions: tuple[Condition, ...]
    verdict: tuple[Answer, ...]
    differences: tuple[Difference, ...]
    replicated: TrainingsDifference | None
    units: MatchedUnits
    appeared: tuple[str, ...]
    vanished: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """Reports beside each other.

    Attributes
    ----------
    schema_version : of comparison.json.
    names : of the reports; the first is the one that the others are compared with.
    pairs : each of the others beside it; with trainings of two recipes, the first of each.
    trainings : differences between two recipes over their trainings; empty without.
    recipes : how many trainings each of the two has; empty without.
    similarity : (n, n) UDR of each pair of reports, NaN on the diagonal and where unknown.
    udr : of each report, the median of its row; NaN where unknown.
    matched : (n, n) median |r| of matched units; likewise.
    """

    schema_version: str
    names: tuple[str, ...]
    pairs: tuple[Pair, ...]
    trainings: tuple[TrainingsDifference, ...]
    recipes: tuple[int, ...]
    similarity: np.ndarray
    udr: tuple[float, ...]
    matched: np.ndarray

    @property
    def differs(self) -> tuple[str, ...]:
        """Names of numbers that differ: over trainings where there are some, else on images."""
        if self.recipes:
            return tuple(found.label for found in self.trainings if found.changed)
        return tuple(
            found.label
            for pair in self.pairs
            for found in pair.differences
            if found.mark in ("higher", "lower")
        )


def compare_sources(
    sources: Sequence[Source], questions: Sequence[Question], recipes: tuple[int, ...] = ()
) -> Comparison:
    """Compare reports with the first; with `recipes` (2,) trainings of the first and the second."""
    trainings: tuple[TrainingsDifference, ...] = ()
    others = sources[1:]
    if recipes:
        first, second = sources[: recipes[0]], sources[recipes[0] :]
        trainings = trainings_differences(first, second, questions)
        others = second[:1]
    similarity, matched = _matrices(sources)
    known = np.isfinite(similarity).any(axis=1)
    udr = tuple(
        float(np.nanmedian(row)) if some else float("nan")
        for row, some in zip(similarity, known, strict=True)
    )
    return Comparison(
        schema_version=SCHEMA_VERSION,
        names=tuple(source.name for source in sources),
        pairs=tuple(_pair(sources[0], other, questions) for other in others),
        trainings=trainings,
        recipes=recipes,
        similarity=similarity,
        udr=udr,
        matched=matched,
    )


def comparison_json(comparison: Comparison) -> str:
    """comparison.json: keys as in `Comparison`, NaN as null."""
    plain = _plain(comparison)
    return json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _matrices(sources: Sequence[Source]) -> tuple[np.ndarray, np.ndarray]:
    count = len(sources)
    similarity, matched = np.full((count, count), np.nan), np.full((count, count), np.nan)
    if count > 2:
        for i in range(count):
            for k in range(i + 1, count):
                similarity[i, k] = similarity[k, i] = ranking_similarity(sources[i], sources[k])
                matched[i, k] = matched[k, i] = match_units(sources[i], sources[k]).median
    return similarity, matched


def _pair(first: Source, second: Source, questions: Sequence[Question]) -> Pair:
    before, after = _known_of(first), _known_of(second)
    return Pair(
        first=first.name,
        second=second.name,
        conditions=conditions_of(first, second),
        verdict=verdict_beside(first, second, questions),
        differences=differences_of(first, second, questions),
        replicated=replicated_difference(first, second),
        units=match_units(first, second),
        appeared=tuple(f"{what}: {n}" for what, n in after.items() if what not in before),
        vanished=tuple(f"{what}: {n}" for what, n in before.items() if what not in after),
    )


def _known_of(source: Source) -> dict[str, str]:
    """States of units and factors that units go with, each with how many units."""
    found: dict[str, int] = {}
    for unit in source.results.units:
        for state in unit.health:
            found[f"units that are {state}"] = found.get(f"units that are {state}", 0) + 1
        for factor in unit.tracks:
            if factor.named:
                key = f"units that go with {factor.name}"
                found[key] = found.get(key, 0) + 1
    return {what: str(count) for what, count in found.items()}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value
