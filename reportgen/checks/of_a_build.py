"""Rules that a build holds, and its report in short."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reportgen.checks.outcomes import Checker, Outcome, refuse_unknown_questions
from reportgen.checks.rules import Rule, read_rule
from reportgen.checks.summary import summary_of
from reportgen.report.preview import preview_of
from reportgen.report.question import Question
from reportgen.report.results import Results


def rules_before_a_build(texts: Iterable[str], questions: Sequence[Question]) -> tuple[Rule, ...]:
    """The rules, read. Raises CheckError for one that no report could keep."""
    rules = tuple(read_rule(text) for text in texts)
    refuse_unknown_questions(rules, questions)
    return rules


def outcomes_of_a_build(
    rules: Iterable[Rule], results: Results, questions: Sequence[Question]
) -> tuple[Outcome, ...]:
    """The outcome of each rule; one that cannot be held is unknown, and the report is whole."""
    checker = Checker(results, questions)
    return tuple(checker.check_or_say_why(rule) for rule in rules)


def report_in_short(
    results: Results, outcomes: tuple[Outcome, ...], *, summary: bool, preview: bool, link: str
) -> tuple[bytes, bytes]:
    """The report as Markdown and as a picture; empty where it is not wanted."""
    return (
        summary_of(results, outcomes or None, link=link).encode("utf-8") if summary else b"",
        preview_of(results) if preview else b"",
    )
