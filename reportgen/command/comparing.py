"""`reportgen compare`: two or more reports beside each other."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reportgen.command.checking import RULE_BROKEN
from reportgen.command.jobs import end_with
from reportgen.command.options import (
    config_file,
    link_option,
    page_options,
    page_path,
    results_option,
)
from reportgen.delivery.page_layout import PageLayout
from reportgen.errors import BugError, ComparisonError, ReportgenError
from reportgen.shown import shown

if TYPE_CHECKING:
    from reportgen.delivery.collisions import Input

FEWEST_TRAININGS, MOST_REPORTS = 3, 50
PAGE_NAME = "compare"
REPORT_IN_FOLDER = "results.json", "assets/results.json"
EPILOG = """
\b
Examples:
  reportgen compare old/ new/ -o compare.html
  reportgen compare seed1/ seed2/ seed3/ -o seeds.html
  reportgen compare old/ new.pt2 --data images/
  reportgen compare --runs a1/,a2/,a3/ b1/,b2/,b3/ --fail-on-change

\b
Intervals are over images and know nothing of retraining: two trainings of one recipe may differ as
much as two recipes. Only --runs, with three trainings or more of each, can tell a change.

\b
Exit codes: 0 done, 1 a bug in reportgen, 2 bad input, 4 something differs (--fail-on-change).
"""


@click.command(epilog=EPILOG)
@click.argument("reports", nargs=-1, type=click.Path(path_type=Path), metavar="A B [C]...")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DATA",
    help="Images on which reports of the models among A, B, … are made first, with the settings of "
    "the first report among them.",
)
@click.option(
    "--runs",
    nargs=2,
    metavar="A1,A2,A3 B1,B2,B3",
    help="Trainings of two recipes, three or more of each, in place of A B.",
)
@click.option("--names", metavar="A,B", help="What to call the reports [default: their folders].")
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="A",
    help="The report that the others are compared with [default: the first].",
)
@page_options(PAGE_NAME)
@results_option("comparison.json and comparison.md")
@click.option(
    "--summary",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write comparison.md to FILE; $GITHUB_STEP_SUMMARY is appended to.",
)
@link_option
@click.option("--title", default="", help="Heading of the page [default: the reports' names].")
@click.option(
    "--fail-on-change",
    is_flag=True,
    help="Exit with 4 where a number differs; with --runs, where it changed between trainings.",
)
def compare(
    reports: tuple[Path, ...],
    data: Path | None,
    runs: tuple[str, str] | None,
    names: str | None,
    baseline: Path | None,
    page: Path | None,
    layout: PageLayout,
    results_folder: Path | None,
    summary: Path | None,
    link: str,
    title: str,
    fail_on_change: bool,
) -> None:
    """Put reports beside each other: what can be compared, what differs, which units match.

    A, B, … are folders that build --results wrote; of a results.json alone or a page, numbers are
    compared but neither units nor pictures. With --data they may be models too.
    """
    try:
        from reportgen.comparison.comparing import CompareRequest
        from reportgen.confined.result_jobs import compare as compare_confined
        from reportgen.delivery.collisions import Input
        from reportgen.delivery.delivery import Delivery, Destination
        from reportgen.delivery.files import Files
        from reportgen.delivery.output import make_folder

        paths, recipes = _reports(reports, runs, baseline)
        inputs = tuple(given for path in paths for given in _inputs(path, data))
        if data is not None and (settings := config_file(None)) is not None:
            inputs += (Input("the settings file", settings),)
        target = page_path(page, PAGE_NAME, layout)
        delivery = Delivery(Destination(target, layout, summary=summary), inputs)
        beside: dict[str, Path | None] = {}
        with ExitStack() as made:
            if results_folder is not None:
                make_folder(results_folder, made)
                for name in ("comparison.json", "comparison.md"):
                    beside[f"--results, {name},"] = results_folder / name
            more = Files(beside, inputs, delivery.targets)
            called = _names(paths, names)
            with _built(paths, data) as built:
                request = CompareRequest(
                    reports=built,
                    names=called,
                    recipes=recipes,
                    layout=layout,
                    title=title,
                    link=link,
                )
                found = compare_confined(request)
            delivery.write(replace(found.files, results=b"", images=b""))
            contents = (found.files.results, found.files.summary)
            more.write(dict(zip(beside, contents, strict=False)))
            made.pop_all()
    except (ReportgenError, BugError) as error:
        end_with(error)
    except OSError as error:
        end_with(ComparisonError(f"{shown(results_folder)} cannot be made: {error.strerror}."))
    from reportgen.command.summary import file_line

    size = len(found.files.html) + sum(map(len, found.files.beside.values()))
    lines = [*found.lines, file_line(target, size)]
    click.echo("\n".join(lines), err=delivery.fills_stdout)
    sys.exit(RULE_BROKEN if fail_on_change and found.differs else 0)


def _is_report(path: Path) -> bool:
    """Tell results and pages from models; what is not there is taken for results."""
    from reportgen.request import named_in

    if path.is_dir():
        return any((path / name).is_file() for name in REPORT_IN_FOLDER)
    return path.suffix.lower() in (".json", ".html", ".htm") or not any(named_in(path))


def _inputs(path: Path, data: Path | None) -> tuple[Input, ...]:
    """Everything that is read for one of the reports."""
    from reportgen.confined.result_jobs import inputs_at

    if data is None or _is_report(path):
        return inputs_at(path, "REPORT")
    from reportgen.request import BuildRequest

    return BuildRequest(path, data, Path()).inputs()


@contextmanager
def _built(paths: tuple[Path, ...], data: Path | None) -> Iterator[tuple[Path, ...]]:
    """The paths of results, where those of models are of reports that are made here and removed.

    Raises a ReportgenError where a model or the images cannot be read.
    """
    if data is None:
        yield paths
        return
    from reportgen.command.options import read_options
    from reportgen.confined.jobs import build
    from reportgen.confined.result_jobs import settings_in
    from reportgen.process.progress import QuietProgress
    from reportgen.request import BuildRequest, command_line

    known = next((path for path in paths if _is_report(path)), None)
    settings, loading = read_options({}, {}, None)
    if known is not None:
        settings = settings_in(known)
    with tempfile.TemporaryDirectory() as folder:
        built = []
        for place, path in enumerate(paths):
            if _is_report(path):
                built.append(path)
                continue
            results = Path(folder) / str(place)
            build(
                BuildRequest(
                    path,
                    data,
                    Path(folder) / f"{place}.html",
                    results_folder=results,
                    loading=loading,
                    command=command_line(path, data, loading),
                ),
                settings,
                QuietProgress(),
            )
            built.append(results)
        yield tuple(built)


def _reports(
    reports: tuple[Path, ...], runs: tuple[str, str] | None, baseline: Path | None
) -> tuple[tuple[Path, ...], tuple[int, ...]]:
    """The reports in their order, and how many trainings each recipe has.

    Raises ComparisonError.
    """
    if runs is not None:
        if reports or baseline is not None:
            raise ComparisonError("--runs names all reports; leave A, B and --baseline out.")
        sides = [tuple(Path(part) for part in side.split(",") if part) for side in runs]
        if min(map(len, sides)) < FEWEST_TRAININGS:
            raise ComparisonError(
                f"--runs needs {FEWEST_TRAININGS} trainings or more of each recipe, as "
                "a1/,a2/,a3/ b1/,b2/,b3/; of fewer nothing can be told."
            )
        chosen, recipes = sides[0] + sides[1], tuple(map(len, sides))
    else:
        chosen, recipes = reports, ()
        if baseline is not None:
            chosen = (baseline, *(path for path in reports if path != baseline))
    if not 2 <= len(chosen) <= MOST_REPORTS:
        raise ComparisonError(
            f"Between 2 and {MOST_REPORTS} reports are compared, and {len(chosen)} "
            f"{'was' if len(chosen) == 1 else 'were'} given; name them as reportgen compare A B."
        )
    return chosen, recipes


def _names(paths: tuple[Path, ...], said: str | None) -> tuple[str, ...]:
    """Names of the reports: as they were given, or by their files, told apart by number."""
    if said is not None:
        names = tuple(name.strip() for name in said.split(","))
        if len(names) != len(paths) or len(set(names)) != len(names) or not all(names):
            raise ComparisonError(
                f"--names has to name each of the {len(paths)} reports, all differently, with "
                "commas between."
            )
        return names
    ends = [_end(path) for path in paths]
    if len(set(ends)) < len(ends):
        parents = [_end(path.resolve().parent) for path in paths]
        further = [f"{parent}/{end}" for parent, end in zip(parents, ends, strict=True)]
        ends = further if len(set(further)) == len(ends) else ends
    if len(set(ends)) < len(ends):
        ends = [f"{end} ({place})" for place, end in enumerate(ends, start=1)]
    return tuple(shown(end, 60) for end in ends)


def _end(path: Path) -> str:
    whole = path.resolve()
    return whole.parent.name if whole.name == "results.json" else whole.name.removesuffix(".html")
