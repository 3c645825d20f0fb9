"""Would another training find the same units? Units of replicates matched by correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import DoesNotApplyError, UnanswerableError
from reportgen.analyses.shared.path_contributions import by_player, path_shares
from reportgen.autoencoder import Units
from reportgen.statistics.bootstrap import safe_ratio
from reportgen.statistics.matching import correlations, match
from reportgen.statistics.shared_space import (
    Variables,
    explained_by,
    mean_canonical_correlation,
)
from reportgen.study.study import Study


@dataclass(frozen=True)
class UnitReplication:
    """Agreement of one unit with the replicates: how well it came back in each.

    Attributes
    ----------
    unit : its index.
    correlations : (replicates,) |r| over the test images with the live unit matched to it; 0 where
        a replicate has fewer of them. Of a group of units, the mean over those that vary.
    median : of these.
    explained : (replicates,) R² of its value on all live units of the replicate together, by ridge
        regression on the fit images, over the test images: 1 where the same is said along other
        axes. Of a group, the mean. `explained_median` of these.
    shares : (replicates,) share of the matched unit, of a group the sum; NaN where there is none.
    shares_inside : how many of these lie in the interval of this unit's own share.
    """

    unit: int
    correlations: np.ndarray
    median: float
    explained: np.ndarray
    explained_median: float
    shares: np.ndarray
    shares_inside: int


@dataclass(frozen=True)
class Replicates:
    """Other trainings of the model, on the same images.

    Units are matched one to one so that the sum of |r| is largest (Kuhn, 1955); signs and order
    of units do not matter. Groups are matched unit by unit, since their numbers mean nothing in
    another training. Units that a decoder does not read are matched with nothing.

    Attributes
    ----------
    units : one for each live unit, in the order of the code.
    names : of the replicates' files.
    r2 : (replicates,) R² of each replicate on the test images.
    canonical : (replicates,) mean canonical correlation of both codes' live units over the test
        images, fitted on the fit images; NaN where these are not more than the units.
    live : (replicates,) how many live units each has.
    grouped : whether some unit is a group, so that its |r| is a mean.
    rows : test images behind the correlations.
    """

    units: tuple[UnitReplication, ...]
    names: tuple[str, ...]
    r2: np.ndarray
    canonical: np.ndarray
    live: tuple[int, ...]
    grouped: bool
    rows: int


def run(study: Study) -> Replicates:
    """Match the live units of every replicate with the model's.

    Raises DoesNotApplyError without replicates, UnanswerableError where no unit is live.
    """
    if not study.replicates:
        raise DoesNotApplyError("no other training of the model was given (--replicates).")
    live = study.live_units
    if len(live) == 0:
        raise UnanswerableError("no unit of the code has an effect on the image.")
    own, owners = _single_units(study)
    shape = len(study.replicates), len(live)
    correlations, explained = np.zeros(shape), np.zeros(shape)
    shares = np.full(shape, np.nan)
    r2, canonical = np.empty(shape[0]), np.full(shape[0], np.nan)
    others: list[int] = []
    total = study.pca_errors[:, 0].sum()
    for place, replicate in enumerate(study.replicates):
        other = study.encoded_by(replicate)
        r2[place] = 1 - safe_ratio(other.test.squared_errors.sum(), total)
        found = _compared(own, other)
        for position, unit in enumerate(live):
            mine = owners == unit
            correlations[place, position] = found.strength[mine].mean()
            explained[place, position] = found.explained[mine].mean()
            shares[place, position] = found.shares[mine].sum()
        canonical[place] = found.canonical
        others.append(len(other.live_units))
        study.engine.add_costs_of(other.engine, "replicates")
    low, high = (ends[np.searchsorted(study.player_units, live)] for ends in _own_intervals(study))
    inside = (shares >= low) & (shares <= high)
    return Replicates(
        units=tuple(
            UnitReplication(
                unit=int(unit),
                correlations=correlations[:, position],
                median=float(np.median(correlations[:, position])),
                explained=explained[:, position],
                explained_median=float(np.median(explained[:, position])),
                shares=shares[:, position],
                shares_inside=int(inside[:, position].sum()),
            )
            for position, unit in enumerate(live)
        ),
        names=tuple(replicate.name for replicate in study.replicates),
        r2=r2,
        canonical=canonical,
        live=tuple(others),
        grouped=len(owners) > len(live),
        rows=len(study.test),
    )


def _single_units(study: Study) -> tuple[Variables, np.ndarray]:
    """Values of the code's own units that vary within live ones, and the live unit of each."""
    single = Units.of(study.autoencoder.code_shape, study.autoencoder.label_size)
    owners = np.array([study.units.unit_of_coordinate[m[0]] for m in single.members])
    inside = np.isin(owners, study.live_units)
    varies = inside & (single.values(study.fit.every_code).std(axis=0) > 0)
    # A live unit varies at some coordinate, but a channel's mean over its sites may not.
    varies |= inside & ~np.isin(owners, owners[varies])
    chosen = single.subset(np.flatnonzero(varies))
    return _values(study, chosen), owners[varies]


def _values(study: Study, units: Units) -> Variables:
    return Variables(units.values(study.fit.codes), units.values(study.test.codes))


@dataclass(frozen=True)
class _Compared:
    """Matches of K single units: |r| of each match, its share, R² on all of the other's units."""

    strength: np.ndarray
    shares: np.ndarray
    explained: np.ndarray
    canonical: float


def _compared(own: Variables, other: Study) -> _Compared:
    count, live = own.test.shape[1], other.live_units
    strength, shares = np.zeros(count), np.full(count, np.nan)
    if len(live) == 0:
        return _Compared(strength, shares, np.zeros(count), float("nan"))
    theirs = _values(other, other.units.subset(live))
    found = np.abs(correlations(own.test, theirs.test))
    units, matched = match(found)
    strength[units] = found[units, matched]
    places = np.searchsorted(other.player_units, live[matched])
    shares[units] = _shares(other)[places]
    return _Compared(
        strength=strength,
        shares=shares,
        explained=np.maximum(0, explained_by(own, theirs, other.settings.seed)),
        canonical=mean_canonical_correlation(own, theirs),
    )


def _shares(study: Study) -> np.ndarray:
    """(players,) share of each player; NaN for those that moved as "rest", or if none changes x̂."""
    shares = study.shared(path_shares)
    if study.is_negligible(float(shares.changes.sum()), len(shares.rows)):
        return np.full(len(study.players), np.nan)
    return by_player(study, shares.projections.sum(axis=0) / shares.changes.sum())


def _own_intervals(study: Study) -> tuple[np.ndarray, np.ndarray]:
    shares = study.shared(path_shares)
    estimates = study.bootstrap(shares.rows).ratios(shares.projections, shares.changes)
    low, high = (np.array([getattr(e, end) for e in estimates]) for end in ("low", "high"))
    return by_player(study, low), by_player(study, high)
