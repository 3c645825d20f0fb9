"""ρ: how much of a unit's moves one picture explains, alone and in each image's company.

"One picture for each unit" and "directions" read from the same singular values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from reportgen.statistics.blocks import in_parallel
from reportgen.statistics.bootstrap import (
    UNDEFINED,
    Bootstrap,
    Estimate,
    bias_corrected_interval,
    safe_ratio,
)
from reportgen.statistics.fit_uncertainty import widened
from reportgen.statistics.leading_directions import LeadingDirections
from reportgen.study.single_moves import single_moves
from reportgen.study.study import Study


@dataclass(frozen=True)
class LeadingShares:
    """Stacks of every player's moves over the statistics rows.

    Attributes
    ----------
    solo : one for each player, moved alone from the baseline.
    context : one for each player, taken out of each image.
    """

    solo: tuple[Stack, ...]
    context: tuple[Stack, ...]


class Stack:
    """σ₁² and Σσ² of one uncentred stack of r moves, with their bootstrap resamples.

    Attributes
    ----------
    first, total : σ₁² and Σσ²; `firsts` and `totals` (B,) of each resample.
    squares : (r,) squared norms of the moves.
    has_effect : whether the moves are more than rounding.
    intensity : (r,) each move's length along the leading picture.
    """

    def __init__(self, moves: LeadingDirections, bootstrap: Bootstrap, study: Study) -> None:
        products = np.einsum("ni,nj->nij", moves.along, moves.along)
        self.first, self.total = moves.first, float(moves.squares.sum())
        self.has_effect = not study.is_negligible(self.total, len(moves.squares))
        self.intensity, self.squares = moves.along[:, 0], moves.squares
        self.totals = bootstrap.sums(moves.squares)
        self.firsts = np.full(len(self.totals), np.nan)
        if np.isfinite(self.first):
            self.firsts = np.linalg.eigvalsh(bootstrap.sums(products))[:, -1]

    def rho(self, deviation: float = float("nan")) -> Estimate:
        """σ₁² / Σσ²; undefined where the moves are rounding."""
        return pooled_rho([self], deviation)


def leading_shares(study: Study) -> LeadingShares:
    """The stacks of `single_moves`; nothing is decoded that those have not decoded."""
    moves = study.shared(single_moves)
    bootstrap = study.bootstrap(moves.rows)

    def stacks(of_players: tuple[LeadingDirections, ...]) -> tuple[Stack, ...]:
        return tuple(in_parallel(lambda player: Stack(player, bootstrap, study), of_players))

    return LeadingShares(solo=stacks(moves.solo_directions), context=stacks(moves.last_directions))


def pooled_rho(stacks: Iterable[Stack], deviation: float = float("nan")) -> Estimate:
    """Σ_k σ₁² / Σ_k Σσ²; undefined where no stack has an effect.

    The largest singular value of few rows is too large, and that of a resample once more: the
    interval is corrected for both. `deviation` is the sd that the fit half adds, by which it is
    widened about its corrected centre.
    """
    stacks = list(stacks)
    if not any(stack.has_effect for stack in stacks):
        return UNDEFINED
    whole = sum(stack.first for stack in stacks) / sum(stack.total for stack in stacks)
    firsts = np.sum([stack.firsts for stack in stacks], axis=0)
    totals = np.sum([stack.totals for stack in stacks], axis=0)
    resampled = safe_ratio(firsts, totals)
    found = bias_corrected_interval(whole, resampled, largest=1.0)
    found = found.with_resamples(resampled.astype(np.float32))
    defined = resampled[np.isfinite(resampled)]
    centre = 2 * whole - float(defined.mean()) if len(defined) else whole
    return widened(found, deviation, centre=centre, least=0, largest=1)
