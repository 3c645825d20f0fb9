"""Images of codes with one live unit a little more and a little less: 2 m decodes for each row.

The step is r_k, what the unit is free to vary by once the others are known, so that the codes stay
near the data. "Draws" reads measures of the images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.engine import CodePanel
from reportgen.statistics.image_factors import image_factors
from reportgen.study.study import Study

# Differences of images over a smaller part of a unit's sd are rounding.
SMALLEST_STEP = 0.01


@dataclass(frozen=True)
class UnitShifts:
    """Measures of R rows' images with each of the m live units shifted by a step.

    Attributes
    ----------
    rows : (R,) indices into the test sample.
    units : (m,) the live units.
    steps : (m,) r_k in code units, at least a hundredth of the unit's sd.
    codes : for each row its code with each unit a step more, then with each a step less.
    factors : by name, (R, 2, m) a measure of those images, as `image_factors` has it.
    """

    rows: np.ndarray
    units: np.ndarray
    steps: np.ndarray
    codes: CodePanel
    factors: dict[str, np.ndarray]


def unit_shifts(study: Study) -> UnitShifts:
    """Decode the shifts of the study's `shifts` rows, and measure the images."""
    rows, live = study.rows.shifts, study.live_units
    places = np.searchsorted(study.player_units, live)
    steps = np.maximum(study.conditional_deviations[places], SMALLEST_STEP * study.deviations[live])
    codes = _codes(study, rows, live, steps)
    measured: dict[str, np.ndarray] = {}
    for place, images in study.decode_mine(len(rows), codes.row):
        for name, values in image_factors(images, study.image_shape).items():
            of_all = measured.setdefault(name, np.zeros((len(rows), codes.each)))
            of_all[place] = values
    if not measured:
        # This rank has none of the rows, and adds nothing to what the others have.
        names = image_factors(study.test.images[:1], study.image_shape)
        measured = {name: np.zeros((len(rows), codes.each)) for name in names}
    study.ranks.add_up(*measured.values())
    return UnitShifts(
        rows=rows,
        units=live,
        steps=steps,
        codes=codes,
        factors={name: values.reshape(len(rows), 2, -1) for name, values in measured.items()},
    )


def _codes(study: Study, rows: np.ndarray, live: np.ndarray, steps: np.ndarray) -> CodePanel:
    """All coordinates of a unit move alike, so that its value, their mean, moves by the step."""
    moves = np.zeros((2, len(live), study.units.code_size), dtype=np.float32)
    for place, (unit, step) in enumerate(zip(live, steps, strict=True)):
        moves[0, place, study.units.members[unit]] = step
    moves[1] = -moves[0]
    flat = moves.reshape(-1, study.units.code_size)

    def of_row(place: int, which: slice | np.ndarray) -> np.ndarray:
        return study.test.codes[rows[place]] + flat[which]

    return CodePanel(len(rows), len(flat), of_row)
