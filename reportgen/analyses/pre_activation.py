"""Is it the last squash? Headline numbers on what goes into a last Sigmoid, Tanh or Softplus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import DoesNotApplyError, UnanswerableError
from reportgen.analyses.shared.baseline_draws import baseline_draws, deviation_of_ratio
from reportgen.analyses.shared.variance_on_data import shares_on_data
from reportgen.statistics.bootstrap import Estimate
from reportgen.statistics.fit_uncertainty import widened
from reportgen.study.single_moves import single_moves
from reportgen.study.study import Study

SATURATED = 1e-3


@dataclass(frozen=True)
class PreActivation:
    """Sum against combined, and linear shares, before the decoder's last squash.

    Attributes
    ----------
    squash : its name.
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
    draws = study.shared(baseline_draws)
    assert draws.ends_before is not None, "the study has a squash"
    before, after = (
        [deviation_of_ratio(np.sqrt(missed), np.sqrt(ends[0])) for missed in ends[1:]]
        for ends in (draws.ends_before, draws.ends)
    )
    gap_up = _gap(study, missed_up, combined, before[0])
    gap_up_pixels = _gap(study, moves.gap_up, moves.combined, after[0])
    unsquashed = study.decoded_by(study.squash.before)
    study.engine.add_costs_of(unsquashed.engine, "pre_activation")
    shares = shares_on_data(study, unsquashed)
    return PreActivation(
        squash=study.squash.name,
        gap_up=gap_up,
        gap_down=_gap(study, missed_down, combined, before[1]),
        gap_up_pixels=gap_up_pixels,
        gap_down_pixels=_gap(study, moves.gap_down, moves.combined, after[1]),
        linear=shares.linear if shares else None,
        curved=shares.curved if shares else None,
        not_additive=shares.not_additive if shares else None,
        saturated_share=_saturated(study.test.reconstructions),
        explains_gap=bool(gap_up.value < 2 / 3 * gap_up_pixels.value),
        rows=len(moves.rows),
    )


def _gap(study: Study, missed: np.ndarray, combined: np.ndarray, deviation: np.ndarray) -> Estimate:
    rows = study.shared(single_moves).rows
    found = study.bootstrap(rows).ratio(np.sqrt(missed), np.sqrt(combined))
    return widened(found, float(deviation), least=0)


def _saturated(reconstructions: np.ndarray) -> float:
    low, high = float(reconstructions.min()), float(reconstructions.max())
    margin = SATURATED * (high - low)
    ends = (reconstructions < low + margin) | (reconstructions > high - margin)
    return float(ends.mean())
