"""The figures that there are, each from the answer to one question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from reportgen.analyses.contributions import Contributions
from reportgen.analyses.direction_contributions import DirectionContributions
from reportgen.analyses.direction_moves import DirectionMoves
from reportgen.analyses.partial_reconstruction import PartialReconstruction
from reportgen.analyses.traversal import Traversal
from reportgen.errors import FigureError
from reportgen.figures.colours import ANCHOR_COLOURS
from reportgen.figures.tiles import is_in_colour
from reportgen.plots.pictures import PicturePainter, limit_of
from reportgen.report import numbers
from reportgen.report.image_parts import (
    Parts,
    by_direction,
    on_one_scale,
    parts_of,
    pca_parts,
)
from reportgen.report.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_FRAMES, MOST_UNITS = 11, 32
BLUE, ORANGE = (tuple(level / 255 for level in ANCHOR_COLOURS[place]) for place in (0, 3))
PICTURE_ROW, CHART, BAR = 0.3, 0.62, 0.05


def contributions(
    figure: Figure, results: Results, image: int | str = 0, by: str | None = None
) -> None:
    """One image as the decoded mean code and its largest parts, and PCA's below it.

    By "unit" or by "direction"; by what comes first on the page where nothing is said.
    """
    found = _answer(results, Contributions, "contributions")
    place = _place(image, found.picture_names, "image")
    parts, pca = on_one_scale(
        parts_of(_taken_apart(results, found, by), place),
        pca_parts(found, results, place),
        in_colour=is_in_colour(results.provenance.picture_shape[0]),
    )
    limit = limit_of(parts.shown(), pca.shown())
    _sized(figure, 2 * PICTURE_ROW)
    painter = PicturePainter(results.provenance.picture_shape, results.pixel_range)
    columns = max(len(each.largest()) + (len(each.others()) > 0) for each in (parts, pca))
    axes = figure.subplots(2, 3 + columns, squeeze=False)
    for each in axes.flat:
        each.set_axis_off()
    painter.image(axes[0, 0], found.originals[place], "image")
    painter.image(axes[0, 1], found.reconstructions[place], "model")
    painter.image(axes[0, 2], found.starts()[place], "mean\ncode")
    by_pca = found.pca_mean + found.pca_pictures[place].sum(axis=0)
    painter.image(axes[1, 1], by_pca, "PCA")
    painter.image(axes[1, 2], found.pca_mean, "mean\nimage")
    for row, each in enumerate((parts, pca)):
        _draw_parts(axes[row, 3:], painter, each, limit)


def _taken_apart(
    results: Results, by_unit: Contributions, by: str | None
) -> Contributions | DirectionContributions:
    along = by_direction(results)
    if by not in (None, "unit", "direction"):
        raise FigureError(f'contributions are by "unit" or by "direction", not by {by}.')
    if by == "direction" and along is None:
        raise FigureError("these results have no contributions of directions.")
    if along is None or by == "unit":
        return by_unit
    return along if by == "direction" or along.leads else by_unit


def _draw_parts(axes: Any, painter: PicturePainter, parts: Parts, limit: float) -> None:
    """The largest parts, then the others as one, or in words where nothing of them can be seen."""
    for each, place in zip(axes, parts.largest(), strict=False):
        title = _part_title(parts.names[place], parts.shares[place])
        painter.difference(each, parts.pictures[place], limit, title)
    others = parts.others()
    if not len(others):
        return
    last, picture = axes[len(parts.largest())], parts.together()
    title = _part_title(parts.name_of_others(), parts.shares[others].sum())
    if picture is not None:
        painter.difference(last, picture, limit, title)
    else:
        last.set_title(title)
        last.text(0.5, 0.5, "too faint\nto see", ha="center", va="center", transform=last.transAxes)


def _part_title(name: str, share: float) -> str:
    """The name, of a direction in two lines, and the share."""
    lines = name.split(" ") if name.startswith("direction ") else [name]
    return "\n".join([*lines, numbers.percent(share, digits=2)])


def walk(
    figure: Figure,
    results: Results,
    unit: int | str | None = None,
    image: int | str = 0,
    direction: int | None = None,
) -> None:
    """One unit moved through its range on the data, the others held at an image's values.

    Or the medoid moved along a direction, 2 sd of it to both sides.
    """
    if direction is not None:
        moves = _answer(results, DirectionMoves, "direction_moves")
        place = _place(
            direction - 1, tuple(str(n + 1) for n in range(len(moves.frames))), "direction"
        )
        _draw_walk(figure, results, moves.frames[place], moves.lengths[place])
        figure.suptitle(f"direction {direction}, in sd")
        return
    found = _answer(results, Traversal, "traversal")
    place = 0 if unit is None else _place(str(unit), found.names, "unit")
    row = _place(image, found.rows, "image")
    _draw_walk(
        figure, results, found.supported.frames[row, place], found.supported.values[row, place]
    )
    figure.suptitle(f"unit {found.names[place]}")


def _draw_walk(figure: Figure, results: Results, frames: np.ndarray, values: np.ndarray) -> None:
    chosen = np.linspace(0, len(values) - 1, min(len(values), MOST_FRAMES))
    _sized(figure, PICTURE_ROW * 0.6)
    painter = PicturePainter(results.provenance.picture_shape, results.pixel_range)
    axes = figure.subplots(1, len(chosen), squeeze=False)[0]
    for each, frame in zip(axes, chosen.round().astype(int), strict=True):
        painter.image(each, frames[frame], numbers.number(values[frame], digits=2))


def partial_reconstruction(figure: Figure, results: Results) -> None:
    """R² of images rebuilt from the first k units, and from as many of PCA's components."""
    found = _answer(results, PartialReconstruction, "partial_reconstruction")
    _sized(figure, CHART)
    axes = figure.subplots()
    for estimates, label, colour in (
        (found.model_r2, "units, in order of share", BLUE),
        (found.pca_r2, "components of PCA", ORANGE),
    ):
        steps = np.arange(len(estimates))
        lows, highs = ([getattr(e, end) for e in estimates] for end in ("low", "high"))
        axes.fill_between(steps, lows, highs, color=colour, alpha=0.2, linewidth=0)
        axes.plot(steps, [e.value for e in estimates], color=colour, label=label, linewidth=1)
    axes.set_xlabel("units or components")
    axes.set_ylabel("R²")
    axes.legend(frameon=False)
    _without_box(axes)


def units(figure: Figure, results: Results) -> None:
    """Each unit's share of the change, largest first, with its 95 % interval."""
    shared = [unit for unit in results.units if unit.share is not None][:MOST_UNITS]
    if not shared:
        raise FigureError("units cannot be drawn: no shares were measured in these results.")
    _sized(figure, max(CHART / 2, BAR * len(shared)))
    axes = figure.subplots()
    places = np.arange(len(shared))
    values = np.array([100 * unit.share.value for unit in shared if unit.share])
    ends = np.array([(unit.share.low, unit.share.high) for unit in shared if unit.share]) * 100
    axes.barh(places, values, color=BLUE, height=0.6)
    axes.hlines(places, ends[:, 0], ends[:, 1], color=ORANGE, linewidth=1)
    axes.set_yticks(places, [unit.name for unit in shared])
    axes.invert_yaxis()
    axes.set_xlabel("share of the change, %")
    axes.set_ylabel("unit")
    _without_box(axes)


def _answer(results: Results, kind: type[Any], name: str) -> Any:
    found = results.answers.of(kind)
    if found is None:
        reasons = results.not_applicable | results.unanswered | results.failures
        reason = reasons.get(name, "these results do not hold it.").rstrip(".")
        raise FigureError(f"{numbers.words(name)} cannot be drawn: {reason}.")
    return found


def _place(wanted: int | str, names: tuple[str, ...], noun: str) -> int:
    """A place by its number or name. Raises FigureError, with those that there are."""
    if isinstance(wanted, int) and 0 <= wanted < len(names):
        return wanted
    if wanted in names:
        return names.index(str(wanted))
    raise FigureError(
        f"there is no picture of {noun} {wanted}; pictured are {numbers.listed(names)}."
    )


def _sized(figure: Figure, height: float) -> None:
    """Give the figure a height, as a part of its width."""
    width = float(figure.get_figwidth())
    figure.set_size_inches(width, max(0.4, height * width))


def _without_box(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
