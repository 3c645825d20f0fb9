"""Does a unit draw what it goes with? How measures of the image move when only the unit moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import UnanswerableError
from reportgen.analyses.shared.unit_shifts import unit_shifts
from reportgen.statistics.bootstrap import Estimate, safe_ratio
from reportgen.statistics.image_factors import PERIODS, image_factors
from reportgen.study.study import Study

# Of float32 pixels.
ROUNDING = 1e-6


@dataclass(frozen=True)
class UnitDrawing:
    """Effect of one unit's value on measures of the image.

    Attributes
    ----------
    unit : its index.
    step : r_k, how far it was moved to either side, in code units.
    does : by measure, mean over images of the difference between the unit a step more and a step
        less, over the two steps, in sd of the measure for one sd of the unit; undefined where the
        measure is, in all of those images.
    """

    unit: int
    step: float
    does: dict[str, Estimate]


@dataclass(frozen=True)
class Draws:
    """Every live unit moved alone, from the codes of images.

    What a unit goes with it need not draw: another unit that it goes with may.

    Attributes
    ----------
    units : in the order of the code.
    factors : names of the measures, plain ones of the pixels as in `tracking`, that vary over the
        test images.
    off_data_share : share of the moved codes that is flagged.
    rows : images behind each number.
    """

    units: tuple[UnitDrawing, ...]
    factors: tuple[str, ...]
    off_data_share: Estimate
    rows: int


def run(study: Study) -> Draws:
    """Move every live unit by its free sd, both ways, and measure the images.

    Raises UnanswerableError where no unit has an effect.
    """
    if len(study.live_units) == 0:
        raise UnanswerableError("no unit of the code has an effect on the image.")
    shifts = study.shared(unit_shifts)
    deviations = _varying_factors(study)
    per_sd = study.deviations[shifts.units] / (2 * shifts.steps)
    does: list[dict[str, Estimate]] = [{} for _ in shifts.units]
    bootstrap = study.bootstrap(shifts.rows)
    for name, deviation in deviations.items():
        more, less = shifts.factors[name].swapaxes(0, 1)
        moved = _difference(more, less, PERIODS.get(name)) * per_sd / deviation
        known = np.isfinite(moved)
        measures = bootstrap.estimates(
            lambda known, moved: safe_ratio(moved, known),
            [],
            [known.astype(float), np.where(known, moved, 0)],
        )
        for of_unit, measure in zip(does, measures, strict=True):
            of_unit[name] = measure
    return Draws(
        units=tuple(
            UnitDrawing(int(unit), float(step), of_unit)
            for unit, step, of_unit in zip(shifts.units, shifts.steps, does, strict=True)
        ),
        factors=tuple(deviations),
        off_data_share=study.off_data_share(shifts.codes),
        rows=len(shifts.rows),
    )


def _varying_factors(study: Study) -> dict[str, float]:
    """The sd of each measure over the test images, of those that vary by more than rounding."""
    measured = image_factors(study.test.images, study.image_shape)
    known = {name: values[np.isfinite(values)] for name, values in measured.items()}
    return {
        name: float(values.std())
        for name, values in known.items()
        if len(values) > 0 and values.std() > ROUNDING * np.abs(values).max()
    }


def _difference(more: np.ndarray, less: np.ndarray, period: float | None) -> np.ndarray:
    """more − less; of a measure that goes round, the short way."""
    apart = more - less
    return apart if period is None else (apart + period / 2) % period - period / 2
