"""One picture for each unit? ρ of every unit as dots, and the moves of the strongest units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reportgen.analyses.ablation import Ablation
from reportgen.analyses.health import Health
from reportgen.analyses.one_picture import OnePicture, UnitPicture
from reportgen.figures.charts import DotPlot, dot_plot
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.question import MovedCodes
from reportgen.report.results import Results
from reportgen.report.views import ablation as ablation_codes
from reportgen.report.views.reconstruction import LabelledStrip
from reportgen.statistics.bootstrap import Estimate

MOST_DOTS = 32


@dataclass(frozen=True)
class View:
    """Dots, their table in the same order, and moves; `left_out` counts the units without a dot."""

    dots: DotPlot
    units: tuple[UnitPicture, ...]
    moves: tuple[LabelledStrip, ...]
    left_out: int


def view(result: OnePicture, results: Results, drawing: Drawing) -> View:
    """Units in order of share, at most 32 as dots."""
    measured = {picture.unit: picture for picture in result.units}
    ordered = [measured[unit.index] for unit in results.units if unit.index in measured]
    ordered += [picture for picture in result.units if picture not in ordered]
    shown = ordered[:MOST_DOTS]
    names = _names(results)
    moves = []
    for place, unit in enumerate(result.shown_units):
        limit = drawing.limit(result.shown_moves[place])
        values = [numbers.number(float(v)) for v in result.shown_values[place]]
        label = f"unit {names.get(unit, unit)}"
        alt = (
            f"{label} moved alone from the mean code to {', '.join(values)}: "
            f"changes on ±{numbers.number(limit)}; "
            f"ρ solo {numbers.plain(measured[unit].rho_solo)}."
        )
        tiles = drawing.differences(result.shown_moves[place], limit)
        moves.append(
            LabelledStrip(label, Strip(drawing.strip(tiles), alt, tuple(values), limit=limit))
        )
    return View(
        dots=dot_plot(
            [f"unit {names.get(picture.unit, picture.unit)}" for picture in shown],
            [_ends(picture.rho_solo) for picture in shown],
            [_ends(picture.rho_context) for picture in shown],
        ),
        units=tuple(ordered),
        moves=tuple(moves),
        left_out=len(ordered) - len(shown),
    )


def _names(results: Results) -> dict[int, str]:
    return {unit.index: unit.name for unit in results.units}


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def limits(result: OnePicture, results: Results) -> Iterator[str]:
    """Units of several numbers; ρ that is too large for few images."""
    health = results.answers.of(Health)
    several = health is not None and any(unit.coordinates > 1 for unit in health.units)
    if several:
        yield (
            "A unit here is several numbers of the code that move together, and a linear decoder "
            "would draw as many pictures with them: ρ below 1 does not say that the decoder bends."
        )
    above = {
        "alone": result.pooled_solo,
        "in context": result.pooled_context,
    }
    for where, rho in above.items():
        if rho.value > rho.high:
            yield (
                f"ρ {where} of these {numbers.count(result.rows)} images, "
                f"{numbers.number(rho.value)}, is likely too large: few images look more alike "
                f"than many. Of many it is expected in {numbers.interval(rho)}."
            )


def moved(result: OnePicture, results: Results) -> Iterator[MovedCodes]:
    """The codes of the ablation."""
    ablation = results.answers.of(Ablation)
    if ablation is not None:
        yield from ablation_codes.moved(ablation, results)
