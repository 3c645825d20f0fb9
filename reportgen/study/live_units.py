"""Live units: those that the decoder reads, which alone may shape a judgement about data.

A unit that varies but is not decoded has no part in what an image looks like. Left among the
others it would stretch the ellipse of real codes, fix what another unit "is free to vary by", and
correlate with what matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reportgen.study.single_moves import single_moves

if TYPE_CHECKING:
    from reportgen.study.study import Study


def live_units(study: Study) -> np.ndarray:
    """(m,) indices of the units that are neither constant, nor ignored, nor collapsed; rising."""
    dead = np.union1d(ignored_units(study), collapsed_units(study))
    return np.setdiff1d(study.player_units, dead)


def ignored_units(study: Study) -> np.ndarray:
    """(i,) units that vary and whose solo and last-in effects are both below .01 / K."""
    if len(study.players) == 0:
        return np.zeros(0, np.intp)
    moves = study.shared(single_moves)
    total = float(moves.spread.sum())
    if study.is_negligible(total, len(moves.rows)):
        return study.player_units
    limit = study.settings.ignored_effect / len(study.units) * total
    weak = (moves.solo.sum(axis=0) < limit) & (moves.last.sum(axis=0) < limit)
    return study.player_units[weak]


def collapsed_units(study: Study) -> np.ndarray:
    """(c,) units of a VAE whose posterior is the prior: KL and variance of the mean below .01."""
    divergences = study.shared(posterior_divergences)
    if divergences is None:
        return np.zeros(0, np.intp)
    limit = study.settings.collapsed_divergence
    variances = study.units.values(study.test.every_code).var(axis=0)
    return np.flatnonzero((divergences < limit) & (variances < limit))


def posterior_divergences(study: Study) -> np.ndarray | None:
    """(K,) KL(q(z|x) ‖ N(0, 1)) in nat, mean over test rows, summed over a channel's sites.

    None without a posterior's standard deviation.
    """
    if study.autoencoder.posterior_sd is None:
        return None
    mean = study.test.codes.astype(np.float64)
    labels = study.engine.labels_in(study.test.codes)
    deviation = study.engine.posterior_sd(study.test.images, labels).astype(np.float64)
    variance = np.maximum(deviation**2, np.finfo(np.float64).tiny)
    per_coordinate = (0.5 * (mean**2 + variance - 1 - np.log(variance))).mean(axis=0)
    return np.array([per_coordinate[m].sum() for m in study.units.members])
