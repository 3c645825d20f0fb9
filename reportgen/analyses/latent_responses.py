"""Does the encoder recognise what a unit paints? Latent responses (Leeb et al., 2022).

A unit moves a step to both sides, its image is encoded again, and every unit's value is compared: a
unit that comes back as itself alone is one that encoder and decoder agree on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import UnanswerableError
from reportgen.analyses.shared.unit_shifts import unit_shifts
from reportgen.statistics.bootstrap import safe_ratio
from reportgen.study.study import Study


@dataclass(frozen=True)
class LatentResponses:
    """Responses of the live units with the largest effects, at most 32, to each other's moves.

    Attributes
    ----------
    units : their indices, in the order of the code.
    responses : (units, units) by how many of its sd each (column) answers one sd of each (row),
        root mean square over images; a PCA has the identity.
    recognised : (units,) the diagonal: the unit's answer to its own moves.
    own_share : (units,) the diagonal's square over its row's: 1 where only the unit itself answers;
        NaN where none does.
    rows : images behind each number.
    """

    units: tuple[int, ...]
    responses: np.ndarray
    recognised: np.ndarray
    own_share: np.ndarray
    rows: int


def run(study: Study) -> LatentResponses:
    """Read the codes of the images that `draws` has decoded.

    Raises UnanswerableError where no unit has an effect.
    """
    if len(study.live_units) == 0:
        raise UnanswerableError("no unit of the code has an effect on the image.")
    shifts = study.shared(unit_shifts)
    units, steps = shifts.units[shifts.encoded], shifts.steps[shifts.encoded]
    deviations = study.deviations[units]
    responses = shifts.responses * (deviations / steps)[:, None] / deviations
    own = np.diag(responses)
    return LatentResponses(
        units=tuple(units.tolist()),
        responses=responses,
        recognised=own.copy(),
        own_share=safe_ratio(own**2, np.square(responses).sum(axis=1)),
        rows=len(shifts.rows),
    )
