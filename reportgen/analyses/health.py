"""Which units are alive? Values, health and company of every unit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from reportgen.analyses import ImageArray
from reportgen.analyses.shared.copied_units import (
    copies_of_units,
    groups_of_copies,
    unit_correlations,
)
from reportgen.autoencoder import UnitKind
from reportgen.settings import Settings
from reportgen.statistics.bootstrap import safe_ratio
from reportgen.study.live_units import collapsed_units, ignored_units, posterior_divergences
from reportgen.study.single_moves import strongest_players
from reportgen.study.study import Study

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 24
EXTREME_ROWS = 8
MOST_PICTURED = 32
# Inverting a covariance squares this ratio of singular values, and leaves float64 four digits.
NEARLY_COLLINEAR = 1e-6


class UnitState(StrEnum):
    """Something that is the matter with a unit's values."""

    CONSTANT = "constant"
    IGNORED = "ignored"
    COLLAPSED = "collapsed"
    ATOM = "atom"
    DUPLICATE = "duplicate"


WITHOUT_EFFECT = frozenset({UnitState.CONSTANT, UnitState.IGNORED})


@dataclass(frozen=True)
class UnitHealth:
    """One unit's values and what is wrong with them, if anything.

    Attributes
    ----------
    unit, name : index and printed name.
    coordinates : how many numbers of the code it is: 1, a channel's sites, a group's units.
    states : what is the matter with it; empty for a healthy unit.
    mean, deviation : m and s over the fit rows (ddof 0).
    quantiles : at .01, .05, .25, .5, .75, .95, .99 over the fit rows.
    histogram, edges : counts (24,) over the test rows and bin edges (25,).
    atom_value : the value that more than half of the test rows share, or None.
    duplicate_of : of a live unit, the live unit with |r| > .95, or None. Between channels r is over
        images and sites, each site about its own mean: channels with equal means may draw different
        things.
    correlated_with : of a live unit, live units with |r| above the setting, and r; strongest first.
    r2_on_others : R² of its value on the other live units' values; NaN when constant.
    divergence : KL(q(z|x) ‖ N(0, 1)) in nat, mean over test rows; None without a posterior sd.
    posterior_mean_variance : variance of the posterior mean over test rows.
    lowest, highest : (8, P) test images with the lowest and highest values; (0, P) but for the 32
        units with the largest effects that are neither constant nor ignored.
    """

    unit: int
    name: str
    coordinates: int
    states: tuple[UnitState, ...]
    mean: float
    deviation: float
    quantiles: tuple[float, ...]
    histogram: np.ndarray
    edges: np.ndarray
    atom_value: float | None
    duplicate_of: int | None
    correlated_with: tuple[tuple[int, float], ...]
    r2_on_others: float
    divergence: float | None
    posterior_mean_variance: float
    lowest: ImageArray
    highest: ImageArray


@dataclass(frozen=True)
class Health:
    """All units, in the order of the code, and how many are dead.

    Attributes
    ----------
    units : one for each unit, constant ones too.
    live : units that are neither constant nor ignored nor collapsed.
    distinct : the same, copies of each other counted once.
    kind : what a unit is; a channel's value is the mean over its sites.
    variational : whether the posterior's standard deviation was found, so that KL is known.
    rows : test images behind histograms and extremes.
    """

    units: tuple[UnitHealth, ...]
    live: int
    distinct: int
    kind: UnitKind
    variational: bool
    rows: int


def run(study: Study) -> Health:
    """Describe every unit; nothing is decoded that ablation has not decoded."""
    fit, test = (study.units.values(part.every_code) for part in (study.fit, study.test))
    pictured = study.units.values(study.test.codes)
    players = {int(unit) for unit in study.player_units}
    ignored = set(ignored_units(study).tolist())
    collapsed = set(collapsed_units(study).tolist())
    live = set(study.live_units.tolist())
    correlations = study.shared(unit_correlations)
    copies = study.shared(copies_of_units)
    divergences = study.shared(posterior_divergences)
    r2_on_others = _r2_on_others(fit, test, live, players)
    shown = _pictured(study, players - ignored)
    units = []
    for unit in range(len(study.units)):
        alive = unit in players
        duplicate = int(np.argmax(np.abs(correlations[unit]))) if copies[unit].any() else None
        atom = _atom(test[:, unit], study.settings) if alive else None
        variance = float(test[:, unit].var())
        divergence = None if divergences is None else float(divergences[unit])
        flags = {
            UnitState.CONSTANT: not alive,
            UnitState.IGNORED: unit in ignored,
            UnitState.COLLAPSED: unit in collapsed,
            UnitState.ATOM: atom is not None,
            UnitState.DUPLICATE: duplicate is not None,
        }
        counts, edges = np.histogram(test[:, unit], bins=BINS)
        order = np.argsort(pictured[:, unit], kind="stable")
        extremes = EXTREME_ROWS if unit in shown else 0
        units.append(
            UnitHealth(
                unit=unit,
                name=study.units.names[unit],
                coordinates=len(study.units.members[unit]),
                states=tuple(state for state, present in flags.items() if present),
                mean=float(fit[:, unit].mean()),
                deviation=float(fit[:, unit].std()),
                quantiles=tuple(np.quantile(fit[:, unit], QUANTILES).tolist()),
                histogram=counts,
                edges=edges,
                atom_value=atom,
                duplicate_of=duplicate,
                correlated_with=_company(correlations[unit], study.settings.correlated_units),
                r2_on_others=float(r2_on_others[unit]),
                divergence=divergence,
                posterior_mean_variance=variance,
                lowest=study.pictures(study.test.images[order[:extremes]]),
                highest=study.pictures(study.test.images[order[::-1][:extremes]]),
            )
        )
    return Health(
        units=tuple(units),
        live=len(live),
        distinct=len(np.unique(study.shared(groups_of_copies)[study.live_units])),
        kind=study.units.kind,
        variational=study.autoencoder.is_variational,
        rows=len(test),
    )


def _pictured(study: Study, live: set[int]) -> set[int]:
    """The live units with the largest effects, which are those that a path does not group."""
    if len(live) <= MOST_PICTURED:
        return live
    by_effect = study.player_units[strongest_players(study)].tolist()
    return set([unit for unit in by_effect if unit in live][:MOST_PICTURED])


def _company(correlations: np.ndarray, threshold: float) -> tuple[tuple[int, float], ...]:
    order = np.argsort(-np.abs(correlations), kind="stable")
    return tuple(
        (int(k), float(correlations[k])) for k in order if abs(correlations[k]) > threshold
    )


def _atom(values: np.ndarray, settings: Settings) -> float | None:
    distinct, counts = np.unique(values, return_counts=True)
    most = int(np.argmax(counts))
    return float(distinct[most]) if counts[most] > settings.atom_share * len(values) else None


def _r2_on_others(
    fit: np.ndarray, test: np.ndarray, live: set[int], players: set[int]
) -> np.ndarray:
    """(K,) R² of each unit's value on the other live units', fitted on the fit rows, on test rows.

    NaN for units that are no players, and for all where there are too few of others or of rows.
    """
    result = np.full(fit.shape[1], np.nan)
    chosen = sorted(live)
    if not 1 < len(chosen) < len(fit):
        return result
    centre, deviations = fit.mean(axis=0), fit.std(axis=0)
    deviations[deviations == 0] = 1
    fitted, scored = ((part - centre) / deviations for part in (fit, test))
    missed = np.full_like(scored, np.nan)
    missed[:, chosen] = _missed_by_each_other(fitted[:, chosen], scored[:, chosen])
    others = sorted(players - live)
    coefficients, *_ = np.linalg.lstsq(fitted[:, chosen], fitted[:, others], rcond=None)
    missed[:, others] = scored[:, others] - scored[:, chosen] @ coefficients
    # Of the values themselves: a unit that never moves here is exactly constant only in those.
    total = np.square(test - test.mean(axis=0)).sum(axis=0) / deviations**2
    known = chosen + others
    result[known] = 1 - safe_ratio(np.square(missed[:, known]).sum(axis=0), total[known])
    return result


def _missed_by_each_other(fitted: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """(n, m) what is left of `scored` by regressions of each column on the others of `fitted`."""
    _, scales, directions = np.linalg.svd(fitted, full_matrices=False)
    if scales[-1] > NEARLY_COLLINEAR * scales[0]:
        # Row k of the inverse covariance is (1, −coefficients) of unit k on the others, times its
        # diagonal entry (Lauritzen, 1996, §5.1.3).
        precision = (directions.T / scales**2) @ directions
        return scored @ (precision / precision.diagonal())
    return np.column_stack(
        [_missed_by_others(fitted, scored, unit) for unit in range(fitted.shape[1])]
    )


def _missed_by_others(fit: np.ndarray, test: np.ndarray, unit: int) -> np.ndarray:
    """(n,) what least squares on the other columns of `fit` leaves of a column of `test`."""
    others = np.delete(np.arange(fit.shape[1]), unit)
    coefficients, *_ = np.linalg.lstsq(fit[:, others], fit[:, unit], rcond=None)
    return test[:, unit] - test[:, others] @ coefficients
