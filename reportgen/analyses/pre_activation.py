"""Is it the last squash? Headline numbers on what goes into a last Sigmoid, Tanh or Softplus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import DoesNotApplyError, UnanswerableError
from reportgen.analyses.shared.single_moves import single_moves
from reportgen.statistics.bootstrap import Estimate
from reportgen.statistics.regression import VarianceShares, variance_shares
from reportgen.study.study import Study

ROWS_PER_UNIT_LINEAR, ROWS_PER_UNIT_CURVED = 5, 20
SATURATED = 1e-3


@dataclass(frozen=True)
class PreActivation:
    """Sum against combined, and linear shares, before the decoder's last squash.

    Attributes
    ----------
    squash : "sigmoid", "tanh" or "softplus".
    gap_up, gap_down : on pre-activations, over the statistics rows.
    gap_up_pixels, gap_down_pixels : on pixels, the same rows.
    linear, curved, not_additive : shares of the pre-activations' variance on test rows; None where
        fit rows are too few.
    saturated_share : part of the reconstructions' pixels within 1e-3 of the range's ends, where a
        pre-activation may move far without a trace in the image.
    explains_gap : whether the gap, up, falls by more than a third.
    rows : images behind the gaps.
    """

    squash: str
    gap_up: Estimate
    gap_down: Estimate
    gap_up_pixels: Estimate
    gap_down_pixels: Estimate
    linear: Estimate | None
    curved: Estimate | None
    not_additive: Estimate | None
    saturated_share: float
    explains_gap: bool
    rows: int


def run(study: Study) -> PreActivation:
    """Repeat the single moves and the regressions on the input of the last squash.

    Raises DoesNotApplyError where the decoder does not end in one or fewer than two units vary, and
    UnanswerableError where they change nothing.
    """
    if len(study.players) < 2:
        raise DoesNotApplyError("fewer than two units vary, so there is nothing to add up.")
    if study.squash is None:
        raise DoesNotApplyError("the decoder does not end in a Sigmoid, Tanh or Softplus.")
    moves = study.shared(single_moves)
    assert moves.before_squash is not None, "the study has a squash"
    combined, missed_up, missed_down = moves.before_squash
    if study.is_negligible(float(moves.combined.sum()), len(moves.rows)):
        raise UnanswerableError("the decoder gives the same image whatever the code.")
    gap_up = _gap(study, missed_up, combined)
    gap_up_pixels = _gap(study, moves.gap_up, moves.combined)
    unsquashed = study.decoded_by(study.squash.before)
    study.engine.add_costs_of(unsquashed.engine, "pre_activation")
    shares = _shares(unsquashed)
    return PreActivation(
        squash=study.squash.name,
        gap_up=gap_up,
        gap_down=_gap(study, missed_down, combined),
        gap_up_pixels=gap_up_pixels,
        gap_down_pixels=_gap(study, moves.gap_down, moves.combined),
        linear=shares.linear if shares else None,
        curved=shares.curved if shares else None,
        not_additive=shares.not_additive if shares else None,
        saturated_share=_saturated(study.test.reconstructions),
        explains_gap=bool(gap_up.value < 2 / 3 * gap_up_pixels.value),
        rows=len(moves.rows),
    )


def _gap(study: Study, missed: np.ndarray, combined: np.ndarray) -> Estimate:
    return study.bootstrap(len(missed)).ratio(np.sqrt(missed), np.sqrt(combined))


def _shares(study: Study) -> VarianceShares | None:
    coordinates = np.concatenate(study.players.members)
    rows, count = len(study.fit), len(coordinates)
    if rows < ROWS_PER_UNIT_LINEAR * count:
        return None
    return variance_shares(
        (study.fit.codes[:, coordinates].astype(np.float64), study.fit.reconstructions),
        (study.test.codes[:, coordinates].astype(np.float64), study.test.reconstructions),
        study.bootstrap(len(study.test)),
        study.settings.seed,
        curves=rows >= ROWS_PER_UNIT_CURVED * count,
    )


def _saturated(reconstructions: np.ndarray) -> float:
    low, high = float(reconstructions.min()), float(reconstructions.max())
    margin = SATURATED * (high - low)
    ends = (reconstructions < low + margin) | (reconstructions > high - margin)
    return float(ends.mean())
