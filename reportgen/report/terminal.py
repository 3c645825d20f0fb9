"""Sentences that tell the terminal of results."""

from __future__ import annotations

from reportgen.report import numbers
from reportgen.report.results import Results
from reportgen.suite.control import Control


def answer_lines(results: Results) -> tuple[str, ...]:
    """The verdict, the control, and what went unanswered: a line each."""
    lines = []
    for answer in results.verdict:
        said = answer.detail
        if answer.number is not None:
            number = numbers.plain(answer.number, answer.scale)
            said = f"{numbers.with_plain_spaces(number)} {answer.measure}"
        lines.append(f"{answer.question:<32}{answer.word}: {said}")
    control = results.answers.of(Control)
    if control is not None:
        state = "passed" if control.passed else "FAILED: do not trust the numbers"
        lines.append(f"{'Linear control (PCA)':<32}{state}")
    for name, reason in {**results.unanswered, **results.failures}.items():
        lines.append(f"{numbers.words(name)}: not answered, {reason}")
    return tuple(lines)
