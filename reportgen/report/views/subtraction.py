"""Zero and subtract: both ablations' difference pictures, each beside its contribution."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.reconstruction import Reconstruction
from reportgen.analyses.subtraction import Subtraction
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.question import ONE_AT_MEAN, ONE_AT_ZERO, MovedCodes
from reportgen.report.results import Results
from reportgen.report.views.reconstruction import LabelledStrip


@dataclass(frozen=True)
class View:
    """The originals where they are known, then four strips over the picture rows on one signed
    scale; and the picture of the zero code.
    """

    strips: tuple[LabelledStrip, ...]
    zero: Strip
    limit: float


def view(result: Subtraction, results: Results, drawing: Drawing) -> View:
    """The strongest unit on every picture row, each ablation above what it is held against."""
    limit = drawing.limit(result.zeroed, result.averaged, result.from_zero, result.from_mean)
    names = ", ".join(result.picture_names)
    shown = results.answers.of(Reconstruction)
    same = shown is not None and shown.picture_names == result.picture_names
    over = f"over {result.rows} images and all units"
    rows = (
        (
            "x̂ − (unit set to 0)",
            result.zeroed,
            f"{over} these miss {numbers.plain(result.miss_zero, 'percent')}",
        ),
        ("contribution from the zero code", result.from_zero, "adds up with the other units'"),
        (
            "x̂ − (unit set to its mean)",
            result.averaged,
            f"{over} these miss {numbers.plain(result.miss_mean, 'percent')}",
        ),
        ("contribution from the mean code", result.from_mean, "adds up with the other units'"),
    )
    return View(
        strips=(
            *(_originals(shown.originals, names, drawing) if shown and same else ()),
            *(
                LabelledStrip(
                    label,
                    Strip(
                        drawing.strip(drawing.differences(pictures, limit)),
                        f"{label} on ±{numbers.number(limit)} ({what}), for {names}.",
                        limit=limit,
                    ),
                )
                for label, pictures, what in rows
            ),
        ),
        zero=Strip(
            drawing.strip(drawing.images(result.zero_image)), "What the decoder makes of zeros."
        ),
        limit=limit,
    )


def _originals(originals: np.ndarray, names: str, drawing: Drawing) -> tuple[LabelledStrip]:
    strip = Strip(drawing.strip(drawing.images(originals)), f"The originals: {names}.")
    return (LabelledStrip("original", strip),)


def moved(result: Subtraction, results: Results) -> Iterator[MovedCodes]:
    """One unit set to zero, or to its mean."""
    yield MovedCodes(ONE_AT_ZERO, result.off_data_zero)
    yield MovedCodes(ONE_AT_MEAN, result.off_data_mean)
