"""Code book: how soon the most frequent words are all of the codes, and what each paints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.code_book import CodeBook
from reportgen.figures.charts import Chart, Curve, line_chart
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.results import Results

TILES_ACROSS = 8
MOSTLY_UNUSED = 0.5
SAME_PICTURE = 0.5


@dataclass(frozen=True)
class View:
    """The curve of held sites over words, the words' pictures by eights, the first's share."""

    curve: Chart
    strips: tuple[Strip, ...]
    busiest: float


def view(result: CodeBook, results: Results, drawing: Drawing) -> View:
    """Words by how often they are held."""
    falling = np.sort(result.counts)[::-1]
    held = np.concatenate([[0], np.cumsum(falling)]) / max(1, int(falling.sum()))
    last = int(np.searchsorted(held, 1 - 1e-9)) + 1
    curve = Curve("model", np.arange(len(held))[: last + 1], held[: last + 1])
    count = len(result.painted)
    starts = range(0, count, TILES_ACROSS)
    return View(
        curve=line_chart([curve], "most frequent words", "share of sites that hold them", top=1.0),
        strips=tuple(_strip(result, drawing, slice(s, s + TILES_ACROSS)) for s in starts),
        busiest=float(held[1]) if len(held) > 1 else float("nan"),
    )


def _strip(result: CodeBook, drawing: Drawing, some: slice) -> Strip:
    words = result.painted[some]
    shares = [numbers.percent(float(result.counts[w] / result.counts.sum())) for w in words]
    listed = ", ".join(f"{w} ({s})" for w, s in zip(words, shares, strict=True))
    return Strip(
        drawing.strip(drawing.images(result.patches[some])),
        f"Mean patch of the words {listed}, with the share of sites that hold each.",
        tuple(f"{w} {s}" for w, s in zip(words, shares, strict=True)),
    )


def limits(result: CodeBook, results: Results) -> Iterator[str]:
    """Words that nobody uses, and words that paint different things in different places."""
    if result.length < result.channels:
        yield (
            f"Words fill channels {result.start} to {result.start + result.length - 1} of the "
            f"code's {result.channels}; what the others hold is no word, and paints too."
        )
    if result.unused > MOSTLY_UNUSED * result.words:
        yield (
            f"{numbers.count(result.unused)} of {numbers.count(result.words)} words are held by "
            f"none of these {numbers.count(result.rows)} images."
        )
    if result.explained.high < SAME_PICTURE:
        yield (
            f"A site's word explains {numbers.plain(result.explained, 'percent')} of its patch: "
            "what is painted there depends on its neighbours or its place too, and a mean patch "
            "shows little of it."
        )
