"""Lines that the terminal shows once a report is written."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reportgen.outcome import BuildOutcome
from reportgen.report import numbers
from reportgen.shown import shown
from reportgen.suite.profile import Cost, total_cost

LONGEST_NOTE = 1000
PARTS = {"head": "scripts and results"}


def summary_lines(outcome: BuildOutcome) -> list[str]:
    """The verdict, what went unanswered, the page and its size, and where the time went."""
    lines = [*outcome.answers]
    total = total_cost(outcome.profile)
    slowest = outcome.profile[:5]
    lines.append(
        f"\n{file_line(outcome.page or '', outcome.page_bytes)}  "
        f"{numbers.count(total.decodes)} decodes  "
        f"{total.seconds:.1f} s, of which {total.model_seconds:.1f} s in the model"
    )
    lines.append("Most time: " + ", ".join(f"{c.name} {c.seconds:.1f} s" for c in slowest))
    return [*lines, *size_lines(outcome.section_bytes)]


def file_line(path: Path | str, size: int) -> str:
    """A file that was written, and its size."""
    return f"{shown(path)}  {numbers.bytes_(size)}"


def size_lines(section_bytes: dict[str, int]) -> list[str]:
    """List the bytes of each part of the page, largest first, in lines of up to 100 characters."""
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


def inspection_lines(inspection: Mapping[str, Any]) -> list[str]:
    """Describe a model file, a line for each fact and note; see `Inspection`."""
    facts = {
        "format": inspection["format"],
        "parameters": inspection["parameters"],
        "images": inspection["input_shape"],
        "code": inspection["code_shape"],
        "variational": "yes" if inspection["is_variational"] else None,
    }
    lines = []
    for name, fact in facts.items():
        if fact is not None:
            is_shape = isinstance(fact, tuple | list)
            lines.append(f"{name:<12}{shown(' × '.join(map(str, fact)) if is_shape else fact)}")
    notes = inspection["notes"]
    return lines + [f"{shown(n['topic']):<12}{shown(n['text'], LONGEST_NOTE)}" for n in notes]
