"""ρ: how much of a unit's moves one picture explains, alone and in each image's company.

"One picture for each unit" and "directions" read from the same singular values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from reportgen.single_moves import single_moves
from reportgen.statistics.blocks import in_parallel
from reportgen.statistics.bootstrap import (
    UNDEFINED,
    Bootstrap,
    Estimate,
    bias_corrected_interval,
    safe_ratio,
)
from reportgen.study import Study

LARGEST_SUBSPACE = 24
# What a resample's leading eigenvalue may miss outside the subspace, as a share of itself.
MISSED = 1e-4


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

    They are eigenvalues of the moves' inner products (r, r).

    Resampled leading eigenvalues are taken within so many leading directions of the whole sample
    (at most 24) that they miss some 1e-4 of themselves.

    Attributes
    ----------
    first, total : σ₁² and Σσ²; `firsts` and `totals` (B,) of each resample.
    has_effect : whether the moves are more than rounding.
    intensity : (r,) each move's length along the leading picture.
    """

    def __init__(self, products: np.ndarray, bootstrap: Bootstrap, study: Study) -> None:
        squares = products.diagonal()
        self.total = float(squares.sum())
        self.first, along = _leading_coordinates(products)
        self.has_effect = not study.is_negligible(self.total, len(products))
        self.intensity = along[:, 0]
        of_each = np.einsum("ni,nj->nij", along, along)
        self.firsts = np.linalg.eigvalsh(bootstrap.sums(of_each))[:, -1]
        self.totals = bootstrap.sums(squares)

    @cached_property
    def rho(self) -> Estimate:
        """σ₁² / Σσ²; undefined where the moves are rounding."""
        return pooled_rho([self])


def _leading_coordinates(products: np.ndarray) -> tuple[float, np.ndarray]:
    """σ₁², and the moves (r, q) along the leading right singular vectors, the first first."""
    from scipy.linalg import eigh

    rows = len(products)
    leading = [max(0, rows - LARGEST_SUBSPACE), rows - 1]
    eigenvalues, vectors = eigh(products, subset_by_index=leading)
    eigenvalues, vectors = np.maximum(eigenvalues[::-1], 0), vectors[:, ::-1]
    # Resampling couples the first direction with the others by √(λ₁λ_j/r), which changes its
    # eigenvalue by about λ_j/r in second order.
    outside = products.trace() - np.cumsum(eigenvalues)
    needed = 1 + np.count_nonzero(outside > MISSED * rows * eigenvalues[0])
    eigenvalues, vectors = eigenvalues[:needed], vectors[:, :needed]
    return float(eigenvalues[0]), vectors * np.sqrt(eigenvalues)


def leading_shares(study: Study) -> LeadingShares:
    """The stacks of `single_moves`; nothing is decoded that those have not decoded."""
    moves = study.shared(single_moves)
    bootstrap = study.bootstrap(len(moves.rows))

    def stacks(of_players: np.ndarray) -> tuple[Stack, ...]:
        return tuple(in_parallel(lambda products: Stack(products, bootstrap, study), of_players))

    return LeadingShares(solo=stacks(moves.solo_products), context=stacks(moves.last_products))


def pooled_rho(stacks: Iterable[Stack]) -> Estimate:
    """Σ_k σ₁² / Σ_k Σσ²; undefined where no stack has an effect.

    The largest singular value of few rows is too large, and that of a resample once more: the
    interval is corrected for both.
    """
    stacks = list(stacks)
    if not any(stack.has_effect for stack in stacks):
        return UNDEFINED
    whole = sum(stack.first for stack in stacks) / sum(stack.total for stack in stacks)
    firsts = np.sum([stack.firsts for stack in stacks], axis=0)
    totals = np.sum([stack.totals for stack in stacks], axis=0)
    return bias_corrected_interval(whole, safe_ratio(firsts, totals), largest=1.0)
