"""The job of `reportgen check`: results read, rules held against them, a summary made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reportgen.checks.outcomes import Checker, Outcome
from reportgen.checks.rules import Rule
from reportgen.checks.summary import summary_of
from reportgen.questions import all_questions
from reportgen.report.number_names import NumberNames
from reportgen.report.number_places import NamedNumber
from reportgen.report.preview import preview_of
from reportgen.report.reading import read_numbers, read_report


@dataclass(frozen=True)
class CheckRequest:
    """A check that is asked for.

    Attributes
    ----------
    results : a folder of results, a results.json, or a page.
    rules : held against them, or None for no check.
    baseline : the same of another report, or None; `other_images` whether it may be of others.
    lists : whether all numbers are wanted.
    summary, preview : whether they are wanted; `link` is the page's address in the summary.
    strict : whether warnings count as errors in the summary.
    """

    results: Path
    rules: tuple[Rule, ...] | None
    baseline: Path | None = None
    other_images: bool = False
    lists: bool = False
    summary: bool = False
    preview: bool = False
    link: str = ""
    strict: bool = False


@dataclass(frozen=True)
class Checked:
    """The result of a check.

    Attributes
    ----------
    title : of the report.
    outcomes : one for each rule.
    numbers : all numbers, where they were wanted.
    summary, preview : files; empty where they were not wanted.
    """

    title: str
    outcomes: tuple[Outcome, ...] = ()
    numbers: tuple[NamedNumber, ...] = ()
    summary: bytes = b""
    preview: bytes = b""


def check_results(request: CheckRequest) -> Checked:
    """Read the results and hold the rules against them. Raises a ReportgenError."""
    questions = all_questions()
    has_pictures = False
    if request.preview:
        results, arrays = read_report(request.results, questions)
        has_pictures = bool(arrays)
    else:
        results = read_numbers(request.results, questions)
    baseline = None if request.baseline is None else read_numbers(request.baseline, questions)
    outcomes = None
    if request.rules is not None:
        checker = Checker(results, questions, baseline, other_images=request.other_images)
        outcomes = tuple(checker.check(rule) for rule in request.rules)
    summary = b""
    if request.summary:
        summary = summary_of(
            results, outcomes, baseline, link=request.link, strict=request.strict
        ).encode()
    return Checked(
        title=results.title,
        outcomes=outcomes or (),
        numbers=tuple(NumberNames(results, questions)) if request.lists else (),
        summary=summary,
        preview=preview_of(results, has_pictures=has_pictures) if request.preview else b"",
    )
