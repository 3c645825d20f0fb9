"""`reportgen figures`: a folder of figures for papers, from results."""

from __future__ import annotations

import re
from pathlib import Path

import click

from reportgen.command.jobs import end_with
from reportgen.errors import BugError, FigureError, ReportgenError
from reportgen.shown import shown

# In a file's name; other characters of a unit's become a dash.
PLAIN = re.compile(r"[^A-Za-z0-9._-]+")
WIDTH = re.compile(r"(\d+(?:\.\d+)?)\s*(mm|cm|in)?")
MILLIMETRES = {"mm": 1.0, "cm": 10.0, "in": 25.4}
NARROWEST, WIDEST = 20, 1000


@click.command()
@click.argument("results_folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "-o",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("figures"),
    show_default=True,
    help="Folder that the figures go to; made if need be.",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(("pdf", "svg", "png")),
    default="pdf",
    show_default=True,
    help="Kind of file.",
)
@click.option(
    "--width", default="85mm", show_default=True, help="Width of each figure, in mm, cm or in."
)
@click.option(
    "--dpi",
    type=click.IntRange(50, 1200),
    default=300,
    show_default=True,
    help="Pixels an inch, of png.",
)
def figures(results_folder: Path, folder: Path, format_name: str, width: str, dpi: int) -> None:
    """Draw figures for papers from DIR, written by build --results, by matplotlib.

    One image's contributions, the traversal of each unit, the curve of partial reconstructions,
    and the units' shares. What DIR does not hold is left out, and said.
    """
    try:
        written, missing = _written(results_folder, folder, format_name, width, dpi)
    except (ReportgenError, BugError) as error:
        end_with(error)
    for reason in missing:
        click.echo(f"reportgen: {shown(reason)}", err=True)
    click.echo(f"{len(written)} figures in {shown(folder)}: {', '.join(map(shown, written))}")


def _written(
    results_folder: Path, folder: Path, format_name: str, width: str, dpi: int
) -> tuple[list[str], list[str]]:
    from reportgen.confined.result_jobs import inputs_at
    from reportgen.delivery.collisions import refuse_file_collisions
    from reportgen.delivery.output import check_makeable, write_together
    from reportgen.delivery.target import Target
    from reportgen.plots import draw_figure, figures_of, file_of
    from reportgen.questions import all_questions
    from reportgen.report.store import read_results

    check_makeable(folder)
    millimetres = _millimetres(width)
    results = read_results(results_folder, all_questions())
    asked = [
        (Target(folder / f"{PLAIN.sub('-', name)}.{format_name}", "-o"), call)
        for name, call in figures_of(results)
    ]
    if asked:
        refuse_file_collisions([target for target, _ in asked], inputs_at(results_folder, "DIR"))
    contents, missing = [], []
    for target, call in asked:
        try:
            figure = draw_figure(results, width=millimetres, **call)
        except FigureError as error:
            missing.append(str(error))
            continue
        contents.append((target, file_of(figure, format_name, dpi)))  # type: ignore[arg-type]
    write_together(contents, folder)
    return [target.path.name for target, _ in contents], missing


def _millimetres(width: str) -> float:
    found = WIDTH.fullmatch(width.strip())
    size = float(found[1]) * MILLIMETRES[found[2] or "mm"] if found else 0
    if not NARROWEST <= size <= WIDEST:
        raise FigureError(
            f"--width is {shown(repr(width))}; write a width from {NARROWEST}mm to {WIDEST}mm."
        )
    return size
