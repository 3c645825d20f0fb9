"""The `reportgen` command: parse, call, print, exit code."""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reportgen.command.checking import RULE_BROKEN, check
from reportgen.command.comparing import compare
from reportgen.command.completion import completion
from reportgen.command.demo import demo
from reportgen.command.figures import figures
from reportgen.command.group import BAD_INPUT, SpeakingGroup
from reportgen.command.jobs import LONGEST_SENTENCE, builder, end_with, inspector
from reportgen.command.options import (
    config_file,
    halves_or_model,
    labels_option,
    loading_flags,
    loading_options,
    page_options,
    page_path,
    pdf_options,
    read_options,
    results_option,
    setting_options,
    summary_options,
)
from reportgen.command.siting import site
from reportgen.delivery.page_layout import PageLayout
from reportgen.errors import BugError, ReportgenError
from reportgen.shown import shown
from reportgen.version import __version__

if TYPE_CHECKING:
    from reportgen.process.progress import QuietProgress

SECTION_FAILED = 3
LARGE_PAGE_MEGABYTES = 10
LARGE_PAGE = (
    f"Warning: the page is larger than {LARGE_PAGE_MEGABYTES} MB, more than many mailboxes and "
    "trackers take; --max-size leaves pictures out."
)
PAGE_NAME = "report"

EPILOG = """
\b
Examples:
  reportgen build model.pt2 images/
  reportgen build weights.pt images/ --model-class net.py:Net --model-args '{"width": 32}'
  reportgen build model.pt images.npz -o review.html --effort quick

\b
Exit codes: 0 done, 1 a bug in reportgen, 2 bad input, 3 done but a section failed, 4 done but a
rule of --check is broken.
"""


@click.group(cls=SpeakingGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="reportgen")
def main() -> None:
    """What does each unit of an image autoencoder contribute? One HTML file answers."""


@main.command(epilog=EPILOG)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path), required=False)
@page_options(PAGE_NAME)
@pdf_options
@results_option("results.json and results.npz")
@click.option(
    "--codes/--no-codes",
    default=True,
    help="Let results.npz hold the units' values of up to 2,000 test images, by which reportgen "
    "compare matches units. [default: on]",
)
@click.option(
    "--fit-data",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Fit means, PCA and regressions on these images instead of half of DATA; "
    "then every image of DATA is a test image.",
)
@labels_option
@click.option(
    "--fit-labels",
    type=click.Path(path_type=Path),
    metavar="FILE[:COLUMN]",
    help="The same for the images of --fit-data.",
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
@click.option(
    "--check",
    "rules",
    multiple=True,
    metavar="RULE",
    help="A rule that the numbers have to keep, as for reportgen check; may be given many times. "
    "Where one is broken the exit code is 4, and the report is written all the same.",
)
@summary_options
@click.option("--profile", is_flag=True, help="Also print what each part of the build cost.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def build(
    model: Path,
    data: Path | None,
    page: Path | None,
    layout: PageLayout,
    pdf: Path | None,
    pdf_full: Path | None,
    results_folder: Path | None,
    fit_data: Path | None,
    labels: Path | None,
    fit_labels: Path | None,
    replicates: tuple[Path, ...],
    groups: Path | None,
    config: Path | None,
    cache: Path | None,
    codes: bool,
    rules: tuple[str, ...],
    summary: Path | None,
    link: str,
    preview: Path | None,
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
    progress = _progress(quiet or os.environ.get("RANK", "0") != "0")
    said = loading_flags(options)
    model, data = halves_or_model(model, data, said)
    if data is None:
        raise click.UsageError("Missing argument 'DATA'.")
    try:
        settings, loading = read_options(options, said, config)
        _read_rules(rules)
        from reportgen.request import BuildRequest, command_line

        make_report = builder(loading.trust)
        request = BuildRequest(
            model=model,
            data=data,
            output=page_path(page, PAGE_NAME, layout),
            layout=layout,
            pdf=pdf,
            pdf_full=pdf_full,
            fit_data=fit_data,
            labels=labels,
            fit_labels=fit_labels,
            replicates=replicates,
            groups=groups,
            results_folder=results_folder,
            cache=cache,
            codes=codes,
            rules=rules,
            summary=summary,
            link=link,
            preview=preview,
            loading=loading,
            config=config_file(config),
            command=command_line(
                model,
                data,
                loading,
                fit_data=fit_data,
                labels=labels,
                fit_labels=fit_labels,
                replicates=replicates,
                groups=groups,
                **options,
            ),
        )
        outcome = make_report(request, settings, progress)
    except (ReportgenError, BugError) as error:
        end_with(error)
    if outcome is None:
        return
    if not quiet:
        from reportgen.command.summary import file_line, profile_lines, summary_lines

        say = partial(click.echo, err=outcome.fills_stdout)
        say("\n".join(summary_lines(outcome)))
        if profile:
            say("\n".join(["", *profile_lines(outcome.profile)]))
        if outcome.page_bytes > LARGE_PAGE_MEGABYTES * 1e6:
            click.echo(LARGE_PAGE, err=True)
        for file, size in outcome.pdfs:
            say(file_line(file, size))
        if outcome.checks:
            from reportgen.checks.formats import text_of

            say("\n" + text_of(outcome.checks, strict=False), nl=False)
    if outcome.failed:
        sys.exit(SECTION_FAILED)
    if any(check.broken for check in outcome.checks):
        sys.exit(RULE_BROKEN)


@main.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path), required=False)
@labels_option
@loading_options
@click.option("--resize", help="As in build: HEIGHT,WIDTH that images are scaled and cropped to.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def inspect(
    model: Path,
    data: Path | None,
    config: Path | None,
    labels: Path | None,
    resize: str | None,
    as_json: bool,
    **said: Any,
) -> None:
    """Say what MODEL is and how it would be split; with DATA also how its pixels are scaled.

    Runs no analysis. Exits with 2 where MODEL could not be reported on as it is, and says what is
    missing.
    """
    model, data = halves_or_model(model, data, said)
    try:
        settings, loading = read_options({"resize": resize}, said, config)
        look_at = inspector(loading.trust)
        inspection = look_at(model, data, loading, settings.image_size, labels)
    except (ReportgenError, BugError) as error:
        end_with(error)
    if as_json:
        click.echo(json.dumps(inspection, ensure_ascii=False, indent=1))
    else:
        from reportgen.command.summary import inspection_lines

        click.echo("\n".join(inspection_lines(inspection)))
        if inspection["problem"] is not None:
            problem = shown(inspection["problem"], LONGEST_SENTENCE)
            click.echo(f"reportgen: {problem}", err=True)
    if inspection["problem"] is not None:
        sys.exit(BAD_INPUT)


@main.command()
@click.argument("results_folder", type=click.Path(path_type=Path), metavar="DIR")
@page_options(PAGE_NAME)
@pdf_options
def render(
    results_folder: Path,
    page: Path | None,
    layout: PageLayout,
    pdf: Path | None,
    pdf_full: Path | None,
) -> None:
    """Make the page again from DIR, written by build --results, without the model."""
    from reportgen.command.summary import file_line

    target = page_path(page, PAGE_NAME, layout)
    try:
        from reportgen.confined.jobs import render as make_page
        from reportgen.delivery.delivery import Destination

        outcome = make_page(results_folder, Destination(target, layout, pdf=pdf, pdf_full=pdf_full))
    except (ReportgenError, BugError) as error:
        end_with(error)
    # Standard output may be where the page goes.
    for file, size in ((target, outcome.page_bytes), *outcome.pdfs):
        click.echo(file_line(file, size), err=outcome.fills_stdout)
    sys.exit(SECTION_FAILED if outcome.failed else 0)


for command in (check, compare, site, figures, demo, completion):
    main.add_command(command)


def _read_rules(rules: tuple[str, ...]) -> None:
    """Raises CheckError for a rule that cannot be read, before the work starts."""
    if rules:
        from reportgen.checks.rules import read_rule

        for rule in rules:
            read_rule(rule)


def _progress(quiet: bool) -> QuietProgress:
    from reportgen.process.progress import PlainProgress, QuietProgress, TerminalProgress

    if quiet:
        return QuietProgress()
    return TerminalProgress() if sys.stderr.isatty() else PlainProgress()
