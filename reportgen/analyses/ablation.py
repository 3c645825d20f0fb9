"""What is lost when one unit is held at its mean (last-in), and what does it do alone (solo)?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import ImageArray, UnanswerableError
from reportgen.analyses.shared.baseline_draws import (
    all_widened,
    baseline_draws,
    deviation_of_ratio,
)
from reportgen.statistics.bootstrap import Estimate, held_by_few
from reportgen.study.single_moves import single_moves
from reportgen.study.study import Study


@dataclass(frozen=True)
class UnitEffect:
    """Effects of one unit, mean baseline.

    Attributes
    ----------
    unit : its index.
    effect : last-in, Σ‖x̂ − g(z with z_k ← m_k)‖² / Σ‖x̂ − mean x̂‖².
    solo : first-in, Σ‖g(z0 with z0_k ← z_k) − g(z0)‖² over the same denominator.
    damage : ‖x − g(z with z_k ← m_k)‖² − ‖x − x̂‖², summed over pixels, mean over rows; signed.
    """

    unit: int
    effect: Estimate
    solo: Estimate
    damage: Estimate


@dataclass(frozen=True)
class Ablation:
    """Every player's effects over the statistics rows, and pictures of some rows.

    Attributes
    ----------
    effects : one for each player, in the order of the code. They need not sum to 1.
    rows : number of images behind each number.
    heavy_tailed : names of the numbers that the largest 1 % of rows hold over a quarter of, whose
        intervals are therefore too narrow.
    off_data_last, off_data_solo : share of the decoded codes that is flagged.
    picture_names, reconstructions (r, P), ablated (r, K, P) : pictures of the walk rows.
    alone (r, K, P) : v({k}) − v(∅), what only this unit's move changes in the decoded baseline.
    baseline_image (P,) : v(∅) = g(z0).
    """

    effects: tuple[UnitEffect, ...]
    rows: int
    heavy_tailed: tuple[str, ...] | None
    off_data_last: Estimate
    off_data_solo: Estimate
    picture_names: tuple[str, ...]
    reconstructions: ImageArray
    ablated: ImageArray
    alone: ImageArray
    baseline_image: ImageArray


def run(study: Study) -> Ablation:
    """Ablate every unit on the statistics rows.

    Raises UnanswerableError where no unit varies.
    """
    if len(study.players) == 0:
        raise UnanswerableError("no unit of the code varies over the images.")
    moves = study.shared(single_moves)
    bootstrap = study.bootstrap(moves.rows)
    spread = no_effect_floor(moves.spread, study)
    draws = study.shared(baseline_draws)
    effects = all_widened(
        bootstrap.ratios(moves.last, spread),
        deviation_of_ratio(draws.last, draws.spread),
        least=0,
    )
    solos = all_widened(
        bootstrap.ratios(moves.solo, spread),
        deviation_of_ratio(draws.solo, draws.spread),
        least=0,
    )
    damages = all_widened(
        bootstrap.ratios(moves.damage, np.ones(len(moves.rows))),
        deviation_of_ratio(draws.damage, np.ones(draws.rows)),
    )
    few = held_by_few(moves.last.sum(axis=1), moves.solo.sum(axis=1), moves.spread)
    rows = study.rows.walks
    without_one, alone = study.coalitions.without_one(), study.coalitions.alone()
    codes = study.test.codes[rows]

    def decoded(code: np.ndarray, memberships: np.ndarray) -> np.ndarray:
        return study.pictures(study.coalitions.values(code, memberships))

    nobody = study.coalitions.empty
    baseline_image = decoded(codes[0], nobody)[0]
    return Ablation(
        effects=tuple(
            UnitEffect(int(unit), effects[player], solos[player], damages[player])
            for player, unit in enumerate(study.player_units)
        ),
        rows=len(moves.rows),
        heavy_tailed=("effects",) if few else (),
        off_data_last=study.off_data_share(moves.last_codes),
        off_data_solo=study.off_data_share(moves.solo_codes),
        picture_names=tuple(study.test.names[row] for row in rows),
        reconstructions=study.pictures(study.test.reconstructions[rows]),
        ablated=np.stack([decoded(code, without_one) for code in codes]),
        alone=np.stack([decoded(code, alone) - decoded(code, nobody) for code in codes]),
        baseline_image=baseline_image,
    )


def no_effect_floor(spread: np.ndarray, study: Study) -> np.ndarray:
    """The denominator; zeros, which leave ratios undefined, where the output is constant."""
    negligible = study.is_negligible(float(spread.sum()), len(spread))
    return np.zeros_like(spread) if negligible else spread
