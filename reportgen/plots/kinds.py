"""The figures that there are, each from the answer to one question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from reportgen.analyses.contributions import Contributions
from reportgen.analyses.partial_reconstruction import PartialReconstruction
from reportgen.analyses.traversal import Traversal
from reportgen.errors import FigureError
from reportgen.figures.colours import ANCHOR_COLOURS
from reportgen.plots.pictures import PicturePainter, limit_of
from reportgen.report import numbers
from reportgen.report.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PARTS, MOST_FRAMES, MOST_UNITS = 6, 11, 32
BLUE, ORANGE = (tuple(level / 255 for level in ANCHOR_COLOURS[place]) for place in (0, 3))
PICTURE_ROW, CHART, BAR = 0.3, 0.62, 0.05


def contributions(figure: Figure, results: Results, image: int | str = 0) -> None:
    """One image as the decoded mean code and its largest parts, and PCA's below it."""
    found = _answer(results, Contributions, "contributions")
    place = _place(image, found.picture_names, "image")
    order = np.argsort(-np.abs(found.row_shares[place]), kind="stable")[:MOST_PARTS]
    pca_order = np.argsort(-found.pca_row_shares[place], kind="stable")[:MOST_PARTS]
    limit = limit_of(found.pictures[place], found.pca_pictures[place])
    _sized(figure, 2 * PICTURE_ROW)
    painter = PicturePainter(results.provenance.picture_shape, results.pixel_range)
    axes = figure.subplots(2, 3 + max(len(order), len(pca_order)), squeeze=False)
    for each in axes.flat:
        each.set_axis_off()
    painter.image(axes[0, 0], found.originals[place], "image")
    painter.image(axes[0, 1], found.reconstructions[place], "model")
    painter.image(axes[0, 2], found.starts()[place], "mean\ncode")
    for column, part in enumerate(order, start=3):
        share = numbers.percent(found.row_shares[place, part], digits=2)
        name = found.shares[part].name
        title = f"{name if name == 'rest' else f'unit {name}'}\n{share}"
        painter.difference(axes[0, column], found.pictures[place, part], limit, title)
    pca = found.pca_mean + found.pca_pictures[place].sum(axis=0)
    painter.image(axes[1, 1], pca, "PCA")
    painter.image(axes[1, 2], found.pca_mean, "mean\nimage")
    for column, part in enumerate(pca_order, start=3):
        share = numbers.percent(found.pca_row_shares[place, part], digits=2)
        title = f"PC {part + 1}\n{share}"
        painter.difference(axes[1, column], found.pca_pictures[place, part], limit, title)


def walk(figure: Figure, results: Results, unit: int | str | None = None, image: int = 0) -> None:
    """One unit moved through its range on the data, the others held at an image's values."""
    found = _answer(results, Traversal, "traversal")
    place = 0 if unit is None else _place(str(unit), found.names, "unit")
    row = _place(image, found.rows, "image")
    frames, values = found.supported.frames[row, place], found.supported.values[row, place]
    shown = np.linspace(0, len(values) - 1, min(len(values), MOST_FRAMES)).round().astype(int)
    _sized(figure, PICTURE_ROW * 0.6)
    painter = PicturePainter(results.provenance.picture_shape, results.pixel_range)
    axes = figure.subplots(1, len(shown), squeeze=False)[0]
    for each, frame in zip(axes, shown, strict=True):
        painter.image(each, frames[frame], numbers.number(values[frame], digits=2))
    figure.suptitle(f"unit {found.names[place]}")


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
