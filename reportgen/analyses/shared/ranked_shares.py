"""Shares of the change from the baseline, with intervals and ranks, of units or of directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.shared.path_contributions import PathShares, Players
from reportgen.statistics.bootstrap import Estimate, safe_ratio
from reportgen.study.study import Study


@dataclass(frozen=True)
class UnitShare:
    """One player's share of the change from the baseline to the row.

    Attributes
    ----------
    unit : index of the unit, or direction; −1 for the weakest units together, "rest".
    name : as printed.
    share : Σ⟨φ_k, Δ⟩ / Σ‖Δ‖² over rows; signed; the shares of all players sum to 1.
    rank : 1 for the largest share; rank_low and rank_high its 95 % interval.
    """

    unit: int
    name: str
    share: Estimate
    rank: int
    rank_low: int
    rank_high: int


def resampled_shares(study: Study, shares: PathShares[Players]) -> np.ndarray:
    """(B, players) the shares in resamples of their rows."""
    bootstrap = study.bootstrap(shares.rows)
    return safe_ratio(bootstrap.sums(shares.projections), bootstrap.sums(shares.changes)[:, None])


def ranked_shares(
    shares: PathShares[Players], estimates: Sequence[Estimate], resampled: np.ndarray
) -> tuple[UnitShare, ...]:
    """Every player's share with its rank, largest first, from estimates and resamples (B, players).

    The rest is many players: it stands last and takes no one's place.
    """
    resampled = resampled.copy()
    resampled[:, shares.player_units < 0] = -np.inf
    ranks = 1 + np.argsort(np.argsort(-resampled, axis=1, kind="stable"), axis=1)
    low, high = np.percentile(ranks, [2.5, 97.5], axis=0).round().astype(int)
    return tuple(
        UnitShare(
            unit=int(shares.player_units[player]),
            name=shares.players.names[player],
            share=estimates[player],
            rank=place + 1,
            rank_low=int(low[player]),
            rank_high=int(high[player]),
        )
        for place, player in enumerate(shares.order)
    )
