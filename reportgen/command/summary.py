"""What the terminal shows once a report is written."""

from __future__ import annotations

import textwrap
from pathlib import Path

from reportgen.job import BuildOutcome
from reportgen.report import numbers
from reportgen.suite.control import Control
from reportgen.suite.profile import Cost, total_cost

PARTS = {"head": "scripts and results"}


def summary_lines(outcome: BuildOutcome) -> list[str]:
    """The verdict, what went unanswered, the page and its size, and where the time went."""
    lines = []
    results = outcome.results
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
    total = total_cost(outcome.profile)
    slowest = outcome.profile[:5]
    lines.append(
        f"\n{file_line(outcome.page, outcome.page_bytes)}  "
        f"{numbers.count(total.decodes)} decodes  "
        f"{total.seconds:.1f} s, of which {total.model_seconds:.1f} s in the model"
    )
    lines.append("Most time: " + ", ".join(f"{c.name} {c.seconds:.1f} s" for c in slowest))
    return [*lines, *size_lines(outcome.section_bytes)]


def file_line(path: Path, size: int) -> str:
    """A file that was written, and its size."""
    return f"{path}  {numbers.bytes_(size)}"


def size_lines(section_bytes: dict[str, int]) -> list[str]:
    """What each part of the page takes, largest first, in lines of at most 100 characters."""
    ordered = sorted(section_bytes.items(), key=lambda part: -part[1])
    parts = [
        f"{PARTS.get(name, numbers.words(name))} {numbers.bytes_(size)}" for name, size in ordered
    ]
    return textwrap.wrap(f"Size: {', '.join(parts)}", 100, subsequent_indent="      ")


def profile_lines(profile: tuple[Cost, ...]) -> list[str]:
    """A table of what each part cost, and the sum."""
    heading = f"{'':<24}{'decodes':>10}{'encodes':>10}{'in the model':>14}{'elsewhere':>11}"
    return [heading] + [
        f"{cost.name:<24}{cost.decodes:>10,}{cost.encodes:>10,}{cost.model_seconds:>12.2f} s"
        f"{cost.seconds - cost.model_seconds:>9.2f} s"
        for cost in (*profile, total_cost(profile))
    ]
