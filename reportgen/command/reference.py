"""Prints docs/command-line.md from the commands: `python -m reportgen.command.reference`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from reportgen.command.cli import main

HEAD = """# The command line

Made by `python -m reportgen.command.reference` from the commands themselves. Settings may also
stand in `reportgen.toml`, under the option's name with underscores, such as `max_seconds = 60`.
"""
TAIL = """
Exit codes: 0 done, 1 a bug in reportgen, 2 bad input, 3 done but a section failed, 4 a rule is
broken.
"""


def reference() -> str:
    """Every command with its arguments and options, as Markdown."""
    return HEAD + "".join(map(_command, main.commands.values())) + TAIL


def _command(command: click.Command) -> str:
    context = click.Context(command, info_name=f"reportgen {command.name}")
    lines = ["", f"## reportgen {command.name}", "", *_paragraphs(command.help or ""), ""]
    lines += ["| option | meaning |", "|---|---|"]
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            record = parameter.get_help_record(context)
            assert record is not None, f"{parameter.name} is hidden"
            flags, meaning = (text.replace("|", "\\|") for text in record)
            lines.append(f"| `{flags}` | {meaning} |")
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> Iterator[str]:
    """A help text without the line breaks that its source has."""
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield ""
        yield " ".join(paragraph.split())


if __name__ == "__main__":
    click.echo(reference(), nl=False)
