"""Units: a table of all, a card for each that matters, a compact row for each that does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.ablation import Ablation
from reportgen.analyses.health import WITHOUT_EFFECT, Health, UnitHealth
from reportgen.analyses.traversal import Traversal
from reportgen.autoencoder import UnitKind
from reportgen.figures.charts import Histogram, IntervalBar, histogram, interval_bar
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.question import MovedCodes
from reportgen.report.results import Results, Unit
from reportgen.report.views import ablation as ablation_codes
from reportgen.report.views.latent_responses import recognised
from reportgen.report.views.reads import ReadsAndPaints, reads_and_paints
from reportgen.report.views.reconstruction import LabelledStrip
from reportgen.report.views.traversal import walk_strip
from reportgen.report.views.unit_examples import (
    Examples,
    StrongImages,
    contribution_to,
    draw_examples,
    strong_images,
)
from reportgen.statistics.norms import squared_norms

CARD_ROWS = 1


@dataclass(frozen=True)
class UnitCard:
    """Everything about one unit.

    Attributes
    ----------
    unit, health : its numbers; `bar` that of its share, `words` what is said of it beside it.
    examples : two images where it is strong; None where nothing pictured is known of it.
    walk, walk_difference : full-range walk from the medoid, as images and as changes from x̂.
    deviation_ratio : r_k / s_k; NaN where it was not walked.
    ablations : for each row with | without | moved alone | contribution | ablation.
    limit : the signed scale of the ablations' differences.
    reads : what it reads and what it paints; None where that was not measured.
    recognised : its own latent response, or None.
    histogram : of its values; lowest, highest: images at its ends.
    """

    unit: Unit
    health: UnitHealth
    bar: IntervalBar | None
    words: str
    examples: Examples | None
    walk: Strip | None
    walk_difference: Strip | None
    deviation_ratio: float
    ablations: tuple[LabelledStrip, ...]
    limit: float
    reads: ReadsAndPaints | None
    recognised: float | None
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
    """The table's rows, the cards by share, weak units without a card, and units without effect;
    `limit` is that of the one scale of all cards' signed pictures, `carded` the units with a card.
    """

    table: tuple[TableRow, ...]
    cards: tuple[UnitCard, ...]
    carded: frozenset[int]
    limit: float
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
    parts = {unit.index: _CardParts.of(results, unit) for unit in pictured}
    limit = drawing.limit(*(picture for part in parts.values() for picture in part.signed()))
    walks = results.answers.of(Traversal)
    walk_limit = 0.0
    if walks is not None and walks.units:
        walk_limit = drawing.limit(walks.full.frames[0] - walks.reconstructions[0])
    bars = {unit.index: _bar(unit, largest) for unit in results.units}
    return View(
        table=tuple(TableRow(unit, bars[unit.index]) for unit in results.units),
        cards=tuple(
            _card(
                results,
                drawing,
                health[unit.index],
                parts[unit.index],
                bars[unit.index],
                limit,
                walk_limit,
            )
            for unit in pictured
        ),
        carded=frozenset(parts),
        limit=limit,
        weak=tuple(UnitLine(unit, health[unit.index]) for unit in active if unit not in pictured),
        quiet=tuple(UnitLine(unit, health[unit.index]) for unit in quiet),
        most_cards=most,
        kind=measured.kind if measured else UnitKind.COORDINATE,
        variational=measured.variational if measured else False,
    )


def _bar(unit: Unit, largest: float) -> IntervalBar | None:
    share = unit.share
    return interval_bar(share.value, share.low, share.high, largest) if share else None


def _card(
    results: Results,
    drawing: Drawing,
    health: UnitHealth,
    parts: _CardParts,
    bar: IntervalBar | None,
    limit: float,
    walk_limit: float,
) -> UnitCard:
    unit = parts.unit
    walk, difference, ratio = _walks(results, drawing, unit, walk_limit)
    marks = ((health.quantiles[0], "q01"), (health.mean, "mean"), (health.quantiles[-1], "q99"))
    return UnitCard(
        unit=unit,
        health=health,
        bar=bar,
        words=_without_share(unit.sentence),
        examples=(
            None if parts.strong is None else draw_examples(drawing, unit, parts.strong, limit)
        ),
        walk=walk,
        walk_difference=difference,
        deviation_ratio=ratio,
        ablations=tuple(_views(drawing, unit, views, limit) for views in parts.views),
        limit=limit,
        reads=reads_and_paints(results, drawing, unit),
        recognised=recognised(results, unit),
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


def _without_share(sentence: str) -> str:
    """The sentence after its unit and share, which stand beside it."""
    said, _, rest = sentence.partition("; ")
    return numbers.capitalise(rest) if rest and " of the change" in said else sentence


def _walks(
    results: Results, drawing: Drawing, unit: Unit, limit: float
) -> tuple[Strip | None, Strip | None, float]:
    result = results.answers.of(Traversal)
    walked = result is not None and drawing.thinning.full_walks
    if result is None or not walked or unit.index not in result.units:
        return None, None, float("nan")
    place = result.units.index(unit.index)
    moved = result.full.frames[0, place] - result.reconstructions[0]
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


@dataclass(frozen=True)
class _Views:
    """One image with and without a unit, and three views of what the unit does there.

    `part` is its contribution, with its `share` of that image's change as text; None where it is in
    the rest or the image is not pictured.
    """

    name: str
    with_it: np.ndarray
    without_it: np.ndarray
    alone: np.ndarray
    part: np.ndarray | None
    share: str
    numbers: str

    @property
    def taken(self) -> np.ndarray:
        """With minus without."""
        taken: np.ndarray = np.subtract(self.with_it, self.without_it)
        return taken

    def signed(self) -> list[np.ndarray]:
        """The signed pictures."""
        return [self.alone, *([] if self.part is None else [self.part]), self.taken]


@dataclass(frozen=True)
class _CardParts:
    """A card's signed pictures before they are drawn: all cards are drawn on one scale."""

    unit: Unit
    strong: StrongImages | None
    views: tuple[_Views, ...]

    @classmethod
    def of(cls, results: Results, unit: Unit) -> _CardParts:
        """Those of one unit."""
        return cls(unit, strong_images(results, unit), _views_of(results, unit))

    def signed(self) -> list[np.ndarray]:
        """All of them."""
        strong = [] if self.strong is None else [self.strong.parts]
        return strong + [picture for views in self.views for picture in views.signed()]


def _views_of(results: Results, unit: Unit) -> tuple[_Views, ...]:
    """The unit in the walked image that it changes most."""
    result = results.answers.of(Ablation)
    players = [] if result is None else [effect.unit for effect in result.effects]
    if result is None or unit.index not in players:
        return ()
    player = players.index(unit.index)
    taken = squared_norms(result.reconstructions - result.ablated[:, player])
    pooled = (
        f"Over {numbers.count(result.rows)} images: alone {numbers.plain(unit.solo, 'percent')} of "
        f"variance, share of the change {numbers.plain(unit.share, 'percent')}, ablation effect "
        f"{numbers.plain(unit.effect, 'percent')} of variance."
    )
    views = []
    for row in np.argsort(-taken, kind="stable")[:CARD_ROWS]:
        part, share = contribution_to(results, unit, result.picture_names[row])
        views.append(
            _Views(
                name=result.picture_names[row],
                with_it=result.reconstructions[row],
                without_it=result.ablated[row, player],
                alone=result.alone[row, player],
                part=part,
                share=share,
                numbers=pooled,
            )
        )
    return tuple(views)


def _views(drawing: Drawing, unit: Unit, views: _Views, limit: float) -> LabelledStrip:
    """With | without, then moved alone from the mean code | contribution | what ablation takes."""
    tiles = [drawing.images(views.with_it), drawing.images(views.without_it)]
    tiles += [drawing.differences(picture, limit) for picture in views.signed()]
    captions = ["with", "without", "moved alone"]
    own = ""
    if views.part is not None:
        captions.append(f"contribution {views.share}")
        own = f"The contribution is {views.share} of this image's change. "
    captions.append("ablation")
    alt = (
        f"{views.name}: {', '.join(captions)} of unit {unit.name}, the signed pictures on "
        f"±{numbers.number(limit)}. {own}{views.numbers}"
    )
    strip = Strip(drawing.strip(*tiles), alt, _broken(captions), limit=limit, signed_from=2)
    return LabelledStrip(views.name, strip)


def _broken(captions: list[str]) -> tuple[str, ...]:
    """Let the one long word of captions break where tiles are narrow."""
    return tuple(caption.replace("contribution", "contri\u00adbution") for caption in captions)


def moved(result: None, results: Results) -> Iterator[MovedCodes]:
    """The codes of the ablation."""
    ablation = results.answers.of(Ablation)
    if ablation is not None:
        yield from ablation_codes.moved(ablation, results)
