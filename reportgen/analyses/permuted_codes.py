"""Linear, curved and not additive shares on codes with shuffled units, as if independent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import UnanswerableError
from reportgen.analyses.shared.variance_on_data import bending, regressors
from reportgen.statistics.blocks import centred_squares
from reportgen.statistics.bootstrap import Estimate
from reportgen.statistics.regression import variance_shares
from reportgen.study.study import Study

CODES = 4096
DECODED_TOGETHER = 32
CODES_PER_UNIT = 20


@dataclass(frozen=True)
class PermutedCodes:
    """Functional ANOVA of the decoder: real codes whose units were permuted independently.

    On real codes, correlated units let curves of single units imitate interactions; here they
    cannot, but most of the codes are ones that no image has.

    Attributes
    ----------
    linear, curved, not_additive : shares of the variance of the decoded images; the additive part,
        linear + curved, is the sum of the first-order Sobol indices.
    variance_ratio : variance of these images over that of the reconstructions.
    far_share : share of the codes outside the ellipse of real codes (Mahalanobis).
    codes : number of codes, half to fit on and half to score on.
    sketched : whether images were compressed by a linear sketch.
    """

    linear: Estimate
    curved: Estimate
    not_additive: Estimate
    variance_ratio: float
    far_share: float
    codes: int
    sketched: bool


def run(study: Study) -> PermutedCodes:
    """Decode 4096 codes whose players were permuted independently, and regress the images.

    A player's coordinates stay together, and each of them is a regressor. Raises UnanswerableError
    where no unit varies, where coordinates are too many for 4096 codes, or where the images do not
    vary.
    """
    if len(study.players) == 0:
        raise UnanswerableError("no unit of the code varies over the images.")
    coordinates = regressors(study)
    if CODES_PER_UNIT * len(coordinates) > CODES // 2:
        raise UnanswerableError(
            f"{CODES} codes are too few for the code's {len(coordinates)} coordinates that vary."
        )
    codes = _permuted(study, study.settings.seed)
    compress, length, sketched = study.compressor(CODES)
    images = np.zeros((CODES, length), dtype=np.float32)
    parts = [slice(n, n + DECODED_TOGETHER) for n in range(0, CODES, DECODED_TOGETHER)]
    for place, decoded in study.decode_mine(len(parts), lambda place: codes[parts[place]]):
        images[parts[place]] = compress(decoded)
    study.ranks.add_up(images)
    values = codes[:, coordinates].astype(np.float64)
    fit, test = slice(0, CODES // 2), slice(CODES // 2, CODES)
    shares = variance_shares(
        (values[fit], images[fit]),
        (values[test], images[test]),
        study.bootstrap(CODES // 2),
        study.settings.seed,
        bent=bending(study),
    )
    if study.is_negligible(float(shares.total.sum()), CODES // 2):
        raise UnanswerableError("the decoder gives the same image whatever the code.")
    assert shares.curved is not None and shares.not_additive is not None
    reconstructions = compress(study.test.reconstructions)
    return PermutedCodes(
        linear=shares.linear,
        curved=shares.curved,
        not_additive=shares.not_additive,
        variance_ratio=_variance(images) / _variance(reconstructions),
        far_share=study.off_data.far_share(codes),
        codes=CODES,
        sketched=sketched,
    )


def _variance(images: np.ndarray) -> float:
    return float(centred_squares(images).sum()) / len(images)


def _permuted(study: Study, seed: int) -> np.ndarray:
    """(4096, code_size) each player's coordinates drawn from the fit rows, player by player."""
    generator = np.random.default_rng([seed, 8])
    codes = np.tile(study.baseline, (CODES, 1))
    for members in study.players.members:
        rounds = -(-CODES // len(study.fit))
        rows = np.concatenate([generator.permutation(len(study.fit)) for _ in range(rounds)])
        codes[:, members] = study.fit.codes[rows[:CODES]][:, members]
    return codes
