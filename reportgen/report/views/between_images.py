"""Lines between two images: the decoded codes, and below them the cross-fade."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.between_images import Between, BetweenImages
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.question import MovedCodes
from reportgen.report.results import Results
from reportgen.report.views.reconstruction import LabelledStrip


@dataclass(frozen=True)
class BetweenView:
    """One pair, its role in words, and its strips: through the code, and the cross-fade."""

    pair: Between
    role: str
    strips: tuple[LabelledStrip, ...]


@dataclass(frozen=True)
class View:
    """All pairs."""

    pairs: tuple[BetweenView, ...]


def view(result: BetweenImages, results: Results, drawing: Drawing) -> View:
    """Both strips at the data's pixel range; flagged frames marked."""
    shown = result.pairs[: drawing.thinning.picture_rows]
    return View(tuple(BetweenView(pair, _role(pair), _strips(pair, drawing)) for pair in shown))


def _role(pair: Between) -> str:
    if pair.chosen == "two classes":
        return f"the nearest pair of two classes, {pair.classes[0]} and {pair.classes[1]}"
    return f"the pair at the {pair.chosen}"


def _strips(pair: Between, drawing: Drawing) -> tuple[LabelledStrip, ...]:
    one, other = pair.names
    marked = ", ".join(str(n + 1) for n in np.flatnonzero(pair.flagged))
    last = len(pair.frames) - 1
    captions = ("x̂", *(f"{place / last:.3g}" for place in range(1, last)), "x̂")
    through = Strip(
        drawing.strip(drawing.images(pair.frames)),
        f"From {one} to {other} through the code, {len(pair.frames)} frames; "
        + (f"off data: frames {marked}." if marked else "no frame is off data."),
        captions,
        flagged=tuple(bool(flag) for flag in pair.flagged),
    )
    fade = Strip(
        drawing.strip(drawing.images(pair.fades)),
        f"The cross-fade of the two reconstructions; a frame is at most "
        f"{numbers.percent(pair.bend)} of their distance away from it.",
    )
    return LabelledStrip("through the code", through), LabelledStrip("cross-fade", fade)


def moved(result: BetweenImages, results: Results) -> Iterator[MovedCodes]:
    """The frames between the images."""
    yield MovedCodes("codes between two images", result.off_data_share)
