"""Prints docs/numbers.md from the types: `python -m reportgen.command.number_names`."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from typing import Any

import click

from reportgen.questions import QUESTIONS
from reportgen.report.name_path import VERDICT_SECTIONS
from reportgen.report.number_places import names_in
from reportgen.report.results import Results
from reportgen.report.typed import hints_of

HEAD = """# The numbers of a report by name

Made by `python -m reportgen.command.number_names` from the types of the results.

`reportgen check` and `report["…"]` in Python name a number by the way to it through results.json:

- Names of fields stand behind dots; a name that is no word stands in quotation marks, as
  `off_data.panels."last-in ablation"`.
- Places in lists stand in brackets, from 0: `units[0].share` is the share of the strongest unit,
  since units are listed by share, and `units[0].index` its place in the code.
- A number with an interval stands for its value; `.value`, `.low` and `.high` are its parts.
- `min(PATH)`, `max(PATH)` and `mean(PATH)` look at every entry of the lists on the way:
  `max(units.damage.high)`. Numbers that were not measured are left out.
- `count(PATH)` counts the entries whose value is there and not empty, as `count(units.health)`;
  `count(units.health, collapsed)` those that hold a word.
- `verdict.NAME` is the number behind a line of the verdict.

`reportgen check RESULTS --list` prints those that a report has, with their values. Below, `[0]`
stands for any place in a list, `NAME` for any name.
"""
# Of the whole report, and not of one question.
OWN = "pixel_range", "units", "off_data", "settings", "provenance"


def numbers_page() -> str:
    """All names that a number can have, by question, as Markdown."""
    return HEAD + "".join(_part(title, names) for title, names in _parts() if names)


def _parts() -> Iterator[tuple[str, list[str]]]:
    yield "verdict", [f"verdict.{name}" for name in VERDICT_SECTIONS]
    hints = hints_of(Results)
    for field in dataclasses.fields(Results):
        if field.name in OWN:
            yield field.name, list(names_in(hints[field.name], (field.name,)))
    for question in QUESTIONS:
        if question.answer is not None:
            answer = typing.cast(Any, question.answer)
            yield question.name, list(names_in(answer, (question.name,)))


def _part(title: str, names: list[str]) -> str:
    return f"\n## {title}\n\n" + "".join(f"- `{name}`\n" for name in names)


if __name__ == "__main__":
    click.echo(numbers_page(), nl=False)
