"""Failures of the model: errors by class as bars, the worst and the best images with residuals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reportgen.analyses.errors import ClassErrors, Errors, ExtremeImages
from reportgen.figures.charts import IntervalBar, interval_bar
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.results import Results
from reportgen.report.views.reconstruction import LabelledStrip

MOST_CLASSES = 20
LARGE_SHARE = 0.25
FEW_OF_A_CLASS = 10


@dataclass(frozen=True)
class ClassRow:
    """A class with the bar of its error."""

    errors: ClassErrors
    bar: IntervalBar


@dataclass(frozen=True)
class View:
    """The classes with the largest errors, and both ends' images on one scale of residuals.

    Attributes
    ----------
    classes : at most 20, largest error first; `left_out` how many more there are.
    worst, best : originals, reconstructions and residuals, a strip each.
    limit : the residuals' scale.
    """

    classes: tuple[ClassRow, ...]
    left_out: int
    worst: tuple[LabelledStrip, ...]
    best: tuple[LabelledStrip, ...]
    limit: float


def view(result: Errors, results: Results, drawing: Drawing) -> View:
    """Bars on the scale of the largest interval; pictures as thumbnails."""
    shown = result.classes[:MOST_CLASSES]
    largest = max((of_class.mse.high for of_class in shown), default=1.0)
    residuals = [end.originals - end.reconstructions for end in (result.worst, result.best)]
    limit = drawing.limit(*residuals)
    return View(
        classes=tuple(
            ClassRow(row, interval_bar(row.mse.value, row.mse.low, row.mse.high, largest))
            for row in shown
        ),
        left_out=len(result.classes) - len(shown),
        worst=_strips(result.worst, "largest", drawing, limit),
        best=_strips(result.best, "smallest", drawing, limit),
        limit=limit,
    )


def _strips(
    end: ExtremeImages, which: str, drawing: Drawing, limit: float
) -> tuple[LabelledStrip, ...]:
    shown = min(len(end.names), drawing.thinning.picture_rows)
    originals, reconstructions = end.originals[:shown], end.reconstructions[:shown]
    names, classes = end.names[:shown], end.classes[:shown]
    errors = [numbers.number(float(error)) for error in end.mse[:shown]]
    named = classes or tuple(name.replace("/", "/\u200b") for name in names)
    whole = [error.replace(" ", numbers.NO_BREAK_SPACE) for error in errors]
    captions = tuple(f"{name} {error}" for name, error in zip(named, whole, strict=True))
    listed = ", ".join(f"{n} ({error})" for n, error in zip(names, errors, strict=True))
    of = f"of the {shown} test images with the {which} squared errors: {listed}"
    residuals = drawing.small_differences(originals - reconstructions, limit)
    scale = f"on ±{numbers.number(limit)}"
    return (
        LabelledStrip(
            "original", Strip(drawing.thumbnails(originals), f"Originals {of}.", captions)
        ),
        LabelledStrip(
            "model",
            Strip(drawing.thumbnails(reconstructions), f"Reconstructions, the {which} errors."),
        ),
        LabelledStrip(
            "residual",
            Strip(
                drawing.strip(residuals),
                f"Residuals {scale}, the {which} errors.",
                limit=limit,
            ),
        ),
    )


def limits(result: Errors, results: Results) -> Iterator[str]:
    """Few images that hold much of the error, and classes of few images."""
    if result.held_by_worst > LARGE_SHARE:
        count = len(result.worst.names)
        yield (
            f"The {count} worst of {numbers.count(result.rows)} images hold "
            f"{numbers.percent(result.held_by_worst)} of all squared error: look at them first."
        )
    few = [of_class.name for of_class in result.classes if of_class.images < FEW_OF_A_CLASS]
    if few:
        yield (
            f"Fewer than {FEW_OF_A_CLASS} test images each: {numbers.listed(few)}. Such a class' "
            "error and its interval say little."
        )
