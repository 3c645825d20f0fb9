"""A report, an inspection or an outcome as a child sent it: checked before it is used."""

from __future__ import annotations

import re
from typing import Any

from reportgen.delivery.delivery import ReportFiles
from reportgen.outcome import BuildOutcome
from reportgen.process.channel import ChannelError, Message
from reportgen.shown import shown
from reportgen.suite.profile import Cost

BESIDE_NAME = re.compile(r"assets/[A-Za-z0-9_-][A-Za-z0-9._-]*")
LARGEST_PAGE = 2**27
LONGEST_LINE = 500


def files_of(done: Message) -> ReportFiles:
    """The files that came, none of them larger or elsewhere than a report's."""
    beside = done.fields.get("beside")
    if not isinstance(beside, list) or len(done.parts) != 5 + len(beside):
        raise ChannelError("the report is not whole")
    html, results, images, summary, preview, *others = done.parts
    if len(html) + sum(map(len, others)) > LARGEST_PAGE:
        raise ChannelError("the page is larger than any")
    if not all(isinstance(name, str) and BESIDE_NAME.fullmatch(name) for name in beside):
        raise ChannelError("a file would lie where none of a report's does")
    files = dict(zip(beside, others, strict=True))
    return ReportFiles(html, files, results, images, summary, preview)


def inspection_of(done: Message) -> dict[str, Any]:
    """Return what `Inspection.as_json` gave. Raises ChannelError for what it cannot have given."""
    found = done.fields.get("inspection")
    if not isinstance(found, dict) or not isinstance(found.get("notes"), list):
        raise ChannelError("no inspection came")
    names = {"format", "parameters", "input_shape", "code_shape", "is_variational", "problem"}
    notes = (set(note) if isinstance(note, dict) else None for note in found["notes"])
    if not names <= set(found) or any(note != {"topic", "text"} for note in notes):
        raise ChannelError("the inspection is not whole")
    return found


def outcome_of(done: Message) -> BuildOutcome:
    """Return what became of the report. Raises ChannelError for what the job cannot have told."""
    fields = done.fields
    sections, plain = fields.get("section_bytes", {}), fields.get("checks", [])
    if plain:
        from reportgen.checks.outcomes import outcomes_of
    try:
        profile = tuple(
            Cost(
                shown(cost["name"]),
                int(cost["decodes"]),
                int(cost["encodes"]),
                float(cost["model_seconds"]),
                float(cost["seconds"]),
            )
            for cost in fields.get("profile", [])
        )
        section_bytes = {shown(name): int(size) for name, size in sections.items()}
        answers = tuple(shown(line, LONGEST_LINE) for line in fields.get("answers", []))
        checks = outcomes_of(plain) if plain else ()
    except (TypeError, KeyError, AttributeError, ValueError, OverflowError) as error:
        raise ChannelError("what became of the report is not told") from error
    return BuildOutcome(
        answers,
        fields.get("failed") is True,
        done.count("page_bytes", LARGEST_PAGE),
        section_bytes,
        profile,
        checks,
    )
