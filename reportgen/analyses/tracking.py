"""What does a unit follow? Rank correlation with plain image factors, labels and known factors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from reportgen.analyses import UnanswerableError
from reportgen.statistics.blocks import column_blocks, in_parallel
from reportgen.statistics.bootstrap import Bootstrap, Estimate, interval, safe_ratio, weaker_end
from reportgen.statistics.image_factors import image_factors
from reportgen.study.study import Study

if TYPE_CHECKING:
    from scipy.sparse import csc_array

FEWEST_OF_A_CLASS = 5
FEWEST_KNOWN = 8
ROUNDING = 1e-12
KEPT_FACTORS = 3


class FactorKind(StrEnum):
    """Source of a factor: the pixels, a column of labels.csv, the images' classes."""

    IMAGE = "image"
    GIVEN = "given"
    CLASS = "class"


@dataclass(frozen=True)
class Factor:
    """Association of one unit with one factor.

    Attributes
    ----------
    name : the factor: "brightness", a column of labels.csv, or a class.
    kind : where it comes from.
    measure : Spearman's r, or for a class the AUC of the unit's value, one class against the rest.
    named : whether the weaker end of the interval passes the threshold.
    """

    name: str
    kind: FactorKind
    measure: Estimate
    named: bool

    @property
    def association(self) -> Estimate:
        """The measure less what it is where unit and factor have nothing to do with each other."""
        return association(self.measure, self.kind)


def association(measure: Estimate, kind: FactorKind) -> Estimate:
    """Spearman's r itself, an AUC less .5."""
    chance = 0.5 if kind is FactorKind.CLASS else 0.0
    return Estimate(measure.value - chance, measure.low - chance, measure.high - chance)


@dataclass(frozen=True)
class UnitTracking:
    """The factors that a unit goes with best, strongest first; at most 3 of each kind."""

    unit: int
    factors: tuple[Factor, ...]


@dataclass(frozen=True)
class Tracking:
    """Every unit that varies, with its strongest factors.

    Attributes
    ----------
    units : in the order of the code.
    image_factors, given_factors, classes : names of what was looked at.
    undefined_factors : factors that do not vary over the test images, or that too few have.
    rows : test images behind each number.
    """

    units: tuple[UnitTracking, ...]
    image_factors: tuple[str, ...]
    given_factors: tuple[str, ...]
    classes: tuple[str, ...]
    undefined_factors: tuple[str, ...]
    rows: int


def run(study: Study) -> Tracking:
    """Correlate every unit's value with every factor over the test rows.

    Intervals resample rows with their whole-sample ranks kept. Raises UnanswerableError where no
    unit varies.
    """
    if len(study.players) == 0:
        raise UnanswerableError("no unit of the code varies over the images.")
    values = study.players.values(study.test.codes)
    bootstrap = study.bootstrap(study.test_rows)
    pixels = image_factors(study.test.images, study.image_shape)
    given = _numeric(study.test.factors)
    varying = {name: c for name, c in {**pixels, **given}.items() if _varies(c)}
    classes = _classes(study.test.labels)
    found: list[list[Factor]] = [[] for _ in range(values.shape[1])]
    for name, column in varying.items():
        kind = FactorKind.GIVEN if name in given else FactorKind.IMAGE
        for unit, measure in enumerate(_spearman(bootstrap, values, column)):
            named = weaker_end(measure) > study.settings.tracked_correlation
            found[unit].append(Factor(name, kind, measure, named))
    for unit, measures in enumerate(_areas(bootstrap, values, classes)):
        for name, measure in zip(classes, measures, strict=True):
            weaker = 0.5 + weaker_end(association(measure, FactorKind.CLASS))
            named = weaker > study.settings.tracked_auc
            found[unit].append(Factor(name, FactorKind.CLASS, measure, named))
    return Tracking(
        units=tuple(
            UnitTracking(int(unit), _strongest(found[place]))
            for place, unit in enumerate(study.player_units)
        ),
        image_factors=tuple(pixels),
        given_factors=tuple(given),
        classes=tuple(classes),
        undefined_factors=tuple(n for n in {**pixels, **given} if n not in varying),
        rows=len(values),
    )


def _varies(column: np.ndarray) -> bool:
    known = column[np.isfinite(column)]
    return len(known) >= FEWEST_KNOWN and bool(np.ptp(known) > 0)


def _numeric(factors: Mapping[str, tuple[float | str, ...]]) -> dict[str, np.ndarray]:
    """The columns of labels.csv that are numbers."""
    numeric = {}
    for name, column in factors.items():
        try:
            numeric[name] = np.array([float(entry) for entry in column])
        except (TypeError, ValueError):
            continue
    return numeric


def _classes(labels: tuple[str, ...] | None) -> dict[str, np.ndarray]:
    """Membership (n,) of each class with enough images inside and outside it."""
    if labels is None:
        return {}
    names = np.array(labels)
    members = {str(name): names == name for name in sorted(set(labels))}
    return {
        name: inside
        for name, inside in members.items()
        if min(inside.sum(), (~inside).sum()) >= FEWEST_OF_A_CLASS
    }


def _spearman(bootstrap: Bootstrap, values: np.ndarray, column: np.ndarray) -> Sequence[Estimate]:
    """Spearman's r of each unit (n, K) with a factor (n,), rows without the factor left out."""
    from scipy.stats import rankdata

    known = np.isfinite(column)
    ranks = np.zeros_like(values)
    ranks[known] = rankdata(values[known], axis=0)
    target = np.zeros(len(column))
    target[known] = rankdata(column[known])

    def correlation(n, y, yy, x, xx, xy):  # type: ignore[no-untyped-def]
        covariance = n * xy - x * y
        spread_x, spread_y = n * xx - x**2, n * yy - y**2
        # Sums of ranks are whole or half numbers: without spread they cancel up to rounding.
        varies = (spread_x > ROUNDING * n * xx) & (spread_y > ROUNDING * n * yy)
        size = np.sqrt(np.where(varies, spread_x * spread_y, np.nan))
        return np.clip(covariance / size, -1, 1)

    common = (known.astype(float), target, target**2)
    each = (ranks, ranks**2, ranks * target[:, None])
    return bootstrap.estimates(correlation, common, each)


def _areas(
    bootstrap: Bootstrap, values: np.ndarray, classes: dict[str, np.ndarray]
) -> Iterator[list[Estimate]]:
    """Areas under the ROC curves of each unit's value (n, K) for every class, by unit."""
    from scipy.sparse import csc_array

    if not classes:
        return
    members = csc_array(np.stack(list(classes.values())).astype(np.float64))
    # The rows as they are, each once, before their resamples.
    counts = np.ascontiguousarray(np.vstack([np.ones(len(values)), bootstrap.weights]).T)

    def of(unit: np.ndarray) -> list[Estimate]:
        areas = _shares_won(unit, members, counts)
        return [interval(float(area[0]), area[1:]) for area in areas]

    yield from in_parallel(of, values.T)


def _shares_won(values: np.ndarray, members: csc_array, counts: np.ndarray) -> np.ndarray:
    """Share of pairs of a member and another row in which the member's value is the larger.

    Members (C, n) of each class, and how often each row is there (n, B) → (C, B), ties counted as
    half. By ranks (Mann & Whitney, 1947): among members alone half of all pairs are won.
    """
    order = np.argsort(values, kind="stable")
    ranked, members = values[order], members[:, order]
    first, last = (np.searchsorted(ranked, ranked, side) for side in ("left", "right"))
    won, inside, outside = np.empty((3, members.shape[0], counts.shape[1]))
    for some in column_blocks(counts):
        present = counts[order, some]
        below = np.zeros((len(ranked) + 1, present.shape[1]))
        np.cumsum(present, axis=0, out=below[1:])
        inside[:, some] = members @ present
        outside[:, some] = below[-1] - inside[:, some]
        ranks = below[first]
        ranks += below[last]
        ranks *= present
        won[:, some] = members @ ranks / 2 - inside[:, some] ** 2 / 2
    return safe_ratio(won, inside * outside)


def _strongest(factors: list[Factor]) -> tuple[Factor, ...]:
    kept: list[Factor] = []
    for kind in (FactorKind.GIVEN, FactorKind.IMAGE, FactorKind.CLASS):
        of_kind = (factor for factor in factors if factor.kind == kind)
        ranked = sorted(of_kind, key=lambda f: abs(f.association.value), reverse=True)
        kept.extend(ranked[:KEPT_FACTORS])
    return tuple(kept)
