"""Walks: one unit moved through its range, the others held at a real image's values."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import numpy as np

from reportgen.analyses import ImageArray, UnanswerableError
from reportgen.analyses.shared.path_contributions import units_by_share
from reportgen.statistics.bootstrap import Estimate
from reportgen.statistics.proportions import sampled_share
from reportgen.study.study import Study

REACH = 2.0
LOWER_QUANTILE, UPPER_QUANTILE = 0.01, 0.99


@dataclass(frozen=True)
class Walks:
    """Frames of every (row, unit) over one kind of range.

    Attributes
    ----------
    values : (rows, units, frames) the moved unit's value.
    frames : (rows, units, frames, P) decoded images.
    flagged : (rows, units, frames) whether the code is off data.
    flagged_share : share of all frames that is flagged.
    end_cosine : (rows, units) cosine of last − x̂ and x̂ − first: 1 for a linear decoder; NaN where
        the row's own value is an end, or an end changes nothing.
    """

    values: np.ndarray
    frames: ImageArray
    flagged: np.ndarray
    flagged_share: Estimate
    end_cosine: np.ndarray


@dataclass(frozen=True)
class Traversal:
    """Latent walks from the walk rows, for at most 16 units by share.

    Attributes
    ----------
    units : indices, by share; names as printed.
    rows : names of the rows: the medoid code, then the .1, .5, .9 quantiles of error.
    originals, reconstructions : (rows, P).
    own_values : (rows, units) each row's own value.
    supported : walks over z_k ± 2 r_k, clipped to the quantiles .01 and .99.
    full : walks over the quantiles .01 to .99.
    conditional_deviations : (units,) r_k, the sd of z_k given the other live units.
    deviation_ratios : (units,) r_k / s_k; small where the other units fix this one.
    """

    units: tuple[int, ...]
    names: tuple[str, ...]
    rows: tuple[str, ...]
    originals: ImageArray
    reconstructions: ImageArray
    own_values: np.ndarray
    supported: Walks
    full: Walks
    conditional_deviations: np.ndarray
    deviation_ratios: np.ndarray


def run(study: Study) -> Traversal:
    """Decode both walks of every shown (row, unit).

    Raises UnanswerableError where no unit varies.
    """
    if len(study.players) == 0:
        raise UnanswerableError("no unit of the code varies over the images.")
    walked = units_by_share(study)[: study.settings.walk_units]
    rows = study.rows.walks
    own = study.players.values(study.test.codes[rows])[:, walked]
    fitted = study.players.values(study.fit.every_code)[:, walked]
    low, high = np.quantile(fitted, (LOWER_QUANTILE, UPPER_QUANTILE), axis=0)
    # A ReLU unit has an atom at its minimum: nothing real lies below it.
    low = np.maximum(low, fitted.min(axis=0))
    reach = REACH * study.conditional_deviations[walked]
    supported_low = np.minimum(np.maximum(own - reach, low), own)
    supported_high = np.maximum(np.minimum(own + reach, high), own)
    full_low, full_high = np.minimum(own, low), np.maximum(own, high)
    return Traversal(
        units=tuple(int(study.player_units[player]) for player in walked),
        names=tuple(study.players.names[player] for player in walked),
        rows=tuple(study.test.names[row] for row in rows),
        originals=study.pictures(study.test.images[rows]),
        reconstructions=study.pictures(study.test.reconstructions[rows]),
        own_values=own,
        supported=_walk(study, walked, supported_low, supported_high, study.settings.walk_frames),
        full=_walk(study, walked, full_low, full_high, study.settings.walk_frames),
        conditional_deviations=reach / REACH,
        deviation_ratios=reach / REACH / fitted.std(axis=0),
    )


def _walk(
    study: Study, walked: np.ndarray, low: np.ndarray, high: np.ndarray, frames: int
) -> Walks:
    rows = study.rows.walks
    values = np.linspace(low, high, frames, axis=-1)
    codes = np.empty((*values.shape, study.units.code_size), dtype=np.float32)
    own = study.players.values(study.test.codes[rows])[:, walked]
    for row in range(len(rows)):
        for place, player in enumerate(walked):
            members = study.players.members[player]
            codes[row, place] = study.test.codes[rows[row]]
            codes[row, place][:, members] += (values[row, place] - own[row, place])[:, None].astype(
                np.float32
            )
    flat = codes.reshape(-1, study.units.code_size)
    pictures, flagged, numbers = [], [], count()
    cosines = np.full(len(flat) // frames, np.nan)
    for images, drawn, off_data in study.decoded_panel(flat):
        pictures.append(drawn)
        flagged.append(off_data)
        for image in images:
            walk, place = divmod(next(numbers), frames)
            if place == 0:
                first = image.copy()
            elif place == frames - 1:
                here = study.test.reconstructions[rows[walk // len(walked)]]
                cosines[walk] = _cosine(image - here, here - first)
    flags = np.concatenate(flagged).reshape(values.shape)
    at_end = (own <= low) | (own >= high)
    return Walks(
        values=values,
        frames=np.concatenate(pictures).reshape(*values.shape, -1),
        flagged=flags,
        flagged_share=sampled_share(flags, flags.size),
        end_cosine=np.where(at_end, np.nan, cosines.reshape(own.shape)),
    )


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one.astype(np.float64), other.astype(np.float64)
    norms = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / norms) if norms > 0 else float("nan")
