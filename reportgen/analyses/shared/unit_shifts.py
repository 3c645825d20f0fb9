"""Images of codes with one live unit a little more and a little less: 2 m decodes for each row.

The step is r_k, what the unit is free to vary by once the others are known, so that the codes stay
near the data. "Draws" reads measures of the images, "latent responses" their codes, and "picture
angles" the differences between a step more and a step less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.engine import CodePanel
from reportgen.statistics.angles import absolute_cosines, contrast
from reportgen.statistics.bootstrap import safe_ratio
from reportgen.statistics.image_factors import image_factors
from reportgen.study.single_moves import strongest_players
from reportgen.study.study import Study

# Differences of images over a smaller part of a unit's sd are rounding.
SMALLEST_STEP = 0.01
MOST_ENCODED = 32


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
    cosines : (m, m) |cos| between the differences of two units, mean over the rows where both are
        more than rounding; NaN where there are none.
    row_cosines : (R,) its mean over pairs of units; `contrasts` (R,) as `contrast` has it.
    encoded : (e,) places of the at most 32 strongest units, whose images are encoded again.
    responses : (e, e) rms over rows of what encoding them moves each (second) of those units by,
        in code units, for a step more of each (first).
    """

    rows: np.ndarray
    units: np.ndarray
    steps: np.ndarray
    codes: CodePanel
    factors: dict[str, np.ndarray]
    cosines: np.ndarray
    row_cosines: np.ndarray
    contrasts: np.ndarray
    encoded: np.ndarray
    responses: np.ndarray


def unit_shifts(study: Study) -> UnitShifts:
    """Decode the shifts of the study's `shifts` rows; measure, compare and encode the images."""
    rows, live = study.rows.shifts, study.live_units
    places = np.searchsorted(study.player_units, live)
    steps = np.maximum(study.conditional_deviations[places], SMALLEST_STEP * study.deviations[live])
    codes = _codes(study, rows, live, steps)
    names = image_factors(study.test.images[:1], study.image_shape)
    # A rank that has none of the rows adds nothing to what the others have.
    measured = {name: np.zeros((len(rows), codes.each)) for name in names}
    angles, responses = _Angles(len(rows), len(live)), _Responses(study, live)
    for place, images in study.decode_mine(len(rows), codes.row):
        for name, values in image_factors(images, study.image_shape).items():
            measured[name][place] = values
        more, less = images.reshape(2, len(live), -1)
        angles.add(place, more - less)
        label = study.engine.labels_in(study.test.codes[rows[place]][None])
        responses.add(more, less, label)
    study.ranks.add_up(*measured.values(), *angles.sums, responses.squares)
    cosines, row_cosines = angles.means()
    return UnitShifts(
        rows=rows,
        units=live,
        steps=steps,
        codes=codes,
        factors={name: values.reshape(len(rows), 2, -1) for name, values in measured.items()},
        cosines=cosines,
        row_cosines=row_cosines,
        contrasts=angles.contrasts,
        encoded=responses.places,
        responses=np.sqrt(responses.squares / len(rows)) / 2,
    )


class _Angles:
    """Sums of |cos| between the m units' differences, and how many rows have them."""

    def __init__(self, rows: int, units: int) -> None:
        self._total, self._known = np.zeros((2, units, units))
        self._of_row, self.contrasts = np.zeros((rows, 2)), np.zeros(rows)
        self.sums = self._total, self._known, self._of_row, self.contrasts

    def add(self, place: int, differences: np.ndarray) -> None:
        """Add one row's differences (m, P)."""
        cosines = absolute_cosines(differences)
        known = np.isfinite(cosines)
        self._total += np.where(known, cosines, 0)
        self._known += known
        pairs = cosines[np.triu_indices(len(cosines), 1)]
        self._of_row[place] = np.nansum(pairs), np.isfinite(pairs).sum()
        self.contrasts[place] = contrast(differences)

    def means(self) -> tuple[np.ndarray, np.ndarray]:
        """(m, m) over rows, and (R,) over pairs."""
        return safe_ratio(self._total, self._known), safe_ratio(*self._of_row.T)


class _Responses:
    """Sums of squares of what the encoder gives back for the strongest units' shifts."""

    def __init__(self, study: Study, live: np.ndarray) -> None:
        alive = set(live.tolist())
        by_effect = study.player_units[strongest_players(study)].tolist()
        strongest = [unit for unit in by_effect if unit in alive][:MOST_ENCODED]
        self.places = np.searchsorted(live, np.sort(np.array(strongest, np.intp)))
        self._study, self._units = study, live[self.places]
        self.squares = np.zeros((len(self.places), len(self.places)))

    def add(self, more: np.ndarray, less: np.ndarray, label: np.ndarray | None) -> None:
        """Add one row's images (m, P) of each unit a step more, and a step less, and its class."""
        images = np.concatenate([more[self.places], less[self.places]])
        labels = None if label is None else np.repeat(label, len(images))
        again = self._study.engine.encode(images, labels)
        codes = self._study.units.values(again)[:, self._units]
        self.squares += np.square(codes[: len(self.places)] - codes[len(self.places) :])


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
