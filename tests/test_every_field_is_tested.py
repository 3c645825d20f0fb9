"""No field of an answer without a test that looks at it; what is left is listed by name."""

from __future__ import annotations

import re
from pathlib import Path

from reportgen.questions import QUESTIONS
from reportgen.report.schema import derived_schema

TESTS = Path(__file__).parent
# Where numbers are held against something else; tests of pages and of files hold none.
ROOMS = "analyses", "statistics", "study", "suite", "live"
# Shown, written and read by tests of the page alone.
NO_NUMBERS = {"Settings", "Provenance", "VerdictLine", "Unit", "SourceFile", "Note"}
# Looked at by tests of another room.
ELSEWHERE = {
    # What trust and the questions found, gathered by the room that makes the page.
    "OffDataSummary.panels": "report/test_off_data_panels.py",
    "OffDataSummary.real_codes": "report/test_off_data_panels.py",
    # Of conditional models, which are tested together.
    "Contributions.class_starts": "loading/test_conditional.py",
}


def looked_at_in(text: str) -> set[str]:
    """Names of attributes and of keys."""
    return set(re.findall(r"\.(\w+)\b", text)) | set(re.findall(r'"(\w+)"', text))


def test_every_field_of_an_answer_is_looked_at_by_a_test_of_numbers() -> None:
    files = [file for room in ROOMS for file in (TESTS / room).glob("test_*.py")]
    looked_at = looked_at_in("\n".join(file.read_text(encoding="utf-8") for file in files))
    fields = {
        f"{kind}.{name}"
        for kind, definition in derived_schema(QUESTIONS)["$defs"].items()
        if kind not in NO_NUMBERS
        for name in definition["properties"]
        if name not in looked_at
    }
    assert fields == set(ELSEWHERE)


def test_fields_that_are_tested_in_other_rooms_are_looked_at_there() -> None:
    for field, file in ELSEWHERE.items():
        text = (TESTS / file).read_text(encoding="utf-8")
        assert field.partition(".")[2] in looked_at_in(text)
