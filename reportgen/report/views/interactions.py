"""Interactions: energy by order as one bar, the heat map as a table, the strongest pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.interactions import Interactions, PairPictures
from reportgen.figures.charts import IntervalBar, stacked_bar
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.question import MovedCodes
from reportgen.report.results import Results
from reportgen.report.views.reconstruction import LabelledStrip

LEVELS = 10


# Of the largest value of a picture beside it: half a step of the 256 that a pixel has.
BLANK = 1 / 512


@dataclass(frozen=True)
class Cell:
    """One entry of the heat map: its share, its level 0 … 10, whether it is a main effect."""

    share: float
    level: int
    main: bool


@dataclass(frozen=True)
class PairView:
    """One pair's pictures."""

    pair: PairPictures
    strips: tuple[LabelledStrip, ...]
    limit: float


@dataclass(frozen=True)
class View:
    """Bar by order, heat map and the pairs whose units change something only together."""

    orders: tuple[IntervalBar, ...]
    cells: tuple[tuple[Cell, ...], ...]
    pairs: tuple[PairView, ...]


def view(result: Interactions, results: Results, drawing: Drawing) -> View:
    """Levels of pairs are relative to the largest pair; main effects are printed, not coloured."""
    matrix = result.matrix
    off_diagonal = matrix[~np.eye(len(matrix), dtype=bool)]
    largest = float(off_diagonal.max()) if off_diagonal.size and off_diagonal.max() > 0 else 1.0
    return View(
        orders=stacked_bar([share.value for share in result.order_shares]),
        cells=tuple(
            tuple(_cell(float(entry), largest, j == k) for k, entry in enumerate(row))
            for j, row in enumerate(matrix)
        ),
        pairs=tuple(
            _pair(pair, result.picture_names, drawing)
            for pair in result.pairs
            if np.abs(pair.interaction).max() > BLANK * np.abs(pair.both).max()
        ),
    )


def _cell(share: float, largest: float, main: bool) -> Cell:
    return Cell(share, 0 if main else round(LEVELS * min(share / largest, 1.0)), main)


def _pair(pair: PairPictures, names: tuple[str, ...], drawing: Drawing) -> PairView:
    parts = (pair.first, pair.second, pair.both, pair.interaction)
    limit = drawing.limit(*parts)
    captions = (f"unit {pair.names[0]}", f"unit {pair.names[1]}", "both", "only together")
    return PairView(
        pair=pair,
        strips=tuple(
            LabelledStrip(
                name,
                Strip(
                    drawing.strip(*(drawing.differences(part[row], limit) for part in parts)),
                    f"{name}: change by unit {pair.names[0]} alone, by unit {pair.names[1]} alone, "
                    f"by both, and what appears only when both move, on ±{numbers.number(limit)}; "
                    f"over all images the pair's share is {numbers.plain(pair.share, 'percent')}.",
                    captions,
                    limit=limit,
                ),
            )
            for row, name in enumerate(names)
        ),
        limit=limit,
    )


def limits(result: Interactions, results: Results) -> Iterator[str]:
    """The weakest units as one."""
    if -1 in result.units:
        yield "The weakest units move as one, so interactions among them count as one unit's own."


def moved(result: Interactions, results: Results) -> Iterator[MovedCodes]:
    """Coalitions."""
    yield MovedCodes("mixed codes", result.off_data_share)
