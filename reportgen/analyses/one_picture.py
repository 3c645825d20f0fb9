"""Does a unit only change the intensity of one picture? (claim 1)"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import ImageArray, UnanswerableError
from reportgen.analyses.shared.baseline_draws import BaselineDraws, baseline_draws
from reportgen.analyses.shared.leading_shares import (
    LeadingShares,
    Stack,
    leading_shares,
    pooled_rho,
)
from reportgen.analyses.shared.path_contributions import units_by_share
from reportgen.statistics.bootstrap import Estimate, held_by_few, safe_ratio
from reportgen.statistics.fit_uncertainty import deviation_about_first
from reportgen.study.single_moves import single_moves
from reportgen.study.study import Study

SHOWN_UNITS = 3
SHOWN_QUANTILES = (0.02, 0.16, 0.84, 0.98)


@dataclass(frozen=True)
class UnitPicture:
    """Share of a unit's effects that one picture explains.

    Attributes
    ----------
    unit : its index.
    rho_solo : σ₁² / Σσ² of the uncentred stack of solo moves, one base: the unit's own curve.
    rho_context : the same for last-in moves: the unit in each image's company.
    intensity_r2 : R² of a line through the origin from z_k − z0_k to the solo moves' intensity.
    """

    unit: int
    rho_solo: Estimate
    rho_context: Estimate
    intensity_r2: float


@dataclass(frozen=True)
class OnePicture:
    """Claim 1, "more of a unit is not just more of one picture", measured.

    Attributes
    ----------
    units : one for each player, in the order of the code.
    pooled_solo, pooled_context : Σ_k σ₁² / Σ_k Σσ² over all players.
    rows : images behind each number.
    heavy_tailed : names of the numbers that the largest 1 % of rows hold over a quarter of, whose
        intervals are therefore too narrow.
    sketched : whether sums of squares come from a linear sketch.
    shown_units : the units with the largest shares.
    shown_values : (units, frames) their values, at quantiles .02, .16, .84 and .98.
    shown_moves : (units, frames, P) g(z0 with that value) − g(z0).
    """

    units: tuple[UnitPicture, ...]
    pooled_solo: Estimate
    pooled_context: Estimate
    rows: int
    heavy_tailed: tuple[str, ...] | None
    sketched: bool
    shown_units: tuple[int, ...]
    shown_values: np.ndarray
    shown_moves: ImageArray


def run(study: Study) -> OnePicture:
    """Singular values of every player's moves over the statistics rows; no decode of its own
    but the shown frames.

    Raises UnanswerableError where no unit varies.
    """
    if len(study.players) == 0:
        raise UnanswerableError("no unit of the code varies over the images.")
    moves = study.shared(single_moves)
    stacks = study.shared(leading_shares)
    draws = study.shared(baseline_draws)
    shown = units_by_share(study)[:SHOWN_UNITS]
    shown_values, shown_moves = _shown(study, shown)
    return OnePicture(
        units=units_of(study, draws),
        pooled_solo=pooled_rho(stacks.solo, _pooled_deviation(draws.solo_leading)),
        pooled_context=pooled_rho(stacks.context, _pooled_deviation(draws.last_leading)),
        rows=len(moves.rows),
        heavy_tailed=("ρ",) if held_by_few(*_sizes(stacks)) else (),
        sketched=moves.sketched,
        shown_units=tuple(int(study.player_units[player]) for player in shown),
        shown_values=shown_values,
        shown_moves=shown_moves,
    )


def units_of(study: Study, draws: BaselineDraws | None) -> tuple[UnitPicture, ...]:
    """Every player's ρ; without draws its intervals cover the test rows alone."""
    moves, stacks = study.shared(single_moves), study.shared(leading_shares)
    values = study.players.values(study.test.codes[moves.rows])
    start = study.players.values(study.baseline[None])[0]
    solo, context = np.full((2, len(study.players)), np.nan)
    if draws is not None:
        solo, context = (_deviations(of) for of in (draws.solo_leading, draws.last_leading))
    return tuple(
        UnitPicture(
            unit=int(unit),
            rho_solo=stacks.solo[k].rho(float(solo[k])),
            rho_context=stacks.context[k].rho(float(context[k])),
            intensity_r2=_intensity_r2(stacks.solo[k], values[:, k] - start[k]),
        )
        for k, unit in enumerate(study.player_units)
    )


def _deviations(leading: np.ndarray) -> np.ndarray:
    """(players,) sd that the fit half adds to each ρ, from (5, 2, players) σ₁² and Σσ²."""
    return deviation_about_first(safe_ratio(leading[:, 0], leading[:, 1]))


def _pooled_deviation(leading: np.ndarray) -> float:
    pooled = leading.sum(axis=2)
    return float(deviation_about_first(safe_ratio(pooled[:, 0], pooled[:, 1])))


def _sizes(stacks: LeadingShares) -> list[np.ndarray]:
    """(r,) squared moves of all players together, alone and in company."""
    return [np.sum([stack.squares for stack in of], axis=0) for of in (stacks.solo, stacks.context)]


def _intensity_r2(stack: Stack, displacement: np.ndarray) -> float:
    """R² (around 0) of the moves' intensity on the displacement, through the origin."""
    square = float(displacement @ displacement)
    if not stack.has_effect or square == 0:
        return float("nan")
    return float((stack.intensity @ displacement) ** 2 / (stack.first * square))


def _shown(study: Study, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values = study.players.values(study.fit.every_code)[:, shown]
    quantiles = np.quantile(values, SHOWN_QUANTILES, axis=0).T
    start = study.players.values(study.baseline[None])[0]
    codes = [study.baseline]
    for player, targets in zip(shown, quantiles, strict=True):
        for target in targets:
            code = study.baseline.copy()
            code[study.players.members[player]] += np.float32(target - start[player])
            codes.append(code)
    images = study.pictures(study.engine.decode(np.stack(codes)))
    moves = (images[1:] - images[0]).reshape(len(shown), len(SHOWN_QUANTILES), -1)
    return quantiles, moves
