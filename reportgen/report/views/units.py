"""Units: a table of all, a card for each that matters, a compact row for each that does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.ablation import Ablation
from reportgen.analyses.contributions import Contributions
from reportgen.analyses.health import WITHOUT_EFFECT, Health, UnitHealth
from reportgen.analyses.traversal import Traversal
from reportgen.autoencoder import UnitKind
from reportgen.figures.charts import Histogram, IntervalBar, histogram, interval_bar
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.question import MovedCodes
from reportgen.report.results import Results, Unit
from reportgen.report.views import ablation as ablation_codes
from reportgen.report.views.contributions import own_share
from reportgen.report.views.reconstruction import LabelledStrip
from reportgen.report.views.traversal import walk_strip

CARD_ROWS = 2


@dataclass(frozen=True)
class UnitCard:
    """Everything about one unit.

    Attributes
    ----------
    unit, health : its numbers.
    walk, walk_difference : full-range walk from the medoid, as images and as changes from x̂.
    deviation_ratio : r_k / s_k; NaN where it was not walked.
    ablations : for each row with | without | moved alone | contribution | ablation.
    limit : the signed scale of the ablations' differences.
    histogram : of its values; lowest, highest: images at its ends.
    """

    unit: Unit
    health: UnitHealth
    walk: Strip | None
    walk_difference: Strip | None
    deviation_ratio: float
    ablations: tuple[LabelledStrip, ...]
    limit: float
    histogram: Histogram
    lowest: Strip
    highest: Strip


@dataclass(frozen=True)
class UnitLine:
    """A unit without a card: its numbers, and its histogram small."""

    unit: Unit
    health: UnitHealth


@dataclass(frozen=True)
class TableRow:
    """A unit in the table, with the bar of its share (None where it has none)."""

    unit: Unit
    bar: IntervalBar | None


@dataclass(frozen=True)
class View:
    """The table's rows, the cards by share, weak units without a card, and units without effect."""

    table: tuple[TableRow, ...]
    cards: tuple[UnitCard, ...]
    weak: tuple[UnitLine, ...]
    quiet: tuple[UnitLine, ...]
    most_cards: int
    kind: UnitKind
    variational: bool


def view(result: None, results: Results, drawing: Drawing) -> View:
    """Cards for the 32 strongest units that have an effect; lines for the others."""
    most = drawing.thinning.unit_cards
    measured = results.answers.of(Health)
    health = {entry.unit: entry for entry in measured.units} if measured else {}
    active = [unit for unit in results.units if not WITHOUT_EFFECT & set(unit.health)]
    quiet = [unit for unit in results.units if WITHOUT_EFFECT & set(unit.health)]
    pictured = [unit for unit in active if len(health[unit.index].lowest)][:most]
    highs = [u.share.high for u in results.units if u.share and np.isfinite(u.share.high)]
    largest = max(highs, default=1.0)
    return View(
        table=tuple(TableRow(unit, _bar(unit, largest)) for unit in results.units),
        cards=tuple(_card(results, drawing, unit, health[unit.index]) for unit in pictured),
        weak=tuple(UnitLine(unit, health[unit.index]) for unit in active if unit not in pictured),
        quiet=tuple(UnitLine(unit, health[unit.index]) for unit in quiet),
        most_cards=most,
        kind=measured.kind if measured else UnitKind.COORDINATE,
        variational=measured.variational if measured else False,
    )


def _bar(unit: Unit, largest: float) -> IntervalBar | None:
    share = unit.share
    return interval_bar(share.value, share.low, share.high, largest) if share else None


def _card(results: Results, drawing: Drawing, unit: Unit, health: UnitHealth) -> UnitCard:
    walk, difference, ratio = _walks(results, drawing, unit)
    ablations, limit = _ablations(results, drawing, unit)
    marks = ((health.quantiles[0], "q01"), (health.mean, "mean"), (health.quantiles[-1], "q99"))
    return UnitCard(
        unit=unit,
        health=health,
        walk=walk,
        walk_difference=difference,
        deviation_ratio=ratio,
        ablations=ablations,
        limit=limit,
        histogram=histogram(health.histogram, health.edges, marks),
        lowest=Strip(
            drawing.thumbnails(health.lowest),
            f"The {len(health.lowest)} test images with the lowest values of unit {unit.name}, "
            f"from {numbers.number(float(health.edges[0]))} up.",
            thumbnail=True,
        ),
        highest=Strip(
            drawing.thumbnails(health.highest),
            f"The {len(health.highest)} test images with the highest values of unit {unit.name}, "
            f"from {numbers.number(float(health.edges[-1]))} down.",
            thumbnail=True,
        ),
    )


def _walks(
    results: Results, drawing: Drawing, unit: Unit
) -> tuple[Strip | None, Strip | None, float]:
    result = results.answers.of(Traversal)
    walked = result is not None and drawing.thinning.full_walks
    if result is None or not walked or unit.index not in result.units:
        return None, None, float("nan")
    place = result.units.index(unit.index)
    moved = result.full.frames[0, place] - result.reconstructions[0]
    limit = drawing.limit(moved)
    difference = Strip(
        sprite=drawing.strip(drawing.differences(np.pad(moved, ((1, 0), (0, 0))), limit)),
        alt=f"The same frames of unit {unit.name} as changes from the reconstruction, "
        f"on ±{numbers.number(limit)}.",
        limit=limit,
    )
    return (
        walk_strip(result, result.full, drawing, 0, place, kind="full"),
        difference,
        float(result.deviation_ratios[place]),
    )


def _ablations(
    results: Results, drawing: Drawing, unit: Unit
) -> tuple[tuple[LabelledStrip, ...], float]:
    """Draw with | without, then three views of the unit on one scale for all rows: moved alone from
    the mean code | contribution | what ablation takes away.
    """
    result = results.answers.of(Ablation)
    if result is None:
        return (), 0.0
    players = [effect.unit for effect in result.effects]
    if unit.index not in players:
        return (), 0.0
    player = players.index(unit.index)
    rows = range(min(CARD_ROWS, len(result.picture_names)))
    taken = [result.reconstructions[row] - result.ablated[row, player] for row in rows]
    given = [_contribution(results, unit, result.picture_names[row]) for row in rows]
    alone = [result.alone[row, player] for row in rows]
    limit = drawing.limit(*alone, *taken, *(part.picture for part in given if part))
    strips = []
    for row in rows:
        tiles = [
            drawing.images(result.reconstructions[row]),
            drawing.images(result.ablated[row, player]),
            drawing.differences(alone[row], limit),
        ]
        captions = ["with", "without", "moved alone"]
        part, own = given[row], ""
        if part is not None:
            tiles.append(drawing.differences(part.picture, limit))
            captions.append(f"contribution {part.share}")
            own = f"The contribution is {part.share} of this image's change. "
        tiles.append(drawing.differences(taken[row], limit))
        captions.append("ablation")
        name = result.picture_names[row]
        alt = (
            f"{name}: {', '.join(captions)} of unit {unit.name}, the signed pictures on "
            f"±{numbers.number(limit)}. {own}Over all images: alone "
            f"{numbers.plain(unit.solo, 'percent')} of variance, share of the change "
            f"{numbers.plain(unit.share, 'percent')}, ablation effect "
            f"{numbers.plain(unit.effect, 'percent')} of variance."
        )
        strips.append(
            LabelledStrip(
                name,
                Strip(drawing.strip(*tiles), alt, _broken(captions), limit=limit, signed_from=2),
            )
        )
    return tuple(strips), limit


@dataclass(frozen=True)
class _Contribution:
    """A unit's contribution to one image, and its share of that image's change as text."""

    picture: np.ndarray
    share: str


def _contribution(results: Results, unit: Unit, name: str) -> _Contribution | None:
    """None where the unit is in the rest or the row is not pictured."""
    result = results.answers.of(Contributions)
    if result is None or name not in result.picture_names:
        return None
    units = [share.unit for share in result.shares]
    if unit.index not in units:
        return None
    place = result.picture_names.index(name), units.index(unit.index)
    return _Contribution(result.pictures[place], own_share(result.row_shares[place]))


def _broken(captions: list[str]) -> tuple[str, ...]:
    """Let the one long word of captions break where tiles are narrow."""
    return tuple(caption.replace("contribution", "contri\u00adbution") for caption in captions)


def moved(result: None, results: Results) -> Iterator[MovedCodes]:
    """The codes of the ablation."""
    ablation = results.answers.of(Ablation)
    if ablation is not None:
        yield from ablation_codes.moved(ablation, results)
