"""Figures for papers, drawn by matplotlib from a report's results. From outside: `draw_figure`."""

from reportgen.plots.drawing import KINDS, draw_figure, figures_of, file_of

__all__ = ["KINDS", "draw_figure", "figures_of", "file_of"]
