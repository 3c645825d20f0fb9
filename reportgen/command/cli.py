"""The `reportgen` command: parse, call, print, exit code."""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reportgen import __version__
from reportgen.command.options import (
    command_line,
    halves_or_model,
    loading_flags,
    loading_options,
    page_options,
    read_options,
    setting_options,
)
from reportgen.errors import ReportgenError
from reportgen.process.calm_threads import calm_threads

if TYPE_CHECKING:
    from reportgen.loading.inspection import Inspection
    from reportgen.process.progress import QuietProgress

SECTION_FAILED, BAD_INPUT = 3, 2
LARGE_PAGE_MEGABYTES = 10
LARGE_PAGE = (
    f"Warning: the page is larger than {LARGE_PAGE_MEGABYTES} MB, more than many mailboxes and "
    "trackers take; --max-size leaves pictures out."
)
DEFAULT_OUTPUT = {"file": "report.html", "folder": "report"}

EPILOG = """
\b
Examples:
  reportgen build model.pt2 images/
  reportgen build weights.pt images/ --model-class net.py:Net --model-args '{"width": 32}'
  reportgen build model.pt images.npz -o review.html --effort quick

\b
Exit codes: 0 done, 1 a bug in reportgen, 2 bad input, 3 done but a section failed.
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="reportgen")
def main() -> None:
    """What does each unit of an image autoencoder contribute? One HTML file answers."""


@main.command(epilog=EPILOG)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path), required=False)
@page_options
@click.option(
    "--pdf",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also print the page to FILE with the Chromium or Chrome that is on PATH.",
)
@click.option(
    "--results",
    "results_folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Also write results.json and results.npz there.",
)
@click.option(
    "--fit-data",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Fit means, PCA and regressions on these images instead of half of DATA; "
    "then every image of DATA is held out.",
)
@click.option(
    "--replicates",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Another training of the model, to see which units come back; may be given many times.",
)
@click.option(
    "--groups",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A TOML file of units that move together, a line each: colour = [0, 3].",
)
@loading_options
@setting_options
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep the images' codes there, so that the next build of this model and these images "
    "need not encode them again.",
)
@click.option("--profile", is_flag=True, help="Also print what each part of the build cost.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def build(
    model: Path,
    data: Path | None,
    page: Path | None,
    layout: str,
    pdf: Path | None,
    results_folder: Path | None,
    fit_data: Path | None,
    replicates: tuple[Path, ...],
    groups: Path | None,
    config: Path | None,
    cache: Path | None,
    profile: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Report on MODEL with the images in DATA.

    MODEL is a trained autoencoder: a torch.export archive (.pt2), a TorchScript file, a pickled
    module, or weights with --model-class. DATA is a folder of images (subfolders are classes),
    an archive, a table of paths, or an array file. Nothing in MODEL is run without --trust beyond
    its tensor operations.
    """
    calm_threads()
    progress = _progress(quiet or os.environ.get("RANK", "0") != "0")
    said = loading_flags(options)
    model, data = halves_or_model(model, data, said)
    if data is None:
        raise click.UsageError("Missing argument 'DATA'.")
    try:
        settings, loading = read_options(options, said, config)
        from reportgen.job import BuildRequest
        from reportgen.job import build as make_report

        # What was imported is never garbage: each full collection would look through all of it.
        gc.freeze()
        request = BuildRequest(
            model=model,
            data=data,
            output=page or Path(DEFAULT_OUTPUT[layout]),
            layout=layout,
            pdf=pdf,
            fit_data=fit_data,
            replicates=replicates,
            groups=groups,
            results_folder=results_folder,
            cache=cache,
            loading=loading,
            command=command_line(
                model,
                data,
                loading,
                fit_data=fit_data,
                replicates=replicates,
                groups=groups,
                **options,
            ),
        )
        outcome = make_report(request, settings, progress)
    except ReportgenError as error:
        click.echo(f"reportgen: {error}", err=True)
        sys.exit(BAD_INPUT)
    if outcome is None:
        return
    if not quiet:
        from reportgen.command.summary import file_line, profile_lines, summary_lines

        click.echo("\n".join(summary_lines(outcome)))
        if profile:
            click.echo("\n".join(["", *profile_lines(outcome.profile)]))
        if outcome.page_bytes > LARGE_PAGE_MEGABYTES * 1e6:
            click.echo(LARGE_PAGE, err=True)
        if pdf is not None:
            click.echo(file_line(pdf, pdf.stat().st_size))
    if outcome.results.failures:
        sys.exit(SECTION_FAILED)


@main.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path), required=False)
@loading_options
@click.option("--resize", help="As in build: HEIGHT,WIDTH that images are scaled and cropped to.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def inspect(
    model: Path,
    data: Path | None,
    config: Path | None,
    resize: str | None,
    as_json: bool,
    **said: Any,
) -> None:
    """Say what MODEL is and how it would be split; with DATA also how its pixels are scaled.

    Runs no analysis. Exits with 2 where MODEL could not be reported on as it is, and says what is
    missing.
    """
    calm_threads()
    model, data = halves_or_model(model, data, said)
    try:
        from reportgen.job import inspect as look_at

        settings, loading = read_options({"resize": resize}, said, config)
        inspection = look_at(model, data, loading, settings.image_size)
    except ReportgenError as error:
        click.echo(f"reportgen: {error}", err=True)
        sys.exit(BAD_INPUT)
    if as_json:
        click.echo(json.dumps(inspection.as_json(), ensure_ascii=False, indent=1))
    else:
        _print_inspection(inspection)
    if inspection.problem is not None:
        sys.exit(BAD_INPUT)


@main.command()
@click.argument("results_folder", type=click.Path(path_type=Path), metavar="DIR")
@page_options
def render(results_folder: Path, page: Path | None, layout: str) -> None:
    """Make the page again from DIR, written by build --results, without the model."""
    from reportgen.command.summary import file_line
    from reportgen.job import render as make_page

    target = page or Path(DEFAULT_OUTPUT[layout])
    try:
        rendered = make_page(results_folder, target, layout)
    except ReportgenError as error:
        click.echo(f"reportgen: {error}", err=True)
        sys.exit(BAD_INPUT)
    click.echo(file_line(target, rendered.size))
    sys.exit(SECTION_FAILED if rendered.failures else 0)


def _progress(quiet: bool) -> QuietProgress:
    from reportgen.process.progress import QuietProgress, TerminalProgress

    return TerminalProgress() if sys.stderr.isatty() and not quiet else QuietProgress()


def _print_inspection(inspection: Inspection) -> None:
    facts = {
        "format": inspection.format,
        "parameters": inspection.parameters,
        "images": inspection.input_shape,
        "code": inspection.code_shape,
        "variational": "yes" if inspection.is_variational else None,
    }
    for name, fact in facts.items():
        if fact is not None:
            shown = " × ".join(map(str, fact)) if isinstance(fact, tuple) else fact
            click.echo(f"{name:<12}{shown}")
    for note in inspection.notes:
        click.echo(f"{note.topic:<12}{note.text}")
    if inspection.problem is not None:
        click.echo(f"reportgen: {inspection.problem}", err=True)
