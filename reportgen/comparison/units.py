"""Units of two reports matched, and how far one code is said by the other along other axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses.health import Health, UnitState
from reportgen.comparison.sources import Source, same_images
from reportgen.report.results import Unit
from reportgen.statistics.bootstrap import Bootstrap, Estimate, interval
from reportgen.statistics.matching import (
    correlations,
    match,
    rank_correlations,
    relative_strength,
    resampled_correlations,
)
from reportgen.statistics.shared_space import Variables, explained_by

WEAKEST_PARTNER = 0.5
SAME_SPACE, OTHER_SPACE, SAME_UNITS = 0.9, 0.5, 0.9
FEWEST_ROWS = 20
RESAMPLES, MOST_UNITS = 500, 256
SHOWN_OF_MANY = 32
WITHOUT_USE = {UnitState.CONSTANT, UnitState.IGNORED, UnitState.COLLAPSED}


@dataclass(frozen=True)
class MatchedUnit:
    """A unit of one report and its partner in the other.

    Attributes
    ----------
    first, second : places in both codes; `second` is −1 for none.
    first_name, second_name : as printed.
    r : of their values over the common rows, with its interval; signed.
    runner_up : the largest |r| of the first with any other unit of the second.
    partner : whether |r| is at least .5.
    first_share, second_share : of the change from the baseline; None where not measured.
    first_health, second_health : what is the matter with each.
    """

    first: int
    second: int
    first_name: str
    second_name: str
    r: Estimate
    runner_up: float
    partner: bool
    first_share: Estimate | None
    second_share: Estimate | None
    first_health: tuple[str, ...]
    second_health: tuple[str, ...]

    @property
    def flipped(self) -> bool:
        """Tell whether the partner goes the other way."""
        return self.partner and self.r.value < 0


@dataclass(frozen=True)
class MatchedUnits:
    """The live units of two reports, matched one to one so that the sum of |r| is largest.

    Attributes
    ----------
    units : a match each, strongest share in the first report first; at most 256 of them, or the 32
        strongest where there are more.
    alone_in_first, alone_in_second : names of live units without a partner.
    rows : images that both codes are known of.
    second_from_first, first_from_second : mean R² of one report's live units, each predicted
        linearly from all live units of the other, on rows that were left out.
    median : of |r| over the matches.
    reason : why units were not matched; "" where they were.
    """

    units: tuple[MatchedUnit, ...] = ()
    alone_in_first: tuple[str, ...] = ()
    alone_in_second: tuple[str, ...] = ()
    rows: int = 0
    second_from_first: float = float("nan")
    first_from_second: float = float("nan")
    median: float = float("nan")
    reason: str = ""

    @property
    def says(self) -> str:
        """A sentence on whether both codes say the same; "" where units were not matched."""
        if self.reason:
            return ""
        weaker = min(self.second_from_first, self.first_from_second)
        if not np.isfinite(weaker):
            return "There are too few images to tell whether both codes span one space."
        if weaker >= SAME_SPACE and self.median >= SAME_UNITS:
            return "The same units: each has a partner, and either code gives the other."
        if weaker >= SAME_SPACE:
            return (
                "The same space in other axes: either code gives the other by a linear map, though "
                "units do not match one by one."
            )
        if max(self.second_from_first, self.first_from_second) < OTHER_SPACE:
            return "Another space: neither code gives half of the other by a linear map."
        return "In part the same space: a linear map gives a part of either code from the other."


def match_units(first: Source, second: Source) -> MatchedUnits:
    """Match the live units of two reports over the rows that both have."""
    if not same_images(first, second):
        return MatchedUnits(reason="the reports are of other images")
    for source in (first, second):
        if source.codes is None:
            return MatchedUnits(
                reason=f"the results of {source.name} hold no codes (a page has none, and "
                "--no-codes leaves them out)"
            )
    rows, one, two = _common(first, second)
    if len(rows) < FEWEST_ROWS:
        return MatchedUnits(reason=f"only {len(rows)} test images are in both reports")
    live_one, live_two = live_units(first, one), live_units(second, two)
    if len(live_one) == 0 or len(live_two) == 0:
        return MatchedUnits(rows=len(rows), reason="no unit of one of the codes has an effect")
    r = correlations(one[:, live_one], two[:, live_two])
    mine, theirs = match(np.abs(r))
    ends = _intervals(one[:, live_one[mine]], two[:, live_two[theirs]], r[mine, theirs])
    matches = [
        _matched(first, second, int(live_one[a]), int(live_two[b]), end, _runner_up(r, a, b))
        for a, b, end in zip(mine, theirs, ends, strict=True)
    ]
    matches.sort(key=lambda unit: -(unit.first_share.value if unit.first_share else -1.0))
    partners = [unit for unit in matches if unit.partner]
    shown = matches if len(matches) <= MOST_UNITS else matches[:SHOWN_OF_MANY]
    halves = [Variables(c[::2], c[1::2]) for c in (one[:, live_one], two[:, live_two])]
    seed = first.results.settings.seed
    return MatchedUnits(
        units=tuple(shown),
        alone_in_first=_alone(first, live_one, {unit.first for unit in partners}),
        alone_in_second=_alone(second, live_two, {unit.second for unit in partners}),
        rows=len(rows),
        second_from_first=_mean_explained(halves[1], halves[0], seed),
        first_from_second=_mean_explained(halves[0], halves[1], seed),
        median=float(np.median([abs(unit.r.value) for unit in matches])),
    )


def ranking_similarity(first: Source, second: Source) -> float:
    """Agreement of two models in the sense of UDR, 0 to 1, by |Spearman's r| of live units.

    NaN where units cannot be matched.
    """
    if not same_images(first, second) or first.codes is None or second.codes is None:
        return float("nan")
    rows, one, two = _common(first, second)
    live_one, live_two = live_units(first, one), live_units(second, two)
    if len(rows) < FEWEST_ROWS or len(live_one) == 0 or len(live_two) == 0:
        return float("nan")
    return relative_strength(np.abs(rank_correlations(one[:, live_one], two[:, live_two])))


def live_units(source: Source, values: np.ndarray) -> np.ndarray:
    """Places of the units that vary over the rows (n, K) and that the report calls neither
    constant nor ignored nor collapsed.
    """
    health = source.results.answers.of(Health)
    varies = values.std(axis=0) > 0
    if health is not None and len(health.units) == len(varies):
        varies &= [not WITHOUT_USE & set(unit.states) for unit in health.units]
    return np.flatnonzero(varies)


def _common(first: Source, second: Source) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that both reports have, and both codes there."""
    one, two = first.codes, second.codes
    assert one is not None and two is not None
    rows, mine, theirs = np.intersect1d(first.rows, second.rows, return_indices=True)
    return rows, one[mine], two[theirs]


def _intervals(one: np.ndarray, two: np.ndarray, r: np.ndarray) -> list[Estimate]:
    resampled = resampled_correlations(one, two, Bootstrap(len(one), RESAMPLES, 0))
    # Rounding brings r of a unit with itself a little below or above 1.
    values, others = (np.clip(np.round(part, 12), -1, 1) for part in (r, resampled))
    return [interval(float(value), others[:, k]) for k, value in enumerate(values)]


def _runner_up(r: np.ndarray, row: int, column: int) -> float:
    others = np.delete(np.abs(r[row]), column)
    return float(others.max()) if len(others) else 0.0


def _matched(
    first: Source, second: Source, one: int, two: int, r: Estimate, runner_up: float
) -> MatchedUnit:
    mine, theirs = _unit(first, one), _unit(second, two)
    return MatchedUnit(
        first=one,
        second=two,
        first_name=str(one) if mine is None else mine.name,
        second_name=str(two) if theirs is None else theirs.name,
        r=r,
        runner_up=runner_up,
        partner=abs(r.value) >= WEAKEST_PARTNER,
        first_share=None if mine is None else mine.share,
        second_share=None if theirs is None else theirs.share,
        first_health=() if mine is None else tuple(map(str, mine.health)),
        second_health=() if theirs is None else tuple(map(str, theirs.health)),
    )


def _unit(source: Source, index: int) -> Unit | None:
    return next((unit for unit in source.results.units if unit.index == index), None)


def _alone(source: Source, live: np.ndarray, matched: set[int]) -> tuple[str, ...]:
    units = ((int(place), _unit(source, int(place))) for place in live if int(place) not in matched)
    return tuple(str(place) if unit is None else unit.name for place, unit in units)


def _mean_explained(targets: Variables, others: Variables, seed: int) -> float:
    explained = explained_by(targets, others, seed)
    return float(np.clip(np.nan_to_num(explained), 0, 1).mean())
