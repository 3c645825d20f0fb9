"""The outcome of a build: all that the terminal says of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reportgen.delivery.delivery import Delivery, ReportFiles
from reportgen.process.progress import QuietProgress
from reportgen.suite.profile import Cost, with_steps

if TYPE_CHECKING:
    from reportgen.checks.outcomes import Outcome


@dataclass(frozen=True)
class BuildOutcome:
    """A report that was made.

    Attributes
    ----------
    answers : lines: the verdict, the control, and what went unanswered.
    failed : whether a question or a section failed.
    page_bytes : the page's size with all that belongs to it; section_bytes that of each section.
    profile : what each part cost, dearest first.
    checks : what became of each rule that was to be held.
    page : the page's path; None before it is written.
    pdfs : each file that the page was printed to, with its size.
    fills_stdout : whether the page or the PDF went to standard output.
    """

    answers: tuple[str, ...]
    failed: bool
    page_bytes: int
    section_bytes: dict[str, int] = field(default_factory=dict)
    profile: tuple[Cost, ...] = ()
    checks: tuple[Outcome, ...] = ()
    page: Path | None = None
    pdfs: tuple[tuple[Path, int], ...] = ()
    fills_stdout: bool = False


def deliver(
    delivery: Delivery, files: ReportFiles, outcome: BuildOutcome, progress: QuietProgress
) -> BuildOutcome:
    """Write a report, print it where that was asked for, and say what became of it.

    Raises OutputError.
    """
    with progress.step("writing"):
        delivery.write(files)
    pdfs: tuple[tuple[Path, int], ...] = ()
    if delivery.prints:
        with progress.step("printing"):
            pdfs = delivery.print(files)
    return replace(
        outcome,
        page=delivery.page,
        pdfs=pdfs,
        fills_stdout=delivery.fills_stdout,
        profile=with_steps(outcome.profile, progress.seconds),
    )
