"""Charts as coordinates: all that `templates/_charts.html.j2` needs to write SVG, and no more.

Coordinates are rounded to a tenth of a unit; text and colours are the templates'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from reportgen.figures.axes import Axis, Tick, axis_over

WIDTH, HEIGHT = 440, 280
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 12, 40
BAR_LENGTH = 100.0

CurveKind = Literal["model", "pca", "other"]


@dataclass(frozen=True)
class Line:
    """One curve: `points` for a polyline, `band` a closed path around it or "", `marks` its dots.

    `kind` is the CSS class that gives it its colour.
    """

    kind: CurveKind
    points: str
    band: str
    marks: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Chart:
    """A plot area with axes.

    Attributes
    ----------
    width, height : of the view box; left, right, top, bottom the edges of the plot area.
    x_ticks, y_ticks : marks; x_label, y_label the axes' titles.
    lines : curves; cloud a path of dots, or "".
    mark : (x, y, label) of a point that is named, with a line down to the x axis; or None.
    zero : y coordinate of the value 0 where it lies inside the plot, or None.
    diagonal : whether the line of equal x and y is drawn.
    """

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    cloud: str
    mark: tuple[float, float, str] | None
    zero: float | None
    diagonal: bool


@dataclass(frozen=True)
class Curve:
    """Data of one curve: x, y, and optionally an interval around each y; `marked` shows dots."""

    kind: CurveKind
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    marked: bool = False


def line_chart(
    curves: Sequence[Curve],
    x_label: str,
    y_label: str,
    *,
    top: float,
    mark: tuple[float, float, str] | None = None,
) -> Chart:
    """Curves over a common x, in whole ticks where it counts; y from at most 0 to at least `top`.

    `mark` is a point (x, y) with its label; one outside the plot is left out.
    """
    every = np.concatenate([c.x for c in curves])
    counts = bool(np.all(every == np.rint(every)))
    x_axis = axis_over(every, LEFT, WIDTH - RIGHT)
    heights = np.concatenate([part for c in curves for part in (c.y, c.low, c.high) if _has(part)])
    y_axis = axis_over(np.append(heights, top), HEIGHT - BOTTOM, TOP)
    lines = tuple(_line(curve, x_axis, y_axis) for curve in curves)
    if mark is not None:
        x, y, label = mark
        inside = x_axis.low <= x <= x_axis.high and y_axis.low <= y <= y_axis.high
        mark = (x_axis(x), y_axis(y), label) if inside else None
    return _chart(x_axis, y_axis, x_label, y_label, lines=lines, mark=mark, whole=counts)


def scatter_chart(
    x: np.ndarray, y: np.ndarray, x_label: str, y_label: str, *, equal_axes: bool = False
) -> Chart:
    """A cloud of dots; dots that coincide at a tenth of a unit are drawn once."""
    together = np.concatenate([x, y])
    x_axis = axis_over(together if equal_axes else x, LEFT, WIDTH - RIGHT)
    y_axis = axis_over(together if equal_axes else y, HEIGHT - BOTTOM, TOP)
    known = np.isfinite(x) & np.isfinite(y)
    dots = sorted({(x_axis(a), y_axis(b)) for a, b in zip(x[known], y[known], strict=True)})
    cloud = "".join(f"M{_short(a)} {_short(b)}h0" for a, b in dots)
    return _chart(x_axis, y_axis, x_label, y_label, cloud=cloud, diagonal=equal_axes)


@dataclass(frozen=True)
class Histogram:
    """Bars as one path; marks are x coordinates of named values; ticks below."""

    width: int
    height: int
    bottom: float
    bars: str
    marks: tuple[tuple[float, str], ...]
    ticks: tuple[Tick, ...]


def histogram(
    counts: np.ndarray, edges: np.ndarray, marks: Sequence[tuple[float, str]], *, height: int = 120
) -> Histogram:
    """Counts (b,) between edges (b + 1,); marks (value, name) outside the edges are left out."""
    width, bottom = WIDTH, height - 18.0
    axis = axis_over(np.asarray(edges), 6, width - 6.0, include=float(edges[0]))
    rise = (bottom - 4) / max(1, int(np.max(counts)))
    bars = "".join(
        f"M{_short(axis(a))} {_short(bottom)}V{_short(bottom - rise * n)}"
        f"H{_short(axis(b))}V{_short(bottom)}z"
        for n, a, b in zip(counts, edges[:-1], edges[1:], strict=True)
        if n
    )
    inside = tuple((axis(v), name) for v, name in marks if edges[0] <= v <= edges[-1])
    return Histogram(width, height, bottom, bars, inside, axis.ticks(4))


@dataclass(frozen=True)
class IntervalBar:
    """A bar from 0 to a value with its interval, on a scale of 0 to 100."""

    start: float
    length: float
    low: float
    high: float


def interval_bar(value: float, low: float, high: float, limit: float) -> IntervalBar:
    """A bar for one number among others of which the largest is `limit`; negative ones are 0."""
    axis = Axis(0.0, limit if limit > 0 else 1.0, 0.0, BAR_LENGTH)
    ends = [axis(end) if np.isfinite(end) else 0.0 for end in (value, low, high)]
    return IntervalBar(0.0, ends[0], ends[1], ends[2])


def stacked_bar(parts: Sequence[float]) -> tuple[IntervalBar, ...]:
    """Parts of a whole laid end to end; negative parts have no length."""
    lengths = np.maximum(np.nan_to_num(np.asarray(parts, dtype=np.float64)), 0)
    total = lengths.sum() or 1.0
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return tuple(
        IntervalBar(*(round(float(100 * v / total), 2) for v in (start, length, start, start)))
        for start, length in zip(starts, lengths, strict=True)
    )


@dataclass(frozen=True)
class DotRow:
    """One line of a dot plot: coordinates of two numbers with their intervals, or None."""

    y: float
    label: str
    first: tuple[float, float, float] | None
    second: tuple[float, float, float] | None


@dataclass(frozen=True)
class DotPlot:
    """Dots for two numbers in [0, 1] of each of several units, one line a unit."""

    width: int
    height: int
    left: float
    right: float
    bottom: float
    rows: tuple[DotRow, ...]
    ticks: tuple[Tick, ...]


def dot_plot(
    labels: Sequence[str],
    first: Sequence[tuple[float, float, float]],
    second: Sequence[tuple[float, float, float]],
) -> DotPlot:
    """(value, low, high) twice for each label, on an axis from 0 to 1; undefined ones are left out.

    Values below 0 are drawn at 0.
    """
    pitch, left, right = 22, 64.0, WIDTH - 14.0
    axis = Axis(0.0, 1.0, left, right)
    height = pitch * len(labels) + 34
    rows = tuple(
        DotRow(pitch * (place + 0.5) + 4, label, _dots(axis, one), _dots(axis, two))
        for place, (label, one, two) in enumerate(zip(labels, first, second, strict=True))
    )
    return DotPlot(WIDTH, height, left, right, height - 24.0, rows, axis.ticks(5))


def _dots(axis: Axis, ends: tuple[float, float, float]) -> tuple[float, float, float] | None:
    if not np.isfinite(ends[0]):
        return None
    value, low, high = (axis(end) if np.isfinite(end) else axis(ends[0]) for end in ends)
    return value, low, high


def _line(curve: Curve, x_axis: Axis, y_axis: Axis) -> Line:
    known = np.isfinite(curve.y)
    points = [(x_axis(a), y_axis(b)) for a, b in zip(curve.x[known], curve.y[known], strict=True)]
    band = ""
    if curve.low is not None and curve.high is not None:
        known = np.isfinite(curve.low) & np.isfinite(curve.high)
        x, upper, lower = curve.x[known], curve.high[known], curve.low[known]
        outline = [
            *((x_axis(a), y_axis(b)) for a, b in zip(x, upper, strict=True)),
            *((x_axis(a), y_axis(b)) for a, b in zip(x[::-1], lower[::-1], strict=True)),
        ]
        if outline:
            band = "M" + "L".join(_pair(point) for point in outline) + "z"
    marks = tuple(points) if curve.marked else ()
    return Line(curve.kind, " ".join(f"{_short(a)},{_short(b)}" for a, b in points), band, marks)


def _chart(
    x_axis: Axis,
    y_axis: Axis,
    x_label: str,
    y_label: str,
    *,
    lines: tuple[Line, ...] = (),
    cloud: str = "",
    mark: tuple[float, float, str] | None = None,
    diagonal: bool = False,
    whole: bool = False,
) -> Chart:
    inside = y_axis.low < 0 < y_axis.high
    return Chart(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
        x_ticks=x_axis.ticks(6, whole=whole),
        y_ticks=y_axis.ticks(5),
        x_label=x_label,
        y_label=y_label,
        lines=lines,
        cloud=cloud,
        mark=mark,
        zero=y_axis(0) if inside else None,
        diagonal=diagonal,
    )


def _has(part: np.ndarray | None) -> bool:
    return part is not None


def _pair(point: tuple[float, float]) -> str:
    return f"{_short(point[0])} {_short(point[1])}"


def _short(coordinate: float) -> str:
    return f"{coordinate:.1f}".removesuffix(".0")
