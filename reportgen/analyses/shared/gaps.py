"""Sum against combined: how far the changes of single units are from their change together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import UnanswerableError
from reportgen.engine import Coalitions
from reportgen.statistics.bootstrap import UNDEFINED, Bootstrap, Estimate, safe_ratio
from reportgen.statistics.norms import squared_norms
from reportgen.study.single_moves import SingleMoves, single_moves, summed_and_combined
from reportgen.study.study import Study

SMALL_CHANGE = 1e-3


@dataclass(frozen=True)
class Gap:
    """Sum against combined for one set of units.

    Attributes
    ----------
    gap : Σ‖Δ_S − Σ_k Δ_k‖ / Σ‖Δ_S‖ over rows; 0 when effects add up; not bounded by 1.
    r2_sum : 1 − Σ‖Δ_S − Σ_k Δ_k‖² / Σ‖Δ_S‖²; may be negative.
    size : mean over rows of ‖Δ_S‖, in pixel units.
    """

    gap: Estimate
    r2_sum: Estimate
    size: float


def gaps(study: Study) -> tuple[Gap, Gap, Estimate]:
    """`up`, `down` and `bounded` of `Additivity`, with intervals over the test rows alone.

    Raises UnanswerableError with fewer than two units that vary, since one has nothing to add to,
    and where moving all of them changes nothing.
    """
    if len(study.players) < 2:
        raise UnanswerableError("fewer than two units vary, so there is nothing to add up.")
    moves = study.shared(single_moves)
    if study.is_negligible(float(moves.combined.sum()), len(moves.rows)):
        raise UnanswerableError("the decoder gives the same image whatever the code.")
    bootstrap = study.bootstrap(moves.rows)
    return (
        gap_of(bootstrap, moves.gap_up, moves.combined),
        gap_of(bootstrap, moves.gap_down, moves.combined),
        _bounded(bootstrap, are_shown(moves), moves.gap_up, moves.combined, moves.solo),
    )


def are_shown(moves: SingleMoves) -> np.ndarray:
    """(r,) which rows are far enough from the baseline for a gap of their own."""
    return np.sqrt(moves.combined) >= SMALL_CHANGE * np.sqrt(np.mean(moves.combined))


def gap_of(bootstrap: Bootstrap, missed: np.ndarray, combined: np.ndarray) -> Gap:
    """Return the gap, from the squared norms (n,) of Δ_S − ΣΔ_k and of Δ_S."""
    return Gap(
        gap=bootstrap.ratio(np.sqrt(missed), np.sqrt(combined)),
        r2_sum=bootstrap.explained(missed, combined),
        size=float(np.sqrt(combined).mean()),
    )


def _bounded(
    bootstrap: Bootstrap,
    shown: np.ndarray,
    missed: np.ndarray,
    combined: np.ndarray,
    solo: np.ndarray,
) -> Estimate:
    ratios = safe_ratio(np.sqrt(missed), np.sqrt(combined) + np.sqrt(solo).sum(axis=1))
    defined = shown & np.isfinite(ratios)
    if not defined.any():
        return UNDEFINED
    return bootstrap.ratio(np.where(defined, ratios, 0), defined.astype(float))


def norms_of(
    coalitions: Coalitions, codes: np.ndarray, members: np.ndarray, factor: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """‖Δ_S − ΣΔ_k‖² and ‖Δ_S‖² of each code (n,)."""
    pairs = summed_and_combined(coalitions, codes, members, factor)
    norms = [(squared_norms(both - summed), squared_norms(both)) for summed, both in pairs]
    missed, size = np.array(norms).T
    return missed, size
