"""Would another training find the same units? Units of replicates matched by correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import DoesNotApplyError, UnanswerableError
from reportgen.analyses.shared.path_contributions import by_player, path_shares
from reportgen.autoencoder import Units
from reportgen.statistics.bootstrap import safe_ratio
from reportgen.study.study import Study


@dataclass(frozen=True)
class UnitReplication:
    """How well one unit came back.

    Attributes
    ----------
    unit : its index.
    correlations : (replicates,) |r| over the test images with the unit matched to it; 0 where a
        replicate has fewer units that vary. Of a group of units, the mean over those that vary.
    median : of these.
    shares : (replicates,) share of the matched unit, of a group the sum; NaN where there is none.
    shares_inside : how many of these lie in the interval of this unit's own share.
    """

    unit: int
    correlations: np.ndarray
    median: float
    shares: np.ndarray
    shares_inside: int


@dataclass(frozen=True)
class Replicates:
    """Other trainings of the model, on the same images.

    Units are matched one to one so that the sum of |r| is largest (Kuhn, 1955); signs and order
    of units do not matter. Groups are matched unit by unit, since their numbers mean nothing in
    another training.

    Attributes
    ----------
    units : one for each player, in the order of the code.
    names : of the replicates' files.
    r2 : (replicates,) R² of each replicate on the test images.
    grouped : whether some unit is a group, so that its |r| is a mean.
    rows : test images behind the correlations.
    """

    units: tuple[UnitReplication, ...]
    names: tuple[str, ...]
    r2: np.ndarray
    grouped: bool
    rows: int


def run(study: Study) -> Replicates:
    """Match the units of every replicate with the model's.

    Raises DoesNotApplyError without replicates, UnanswerableError where no unit varies.
    """
    if not study.replicates:
        raise DoesNotApplyError("no other training of the model was given (--replicates).")
    if len(study.players) == 0:
        raise UnanswerableError("no unit of the code varies over the images.")
    values, owners = _single_units(study)
    correlations = np.zeros((len(study.replicates), len(study.players)))
    shares = np.full(correlations.shape, np.nan)
    r2 = np.empty(len(study.replicates))
    total = study.pca_errors[:, 0].sum()
    for place, replicate in enumerate(study.replicates):
        other = study.encoded_by(replicate)
        r2[place] = 1 - safe_ratio(other.test.squared_errors.sum(), total)
        strength, matched_shares = _matched(values, other)
        for player in range(len(study.players)):
            own = owners == player
            correlations[place, player] = strength[own].mean()
            shares[place, player] = matched_shares[own].sum()
        study.engine.add_costs_of(other.engine, "replicates")
    low, high = _own_intervals(study)
    return Replicates(
        units=tuple(
            UnitReplication(
                unit=int(unit),
                correlations=correlations[:, player],
                median=float(np.median(correlations[:, player])),
                shares=shares[:, player],
                shares_inside=int(
                    ((shares[:, player] >= low[player]) & (shares[:, player] <= high[player])).sum()
                ),
            )
            for player, unit in enumerate(study.player_units)
        ),
        names=tuple(replicate.name for replicate in study.replicates),
        r2=r2,
        grouped=len(owners) > len(study.players),
        rows=len(values),
    )


def _single_units(study: Study) -> tuple[np.ndarray, np.ndarray]:
    """(n, K) values over the test rows of the code's own units that vary, and their players."""
    single = Units.of(study.autoencoder.code_shape)
    owners = np.array([study.players.unit_of_coordinate[m[0]] for m in single.members])
    varies = (owners >= 0) & (single.values(study.fit.every_code).std(axis=0) > 0)
    # A player varies at some coordinate, but a channel's mean over its sites may not.
    varies |= (owners >= 0) & ~np.isin(owners, owners[varies])
    return single.values(study.test.codes)[:, varies], owners[varies]


def _correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(K, K′) |Pearson r| of the columns of (n, K) and (n, K′)."""
    scaled = []
    for values in (first, second):
        centred = values - values.mean(axis=0)
        norms = np.linalg.norm(centred, axis=0)
        scaled.append(np.divide(centred, norms, out=np.zeros_like(centred), where=norms > 0))
    return np.abs(scaled[0].T @ scaled[1])


def _matched(values: np.ndarray, other: Study) -> tuple[np.ndarray, np.ndarray]:
    """|r| with the unit matched to each of our units (n, K), and that unit's share."""
    correlations, shares = np.zeros(values.shape[1]), np.full(values.shape[1], np.nan)
    if len(other.players) > 0:
        strength = _correlations(values, other.players.values(other.test.codes))
        units, matched = _match(strength)
        correlations[units] = strength[units, matched]
        shares[units] = _shares(other)[matched]
    return correlations, shares


def _match(strength: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(strength, maximize=True)


def _shares(study: Study) -> np.ndarray:
    """(players,) share of each player; NaN for those that moved as "rest", or if none changes x̂."""
    shares = study.shared(path_shares)
    if study.is_negligible(float(shares.changes.sum()), len(shares.rows)):
        return np.full(len(study.players), np.nan)
    return by_player(study, shares.projections.sum(axis=0) / shares.changes.sum())


def _own_intervals(study: Study) -> tuple[np.ndarray, np.ndarray]:
    shares = study.shared(path_shares)
    estimates = study.bootstrap(len(shares.rows)).ratios(shares.projections, shares.changes)
    low, high = (np.array([getattr(e, end) for e in estimates]) for end in ("low", "high"))
    return by_player(study, low), by_player(study, high)
