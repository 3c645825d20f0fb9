"""What the documents say there is, and what there is: commands, options, keys of results.json."""

from __future__ import annotations

import re
from pathlib import Path

from reportgen.command.number_names import numbers_page
from reportgen.command.reference import reference
from reportgen.questions import QUESTIONS
from reportgen.report.schema import derived_schema

DOCS = Path(__file__).parents[2] / "docs"


def test_the_command_line_s_reference_is_made_from_the_commands() -> None:
    command = "python -m reportgen.command.reference > docs/command-line.md"
    assert (DOCS / "command-line.md").read_text(encoding="utf-8") == reference(), command


def test_every_key_of_results_json_stands_in_its_document() -> None:
    text = (DOCS / "results.md").read_text(encoding="utf-8")
    named = {name for part in re.findall(r"`([^`]+)`", text) for name in re.findall(r"\w+", part)}
    assert set(derived_schema(QUESTIONS)["properties"]) - named == set()


def test_the_page_of_numbers_is_made_from_the_types() -> None:
    command = "python -m reportgen.command.number_names > docs/numbers.md"
    assert (DOCS / "numbers.md").read_text(encoding="utf-8") == numbers_page(), command
