"""Can the rest be believed? Is the bottleneck complete, are the codes ones that data has?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from reportgen.analyses.shared.path_contributions import agreement_with_shares
from reportgen.statistics.blocks import centred_squares
from reportgen.statistics.bootstrap import Estimate
from reportgen.statistics.norms import squared_norms
from reportgen.study.single_moves import single_moves
from reportgen.study.study import Study

CHECKED_ROWS = 256


class Bottleneck(StrEnum):
    """Answers to whether the code is all that the decoder gets."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    STOCHASTIC = "stochastic"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Trust:
    """Checks of the instrument on this model.

    Attributes
    ----------
    bottleneck : complete when g(E(x)) equals the model's own output, incomplete when it does not,
        stochastic when the model's output differs from itself, not checked without a forward of the
        model's own.
    noise_held : whether the model draws noise there, which was held at its mean for the check.
    largest_difference : max |g(E(x)) − model(x)| over the range of x̂; for a stochastic model the
        difference of two calls; None when not checked.
    tolerance : what counts as complete.
    real_codes_flagged : share of test images' codes that the off-data flag marks (about 1 to 2 %).
    largest_distance, largest_cycle_error : the two thresholds of the flag.
    covariance_shrunk : whether few rows called for Ledoit–Wolf.
    share_and_ablation_agree : Kendall's τ between shares and last-in effects; None below 3 units.
    posterior_noise_floor : of a VAE, E‖g(μ + σε) − g(μ)‖² over the spread of x̂: the change that
        the model itself cannot tell from none; None where σ is not known.
    in_sample : whether statistics and numbers come from the same images.
    """

    bottleneck: Bottleneck
    noise_held: bool
    largest_difference: float | None
    tolerance: float
    real_codes_flagged: Estimate
    largest_distance: float
    largest_cycle_error: float
    covariance_shrunk: bool
    share_and_ablation_agree: float | None
    posterior_noise_floor: Estimate | None
    in_sample: bool


def run(study: Study) -> Trust:
    """Compare the split model with the whole one, and calibrate the off-data flag."""
    verdict, difference = _bottleneck(study)
    flag = study.off_data
    return Trust(
        bottleneck=verdict,
        noise_held=study.autoencoder.noise_held,
        largest_difference=difference,
        tolerance=study.settings.bottleneck_tolerance,
        real_codes_flagged=study.off_data_share(study.test.codes, study.test.reconstructions),
        largest_distance=flag.largest_distance,
        largest_cycle_error=flag.largest_cycle_error,
        covariance_shrunk=flag.shrunk,
        share_and_ablation_agree=_share_and_ablation(study),
        posterior_noise_floor=_noise_floor(study),
        in_sample=study.in_sample,
    )


def _bottleneck(study: Study) -> tuple[Bottleneck, float | None]:
    if study.autoencoder.forward is None:
        return Bottleneck.NOT_CHECKED, None
    images = study.test.images[:CHECKED_ROWS]
    split = study.test.reconstructions[:CHECKED_ROWS]
    scale = max(float(np.ptp(split)), float(np.finfo(np.float32).tiny))
    found = []
    # Cut as the reconstructions were: batches of other sizes differ by more rounding.
    for block in study.engine.blocks(len(images)):
        labels = study.engine.labels_in(study.test.codes[:CHECKED_ROWS][block])
        whole = study.engine.model_output(images[block], labels)
        repeated = study.engine.model_output(images[block], labels)
        found.append([np.abs(repeated - whole).max(), np.abs(split[block] - whole).max()])
    again, difference = (float(largest) / scale for largest in np.max(found, axis=0))
    if again > study.settings.bottleneck_tolerance:
        return Bottleneck.STOCHASTIC, again
    complete = difference <= study.settings.bottleneck_tolerance
    return (Bottleneck.COMPLETE if complete else Bottleneck.INCOMPLETE), difference


def _noise_floor(study: Study) -> Estimate | None:
    """One draw of ε for each statistics row."""
    if not study.autoencoder.is_variational:
        return None
    rows = study.rows.statistics
    codes, still = study.test.codes[rows], study.test.reconstructions[rows]
    generator = np.random.default_rng([study.settings.seed, 12])
    noise = generator.normal(size=codes.shape).astype(np.float32)
    labels = study.engine.labels_in(codes)
    drawn = codes + study.engine.posterior_sd(study.test.images[rows], labels) * noise
    missed = [
        squared_norms(moved - still[part].astype(np.float64))
        for part, moved in study.engine.decode_blocks(drawn)
    ]
    return study.bootstrap(rows).ratio(np.concatenate(missed), centred_squares(still))


def _share_and_ablation(study: Study) -> float | None:
    if len(study.players) == 0:
        return None
    return agreement_with_shares(study, study.shared(single_moves).last.sum(axis=0))
