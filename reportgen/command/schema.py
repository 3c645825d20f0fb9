"""Prints the JSON Schema of results.json: `python -m reportgen.command.schema`."""

from __future__ import annotations

import json

import click

from reportgen.questions import QUESTIONS
from reportgen.report.schema import derived_schema

if __name__ == "__main__":
    click.echo(json.dumps(derived_schema(QUESTIONS), ensure_ascii=False, indent=1))
