"""A figure that a notebook shows, whether or not pyplot was imported there."""

from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure

DOTS_AN_INCH = 200


class NotebookFigure(Figure):
    """A figure of matplotlib that is shown as a picture where it is the last value of a cell.

    IPython knows how to show matplotlib's own figures only once pyplot is imported.
    """

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png", dpi=DOTS_AN_INCH)
        return buffer.getvalue()
