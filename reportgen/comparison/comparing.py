"""The job of `reportgen compare`: reports read, compared, and put on a page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reportgen.comparison.comparison import Comparison, compare_sources, comparison_json
from reportgen.comparison.markdown import comparison_markdown
from reportgen.comparison.page import render_comparison
from reportgen.comparison.sources import read_sources
from reportgen.delivery.delivery import ReportFiles
from reportgen.delivery.page_layout import PageLayout
from reportgen.questions import all_questions
from reportgen.report import numbers
from reportgen.report.numbers import with_plain_spaces
from reportgen.report.reading import read_numbers


@dataclass(frozen=True)
class CompareRequest:
    """A comparison that is asked for.

    Attributes
    ----------
    reports : where their results are; the others are compared with the first.
    names : of each.
    recipes : how many of them are trainings of the first recipe and of the second; empty for none.
    layout : of the page.
    title : of the page; "" for the names.
    link : the page's address, for the Markdown.
    """

    reports: tuple[Path, ...]
    names: tuple[str, ...]
    recipes: tuple[int, ...] = ()
    layout: PageLayout = "file"
    title: str = ""
    link: str = ""


@dataclass(frozen=True)
class Compared:
    """The result of a comparison.

    Attributes
    ----------
    files : the page, with comparison.json in place of results.json, and comparison.md as summary.
    lines : what the terminal says.
    differs : what differs, by name.
    """

    files: ReportFiles
    lines: tuple[str, ...]
    differs: tuple[str, ...]


def settings_of_report(path: Path) -> dict[str, Any]:
    """The settings that a report was made with, by their names. Raises ResultsError."""
    return asdict(read_numbers(path, all_questions()).settings)


def compare_results(request: CompareRequest) -> Compared:
    """Read the reports and compare them. Raises a ReportgenError."""
    questions = all_questions()
    sources = read_sources(request.reports, request.names, questions)
    comparison = compare_sources(sources, questions, request.recipes)
    title = request.title or _title(comparison)
    page = render_comparison(comparison, sources, title, request.layout)
    files = ReportFiles(
        html=page.html.encode("utf-8"),
        beside=page.files,
        results=comparison_json(comparison).encode("utf-8"),
        summary=comparison_markdown(comparison, title, request.link).encode("utf-8"),
    )
    return Compared(files, tuple(_lines(comparison)), comparison.differs)


def _title(comparison: Comparison) -> str:
    if comparison.recipes:
        one, two = comparison.recipes
        pair = comparison.pairs[0]
        return f"{one} trainings as {pair.first} and {two} as {pair.second}"
    if len(comparison.names) == 2:
        return " and ".join(comparison.names)
    return f"{comparison.names[0]} and {len(comparison.names) - 1} more"


def _lines(comparison: Comparison) -> list[str]:
    """The verdicts side by side, the units, and what changed between trainings."""
    lines = []
    for pair in comparison.pairs:
        lines.append(f"{pair.second} beside {pair.first}")
        for answer in pair.verdict:
            words = answer.first_word
            if answer.second_word != words:
                words += f" → {answer.second_word}"
            found = answer.difference
            difference = with_plain_spaces(numbers.plain(found.difference, found.scale))
            said = "" if found.mark == "cannot be compared" else f", {difference}"
            lines.append(f"  {answer.question:<32}{words}; {found.mark}{said}")
        lines.append(f"  {pair.units.says or f'Units were not matched: {pair.units.reason}.'}")
    if comparison.recipes:
        changed = comparison.differs
        said = f"changed: {', '.join(changed)}" if changed else "nothing changed"
        one, two = comparison.recipes
        lines.append(f"Between {one} and {two} trainings {said}.")
    return lines
