"""Maps of the codes: points and pictures by class, and the walks of the strongest units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from reportgen.analyses.code_map import CodeMap, Map, MapKind
from reportgen.analyses.traversal import Traversal
from reportgen.figures.maps import MapChart, Walked, map_chart
from reportgen.figures.sprites import Sprite
from reportgen.report import numbers
from reportgen.report.drawing import Drawing
from reportgen.report.results import Results

MOST_COLOURS, SHADES = 10, 5
WALKED_UNITS = 6
LITTLE_HELD, LITTLE_TRUST = 0.5, 0.8
TITLES: dict[MapKind, str] = {
    "the code itself": "The code itself",
    "principal axes": "Principal axes",
    "t-SNE": "t-SNE",
}


@dataclass(frozen=True)
class Colour:
    """A colour's number and what it stands for."""

    number: int
    name: str


@dataclass(frozen=True)
class DrawnMap:
    """One map with its title, and its pictures in one sprite."""

    map: Map
    title: str
    chart: MapChart
    sprite: Sprite | None
    label: str


@dataclass(frozen=True)
class View:
    """The maps and what their colours stand for.

    Attributes
    ----------
    maps : in the order of the answer's.
    colours : classes, the most frequent ones where they are more than 10, or fifths of a unit.
    palette : "class" or "shade", whose colours they are.
    unit : name of the unit that colours show; "" where they show classes.
    start : the image from which the walks on the first map start; "" without walks.
    off_data_frames, frames : how many of the walks' codes are flagged, and how many there are.
    """

    maps: tuple[DrawnMap, ...]
    colours: tuple[Colour, ...]
    palette: Literal["class", "shade"]
    unit: str
    start: str
    off_data_frames: int
    frames: int


def view(result: CodeMap, results: Results, drawing: Drawing) -> View:
    """Classes or, without them, the strongest unit's value as colours; walks on the first map."""
    numbered, colours = _by_class(result) if result.classes else _by_unit(result)
    walks = _walks(result, results)
    maps = [
        _drawn(of, numbered, walks if place == 0 else (), drawing)
        for place, of in enumerate(result.maps)
    ]
    walked = results.answers.of(Traversal)
    names = {unit.index: unit.name for unit in results.units}
    return View(
        maps=tuple(maps),
        colours=colours,
        palette="class" if result.classes else "shade",
        unit="" if result.classes else names.get(result.unit, str(result.unit)),
        start=walked.rows[0] if walked is not None and walks else "",
        off_data_frames=sum(int(walk.flagged.sum()) for walk in walks),
        frames=sum(len(walk.flagged) for walk in walks),
    )


def _drawn(of: Map, numbered: np.ndarray, walks: tuple[Walked, ...], drawing: Drawing) -> DrawnMap:
    pictured = of.pictured if drawing.thinning.map_pictures else of.pictured[:0]
    label = f"Map of {len(of.points)} codes by {of.kind}, {len(pictured)} of them as pictures"
    if walks:
        label += f", with the traversals of {numbers.units([walk.name for walk in walks])}"
    return DrawnMap(
        map=of,
        title=TITLES[of.kind],
        chart=map_chart(of.points, numbered, pictured, walks),
        sprite=drawing.thumbnails(of.pictures) if len(pictured) else None,
        label=f"{label}.",
    )


def _by_class(result: CodeMap) -> tuple[np.ndarray, tuple[Colour, ...]]:
    """The most frequent classes have a colour each, numbered as the classes are; the others one."""
    counts = Counter(result.class_of.tolist())
    classes = range(len(result.classes))
    if len(result.classes) <= MOST_COLOURS:
        return result.class_of, tuple(Colour(k, result.classes[k]) for k in classes)
    kept = sorted(sorted(classes, key=lambda k: -counts[k])[: MOST_COLOURS - 1])
    number = {k: place for place, k in enumerate(kept)}
    numbered = np.array([number.get(k, MOST_COLOURS - 1) for k in result.class_of.tolist()])
    colours = [Colour(place, result.classes[k]) for k, place in number.items()]
    others = f"{len(result.classes) - len(kept)} others"
    return numbered, (*colours, Colour(MOST_COLOURS - 1, others))


def _by_unit(result: CodeMap) -> tuple[np.ndarray, tuple[Colour, ...]]:
    """Fifths of the values, lowest first."""
    ends = np.quantile(result.unit_values, np.linspace(0, 1, SHADES + 1))
    shades = np.clip(np.searchsorted(ends[1:-1], result.unit_values, side="right"), 0, SHADES - 1)
    named = [
        f"{numbers.number(float(low))} to {numbers.number(float(high))}"
        for low, high in pairwise(ends)
    ]
    return shades, tuple(Colour(place, name) for place, name in enumerate(named))


def _walks(result: CodeMap, results: Results) -> tuple[Walked, ...]:
    """The full-range walks of the strongest units from the first walk row, on the first map."""
    walked = results.answers.of(Traversal)
    if walked is None:
        return ()
    found = []
    for place, unit in enumerate(walked.units[:WALKED_UNITS]):
        moved = walked.full.values[0, place] - walked.own_values[0, place]
        points = result.walk_starts[0] + moved[:, None] * result.unit_steps[unit]
        if np.ptp(points, axis=0).max() > 0:
            found.append(Walked(walked.names[place], points, walked.full.flagged[0, place]))
    return tuple(found)


def limits(result: CodeMap, results: Results) -> Iterator[str]:
    """A plane that holds little of the code, and a map whose neighbours are none in the code."""
    first = result.maps[0]
    if first.held_variance < LITTLE_HELD:
        yield (
            f"The plane holds {numbers.percent(first.held_variance)} of the codes' variance: what "
            "lies together on it may lie far apart in the code."
        )
    for of in result.maps:
        if of.trustworthiness < LITTLE_TRUST:
            yield (
                f"Trustworthiness of the map by {of.kind} is {numbers.number(of.trustworthiness)}: "
                "many neighbours on it are none in the code."
            )
