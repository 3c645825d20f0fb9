"""Pictures of two reports side by side: one image under both models, matched units, one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.contributions import Contributions
from reportgen.analyses.direction_contributions import DirectionContributions
from reportgen.analyses.partial_reconstruction import PartialReconstruction
from reportgen.comparison.sources import Source, same_images
from reportgen.comparison.units import MatchedUnit
from reportgen.figures.charts import Chart, Curve, CurveKind, line_chart
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.image_parts import (
    Painter,
    Part,
    Sum,
    by_direction,
    on_one_scale,
    parts_of,
)

MOST_IMAGES, MOST_PAIRS = 5, 12


@dataclass(frozen=True)
class ImageBeside:
    """One image taken apart by both models, all parts on one signed scale.

    Attributes
    ----------
    name : the image's; original the image.
    limit : the largest difference of the scale.
    first, second : what each model makes it of.
    by : "unit", or "direction" where directions come first in both reports.
    """

    name: str
    original: Part
    limit: float
    first: Sum
    second: Sum
    by: str


@dataclass(frozen=True)
class UnitsBeside:
    """Contributions of two matched units to the same images."""

    title: str
    first: Strip
    second: Strip


@dataclass(frozen=True)
class PairPictures:
    """The pictures of two reports.

    Attributes
    ----------
    image : the image that changes most from the first model's decoded mean code.
    images : strips of the same originals, and what each model reconstructs of them, with a label.
    units : matched units on the same images; `limit` is that of their one signed scale.
    curves : R² with the first k units of each, and of PCA; None where there is none.
    curve_keys : the curves' CSS classes and names.
    """

    image: ImageBeside | None = None
    images: tuple[tuple[str, Strip], ...] = ()
    units: tuple[UnitsBeside, ...] = ()
    limit: float = 0.0
    curves: Chart | None = None
    curve_keys: tuple[tuple[str, str], ...] = ()


def pictures_of(
    first: Source, second: Source, units: Sequence[MatchedUnit], drawing: Drawing
) -> PairPictures:
    """Draw two reports side by side; of other images, or without results.npz, the curves alone."""
    curves, keys = _curves(first, second)
    answers = [source.results.answers.of(Contributions) for source in (first, second)]
    one, two = answers
    drawable = same_images(first, second) and first.has_pictures and second.has_pictures
    if one is None or two is None or not drawable or not one.shares or not two.shares:
        return PairPictures(curves=curves, curve_keys=keys)
    common = [name for name in one.picture_names if name in two.picture_names]
    places = [(one.picture_names.index(name), two.picture_names.index(name)) for name in common][
        :MOST_IMAGES
    ]
    if not places:
        return PairPictures(curves=curves, curve_keys=keys)
    beside, limit = _units(one, two, units, places, drawing)
    along = [by_direction(source.results) for source in (first, second)]
    ways = [each for each in along if each is not None and each.leads]
    return PairPictures(
        image=_image(one, two, ways if len(ways) == 2 else [one, two], places, drawing),
        images=tuple(_images(first, second, one, two, places, drawing)),
        units=beside,
        limit=limit,
        curves=curves,
        curve_keys=keys,
    )


def _image(
    one: Contributions,
    two: Contributions,
    ways: Sequence[Contributions | DirectionContributions],
    places: list[tuple[int, int]],
    drawing: Drawing,
) -> ImageBeside:
    """The image taken apart by each report's own units, or its own directions."""
    changes = [np.square(one.reconstructions[p] - one.starts()[p]).sum() for p, _ in places]
    mine, theirs = places[int(np.argmax(changes))]
    by_way = [parts_of(way, place) for way, place in zip(ways, (mine, theirs), strict=True)]
    parts = on_one_scale(*by_way, in_colour=drawing.in_colour)
    limit = drawing.limit(parts[0].shown(), parts[1].shown())
    painter = Painter(drawing, limit, one.picture_names[mine])
    sums = [
        painter.total(
            painter.image(result.reconstructions[place], "reconstruction"),
            painter.image(result.starts()[place], "mean code"),
            part,
        )
        for result, place, part in ((one, mine, parts[0]), (two, theirs, parts[1]))
    ]
    original = painter.image(one.originals[mine], "original")
    by = "unit" if isinstance(ways[0], Contributions) else "direction"
    return ImageBeside(one.picture_names[mine], original, limit, sums[0], sums[1], by)


def _images(
    first: Source,
    second: Source,
    one: Contributions,
    two: Contributions,
    places: list[tuple[int, int]],
    drawing: Drawing,
) -> list[tuple[str, Strip]]:
    mine, theirs = [p for p, _ in places], [p for _, p in places]
    names = numbers.listed(one.picture_names[p] for p in mine)
    rows = (
        ("original", one.originals[mine]),
        (first.name, one.reconstructions[mine]),
        (second.name, two.reconstructions[theirs]),
    )
    return [
        (label, Strip(drawing.strip(drawing.images(images)), f"{label}: {names}."))
        for label, images in rows
    ]


def _units(
    one: Contributions,
    two: Contributions,
    units: Sequence[MatchedUnit],
    places: list[tuple[int, int]],
    drawing: Drawing,
) -> tuple[tuple[UnitsBeside, ...], float]:
    mine, theirs = [p for p, _ in places], [p for _, p in places]
    columns = [{share.unit: k for k, share in enumerate(r.shares)} for r in (one, two)]
    chosen = [
        unit
        for unit in units
        if unit.partner and unit.first in columns[0] and unit.second in columns[1]
    ][:MOST_PAIRS]
    drawn = [
        (one.pictures[mine, columns[0][unit.first]], two.pictures[theirs, columns[1][unit.second]])
        for unit in chosen
    ]
    if not drawn:
        return (), 0.0
    limit = drawing.limit(*(part for pair in drawn for part in pair))
    beside = []
    for unit, (left, right) in zip(chosen, drawn, strict=True):
        title = f"{unit.first_name} and {unit.second_name}, r {numbers.signed(unit.r.value)}"
        strips = [
            Strip(
                drawing.strip(drawing.differences(part, limit)),
                alt=f"Contributions of unit {name} to {len(part)} images.",
                limit=limit,
            )
            for part, name in ((left, unit.first_name), (right, unit.second_name))
        ]
        beside.append(UnitsBeside(title, strips[0], strips[1]))
    return tuple(beside), limit


def _curves(first: Source, second: Source) -> tuple[Chart | None, tuple[tuple[str, str], ...]]:
    results = [source.results.answers.of(PartialReconstruction) for source in (first, second)]
    one, two = results
    if one is None or two is None:
        return None, ()
    curves = [_curve("pca", one.pca_r2)] if same_images(first, second) else []
    curves += [_curve("model", one.model_r2), _curve("other", two.model_r2)]
    keys: tuple[tuple[str, str], ...] = (("model", first.name), ("other", second.name))
    if same_images(first, second):
        keys += (("pca", "PCA"),)
    return line_chart(curves, "units or components used, k", "R² on test images", top=1.0), keys


def _curve(kind: CurveKind, estimates: Sequence[object]) -> Curve:
    value, low, high = (
        np.array([getattr(e, end) for e in estimates]) for end in ("value", "low", "high")
    )
    return Curve(kind, np.arange(len(estimates)), value, low, high, marked=len(estimates) <= 40)
