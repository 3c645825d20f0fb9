"""Draws a figure by its kind, and makes the same file of it each time."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, get_args

from reportgen.analyses.direction_moves import DirectionMoves
from reportgen.analyses.traversal import Traversal
from reportgen.errors import FigureError, nearest
from reportgen.plots import kinds
from reportgen.report.image_parts import by_direction
from reportgen.report.results import Results
from reportgen.report.views.direction_moves import MOST_WALKED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FigureFormat = Literal["pdf", "svg", "png"]
FORMATS: tuple[FigureFormat, ...] = get_args(FigureFormat)
KINDS: dict[str, Callable[..., None]] = {
    "contributions": kinds.contributions,
    "walk": kinds.walk,
    "partial_reconstruction": kinds.partial_reconstruction,
    "units": kinds.units,
}
MILLIMETRES_AN_INCH = 25.4
COLUMN = 85.0
NARROWEST, WIDEST = 20, 1000
# Text stays text, so that it can be found and edited; names in SVG do not depend on chance.
STYLE: dict[Any, Any] = {
    **{"font.size": 7, "axes.titlesize": 6, "figure.titlesize": 7, "axes.linewidth": 0.6},
    **{"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "reportgen"},
}
UNDATED: dict[str, dict[str, None]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}


def draw_figure(results: Results, kind: str, width: float = COLUMN, **chosen: Any) -> Figure:
    """A figure of matplotlib.

    Parameters
    ----------
    kind : a name in `KINDS`.
    width : in millimetres, from 20 to 1000; 85 is a column of most papers.
    chosen : `unit` of a walk, `image` of a walk or of contributions, by number or name.

    Raises FigureError where there is no such figure, or these results cannot make it.
    """
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise FigureError(f"there is no figure {kind!r}{nearest(kind, KINDS)}; give {known}.")
    if not NARROWEST <= width <= WIDEST:
        raise FigureError(f"a figure cannot be {width:g} mm wide; give {NARROWEST} to {WIDEST}.")
    import matplotlib

    from reportgen.plots.notebook import NotebookFigure

    with matplotlib.rc_context(STYLE):
        figure = NotebookFigure(figsize=(width / MILLIMETRES_AN_INCH, 1), layout="constrained")
        try:
            KINDS[kind](figure, results, **chosen)
        except TypeError as error:
            if "unexpected keyword" not in str(error):
                raise
            raise FigureError(f"{kind} takes no {str(error).rpartition(' ')[2]}.") from error
    return figure


def figures_of(results: Results) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every figure of these results: a name for its file, and what to call `draw_figure` with."""
    walked = results.answers.of(Traversal)
    yield "contributions", {"kind": "contributions"}
    for name in () if walked is None else walked.names:
        yield f"walk-{name}", {"kind": "walk", "unit": name}
    moves, along = results.answers.of(DirectionMoves), by_direction(results)
    if along is not None:
        yield "contributions-direction", {"kind": "contributions", "by": "direction"}
    for place in range(0 if moves is None else min(len(moves.frames), MOST_WALKED)):
        yield f"walk-direction-{place + 1}", {"kind": "walk", "direction": place + 1}
    yield "partial_reconstruction", {"kind": "partial_reconstruction"}
    yield "units", {"kind": "units"}


def file_of(figure: Figure, format: FigureFormat, dpi: int = 300) -> bytes:
    """The content of a file that shows the figure; the same figure gives the same bytes."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format=format, dpi=dpi, metadata=UNDATED.get(format))
    return buffer.getvalue()
