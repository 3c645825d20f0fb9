"""Maps: points in two dimensions, some of them pictures, and lines that walk between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reportgen.figures.axes import Axis

WIDTH, HEIGHT, MARGIN = 640, 480, 24
TILE = 34.0
CROSS = 3.0


@dataclass(frozen=True)
class Group:
    """Points of one colour: a path of dots; `number` is the colour's."""

    number: int
    dots: str


@dataclass(frozen=True)
class Tile:
    """A picture at its point: its corner, which of the pictures it is, its colour's number."""

    x: float
    y: float
    place: int
    number: int


@dataclass(frozen=True)
class Track:
    """A walk: its line, dots for its frames and crosses for those off data, and where it ends.

    Attributes
    ----------
    name : printed at the end.
    line, dots, crosses : paths.
    end : (x, y, anchor) of the name.
    """

    name: str
    line: str
    dots: str
    crosses: str
    end: tuple[float, float, str]


@dataclass(frozen=True)
class MapChart:
    """A map in a box of width × height; pictures are `tile` wide and high."""

    width: int
    height: int
    tile: float
    groups: tuple[Group, ...]
    tiles: tuple[Tile, ...]
    tracks: tuple[Track, ...]


@dataclass(frozen=True)
class Walked:
    """A walk's frames (f, 2) in the map's coordinates, and whether each is off data."""

    name: str
    points: np.ndarray
    flagged: np.ndarray


def map_chart(
    points: np.ndarray, numbers: np.ndarray, pictured: np.ndarray, walks: Sequence[Walked] = ()
) -> MapChart:
    """Points (n, 2) by the numbers (n,) of their colours; those `pictured` (p,) are pictures.

    Both axes have one scale, so that distances can be compared.
    """
    x_axis, y_axis = _axes(np.concatenate([points, *(walk.points for walk in walks)]))
    at = np.array([(x_axis(x), y_axis(y)) for x, y in points])
    shown = set(pictured.tolist())
    alone = [place for place in range(len(points)) if place not in shown]
    groups = tuple(
        Group(number, _dots(at[[p for p in alone if numbers[p] == number]]))
        for number in sorted({int(numbers[p]) for p in alone})
    )
    tiles = tuple(
        Tile(
            round(float(at[p, 0]) - TILE / 2, 1),
            round(float(at[p, 1]) - TILE / 2, 1),
            place,
            int(numbers[p]),
        )
        for place, p in enumerate(pictured.tolist())
    )
    tracks = tuple(_track(walk, x_axis, y_axis) for walk in walks)
    return MapChart(WIDTH, HEIGHT, TILE, groups, tiles, tracks)


def _axes(points: np.ndarray) -> tuple[Axis, Axis]:
    """Axes of one scale around the middle of all points."""
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.array([WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN])
    scale = float(((high - low) / room).max()) or 1.0
    middle, half = (low + high) / 2, scale * room / 2
    (left, bottom), (right, top) = middle - half, middle + half
    return (
        Axis(left, right, MARGIN, WIDTH - MARGIN),
        Axis(bottom, top, HEIGHT - MARGIN, MARGIN),
    )


def _track(walk: Walked, x_axis: Axis, y_axis: Axis) -> Track:
    at = np.array([(x_axis(x), y_axis(y)) for x, y in walk.points])
    x, y = at[-1]
    before = at[0, 0] > x
    return Track(
        name=walk.name,
        line="M" + "L".join(f"{_short(a)} {_short(b)}" for a, b in (at[0], at[-1])),
        dots=_dots(at[~walk.flagged]),
        crosses="".join(
            f"M{_short(a - CROSS)} {_short(b - CROSS)}l{2 * CROSS:g} {2 * CROSS:g}"
            f"m0 -{2 * CROSS:g}l-{2 * CROSS:g} {2 * CROSS:g}"
            for a, b in at[walk.flagged]
        ),
        end=(
            round(float(x) + (-6 if before else 6), 1),
            round(float(y) + 4, 1),
            "end" if before else "start",
        ),
    )


def _dots(points: np.ndarray) -> str:
    """A path of dots; those that coincide at a tenth of a unit are drawn once."""
    return "".join(
        f"M{_short(a)} {_short(b)}h0" for a, b in sorted({tuple(p) for p in points.tolist()})
    )


def _short(coordinate: float) -> str:
    return f"{coordinate:.1f}".removesuffix(".0")
