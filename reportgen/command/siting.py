"""`reportgen site`: many reports as a web site."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from reportgen.command.jobs import end_with
from reportgen.command.options import layout_option
from reportgen.delivery.page_layout import PageLayout
from reportgen.errors import BugError, CollectionError, ReportgenError
from reportgen.shown import shown

REPORT_DAMAGED = 3
EPILOG = """
\b
Examples:
  reportgen site runs/ -o public
  reportgen site runs/ -o public --number reconstruction.r2 --number linearity.linear
  reportgen site runs/ -o public --layout folder --title "Nightly models"

\b
A second run reads what is new, and removes what is gone. Numbers are named as in docs/numbers.md.

\b
Exit codes: 0 done, 1 a bug in reportgen, 2 bad input, 3 done but a report is damaged.
"""


@click.command(epilog=EPILOG)
@click.argument("reports", nargs=-1, type=click.Path(path_type=Path), metavar="REPORTS...")
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    default=Path("public"),
    show_default=True,
    help="The site's folder.",
)
@click.option("--title", default="Autoencoder reports", show_default=True, help="Of the index.")
@click.option(
    "--number",
    "--trend",
    "numbers",
    multiple=True,
    metavar="NAME",
    help="A number that the index shows; may be given many times. A trend is drawn of the first "
    "[default: reconstruction.r2].",
)
@click.option(
    "--rules",
    "rules_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Rules to hold against each report, as for reportgen check [default: the table [check] of "
    "reportgen.toml here].",
)
@click.option(
    "--by",
    "order",
    type=click.Choice(["date", "name"]),
    default="date",
    show_default=True,
    help="The order of the rows: newest first, or by name.",
)
@click.option("--keep", type=click.IntRange(min=1), help="Keep the newest so many reports alone.")
@click.option("--base-url", default="", metavar="URL", help="The site's address, for previews.")
@layout_option
def site(
    reports: tuple[Path, ...],
    output: Path,
    title: str,
    numbers: tuple[str, ...],
    rules_file: Path | None,
    order: Any,
    keep: int | None,
    base_url: str,
    layout: PageLayout,
) -> None:
    """Make a web site of many reports: an index with a search, a trend, and every page.

    REPORTS are folders, in which results.json is looked for at any depth. A page that lies beside
    its results is copied; where there is none, or with --layout folder, it is made.
    """
    try:
        from reportgen.checks.config import CheckTable, read_check_table
        from reportgen.collection.making import SiteRequest, make_site
        from reportgen.confined.result_jobs import entries
        from reportgen.report.name_path import read_number

        if not reports:
            raise CollectionError("Name folders of reports, as reportgen site runs/ -o public.")
        for name in numbers:
            read_number(name)
        here = Path("reportgen.toml")
        table = CheckTable()
        if rules_file is not None:
            table = read_check_table(rules_file, alone=True)
        elif here.is_file():
            table = read_check_table(here)
        request = SiteRequest(
            reports=reports,
            output=output,
            title=title,
            base_url=base_url,
            numbers=numbers or ("reconstruction.r2",),
            rules=table.rules,
            order=order,
            keep=keep,
            layout=layout,
        )
        tell = (lambda line: click.echo(line, err=True)) if sys.stderr.isatty() else _say_nothing
        made = make_site(request, entries, tell)
    except (ReportgenError, BugError) as error:
        end_with(error)
    for key, reason in made.damaged:
        click.echo(f"{shown(key)}: {shown(reason, 400)}", err=True)
    gone = f", {made.removed} removed" if made.removed else ""
    pages = f"{made.pages} {'page' if made.pages == 1 else 'pages'}"
    noun = "report" if made.reports == 1 else "reports"
    click.echo(f"{shown(output / 'index.html')}  {made.reports} {noun}, {pages} made{gone}")
    sys.exit(REPORT_DAMAGED if made.damaged else 0)


def _say_nothing(line: str) -> None:
    """Tell nothing, where nobody looks on."""
