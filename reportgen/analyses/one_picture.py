"""Does a unit only change the intensity of one picture? (claim 1)"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import ImageArray, UnanswerableError
from reportgen.analyses.shared.leading_shares import Stack, leading_shares, pooled_rho
from reportgen.analyses.shared.path_contributions import units_by_share
from reportgen.analyses.shared.single_moves import single_moves
from reportgen.statistics.bootstrap import Estimate
from reportgen.study.study import Study

SHOWN_UNITS = 3
SHOWN_QUANTILES = (0.02, 0.16, 0.84, 0.98)


@dataclass(frozen=True)
class UnitPicture:
    """How far one picture explains a unit.

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
    sketched : whether sums of squares come from a linear sketch.
    shown_units : the units with the largest shares.
    shown_values : (units, frames) their values, at quantiles .02, .16, .84 and .98.
    shown_moves : (units, frames, P) g(z0 with that value) − g(z0).
    """

    units: tuple[UnitPicture, ...]
    pooled_solo: Estimate
    pooled_context: Estimate
    rows: int
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
    solo, context = stacks.solo, stacks.context
    values = study.players.values(study.test.codes[moves.rows])
    start = study.players.values(study.baseline[None])[0]
    shown = units_by_share(study)[:SHOWN_UNITS]
    shown_values, shown_moves = _shown(study, shown)
    return OnePicture(
        units=tuple(
            UnitPicture(
                unit=int(unit),
                rho_solo=solo[k].rho,
                rho_context=context[k].rho,
                intensity_r2=_intensity_r2(solo[k], values[:, k] - start[k]),
            )
            for k, unit in enumerate(study.player_units)
        ),
        pooled_solo=pooled_rho(solo),
        pooled_context=pooled_rho(context),
        rows=len(moves.rows),
        sketched=moves.sketched,
        shown_units=tuple(int(study.player_units[player]) for player in shown),
        shown_values=shown_values,
        shown_moves=shown_moves,
    )


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
