"""Do units paint different pictures? Angles between what each changes in the image.

Independent mechanisms change the image in orthogonal directions (Gresele et al., 2021). What a unit
changes is the secant, the image with the unit a step more less that with it a step less: at the
bend of a ReLU a derivative says nothing of the step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import DoesNotApplyError
from reportgen.analyses.shared.unit_shifts import unit_shifts
from reportgen.statistics.bootstrap import UNDEFINED, Estimate
from reportgen.study.study import Study

MOST_PAIRS = 3


@dataclass(frozen=True)
class ClosePair:
    """Two units by index, and the |cos| between their pictures, mean over images."""

    first: int
    second: int
    cosine: float


@dataclass(frozen=True)
class PictureAngles:
    """Secants of every live unit over a step to both sides, as in `draws`.

    Attributes
    ----------
    units : live units that were compared.
    mean_cosine : |cos| between two units' pictures, mean over pairs and images: 0 where all are
        orthogonal, 1 where all units paint one picture.
    contrast : −½ log det of the pictures' cosines, mean over images: 0 where they are orthogonal;
        undefined where in some image they are linearly dependent, so that it is infinite.
    closest : at most 3 pairs with the largest mean |cos|.
    rows : images behind each number.
    """

    units: int
    mean_cosine: Estimate
    contrast: Estimate
    closest: tuple[ClosePair, ...]
    rows: int


def run(study: Study) -> PictureAngles:
    """Compare the pictures that `draws` has decoded; nothing else is decoded.

    Raises DoesNotApplyError with fewer than two live units.
    """
    if len(study.live_units) < 2:
        raise DoesNotApplyError("fewer than two units have an effect on the image.")
    shifts = study.shared(unit_shifts)
    bootstrap = study.bootstrap(shifts.rows)
    known = np.isfinite(shifts.row_cosines)
    spans = bool(np.isfinite(shifts.contrasts).all())
    ones = np.ones(len(shifts.rows))
    return PictureAngles(
        units=len(shifts.units),
        mean_cosine=bootstrap.ratio(np.where(known, shifts.row_cosines, 0), known.astype(float)),
        contrast=bootstrap.ratio(shifts.contrasts, ones) if spans else UNDEFINED,
        closest=_closest(shifts.cosines, shifts.units),
        rows=len(shifts.rows),
    )


def _closest(cosines: np.ndarray, units: np.ndarray) -> tuple[ClosePair, ...]:
    first, second = np.triu_indices(len(units), 1)
    pairs = cosines[first, second]
    order = np.argsort(-np.nan_to_num(pairs, nan=-1.0), kind="stable")[:MOST_PAIRS]
    return tuple(
        ClosePair(int(units[first[place]]), int(units[second[place]]), float(pairs[place]))
        for place in order
        if np.isfinite(pairs[place])
    )
