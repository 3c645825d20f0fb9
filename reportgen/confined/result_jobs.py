"""Jobs on results from the parent's side: a confined child reads them, and its word is checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from reportgen.checks.checking import Checked, CheckRequest
from reportgen.checks.outcomes import outcomes_of
from reportgen.collection.entries import EntryRequest, ReadEntry, entry_of_plain
from reportgen.comparison.comparing import Compared, CompareRequest
from reportgen.confined.jobs import run_on_results
from reportgen.confined.received import BESIDE_NAME, files_of
from reportgen.confined.result_tasks import (
    CheckTask,
    CompareTask,
    EntriesTask,
    SettingsTask,
)
from reportgen.delivery.collisions import Input
from reportgen.delivery.output import RESULTS_FILES
from reportgen.process.channel import Channel, ChannelError, Message
from reportgen.process.confinement import Held
from reportgen.report.number_places import NamedNumber
from reportgen.settings import Settings, settings_of
from reportgen.shown import shown
from reportgen.statistics.bootstrap import Estimate

LONGEST_TEXT = 5000
ENTRY_FILE = re.compile(r"preview\.png|index\.html|" + BESIDE_NAME.pattern)


def check(request: CheckRequest) -> Checked:
    """Hold rules against results that a confined child reads.

    Raises a ReportgenError for bad input; BugError for a fault of ours.
    """
    paths = [request.results, *([request.baseline] if request.baseline else [])]
    done = _run(CheckTask(request), paths)
    if len(done.parts) != 2:
        raise ChannelError("the check is not whole")
    try:
        outcomes = outcomes_of(done.fields.get("outcomes"))
    except ValueError as error:
        raise ChannelError("what became of the rules is not told") from error
    return Checked(
        title=shown(done.text("title", LONGEST_TEXT)),
        outcomes=outcomes,
        numbers=_numbers(done.fields.get("numbers")),
        summary=done.parts[0],
        preview=done.parts[1],
    )


def settings_in(path: Path) -> Settings:
    """The settings that a report was made with, but for its title.

    Raises a ReportgenError for bad input; BugError for a fault of ours.
    """
    plain = _run(SettingsTask(path), [path]).fields.get("settings")
    if not isinstance(plain, dict):
        raise ChannelError("the settings are not told")
    return settings_of(plain | {"title": None}, f"the report at {shown(path)}")


def compare(request: CompareRequest) -> Compared:
    """Put reports beside each other, read by a confined child; nothing is written.

    Raises a ReportgenError for bad input; BugError for a fault of ours.
    """
    done = _run(CompareTask(request), request.reports)
    lines, differs = (done.fields.get(name) for name in ("lines", "differs"))
    if not isinstance(lines, list) or not isinstance(differs, list):
        raise ChannelError("what came of the comparison is not told")
    return Compared(
        files_of(done),
        tuple(shown(line, LONGEST_TEXT) for line in lines),
        tuple(shown(name) for name in differs),
    )


def entries(requests: list[EntryRequest]) -> list[ReadEntry]:
    """Entries of some reports for the index of a site, read by a confined child.

    Raises a ReportgenError where the child dies; BugError for a fault of ours.
    """
    done = _run(EntriesTask(tuple(requests)), [request.folder for request in requests])
    told, parts = done.fields.get("entries"), list(done.parts)
    if not isinstance(told, list) or len(told) != len(requests):
        raise ChannelError("the entries are not whole")
    read = []
    try:
        for plain in told:
            names = [str(name) for name in plain["files"]]
            if not all(ENTRY_FILE.fullmatch(name) for name in names) or len(names) > len(parts):
                raise ValueError("a file would lie where none of a report's does")
            files = dict(zip(names, parts[: len(names)], strict=True))
            parts = parts[len(names) :]
            read.append(ReadEntry(entry_of_plain(plain["entry"]), files))
    except (KeyError, TypeError, ValueError) as error:
        raise ChannelError("the entries are not whole") from error
    return read


def inputs_at(path: Path, flag: str) -> tuple[Input, ...]:
    """The files that are read where results are: not the folder, which may hold a summary too."""
    if path.is_dir():
        return tuple(Input(f"{name} of {flag}", path / name) for name in RESULTS_FILES)
    return (Input(flag, path),)


def _numbers(plain: Any) -> tuple[NamedNumber, ...]:
    try:
        return tuple(_number(number) for number in plain)
    except (KeyError, TypeError, ValueError) as error:
        raise ChannelError("the numbers are not told") from error


def _number(plain: Any) -> NamedNumber:
    name, shape = shown(plain["name"], LONGEST_TEXT), tuple(int(side) for side in plain["shape"])
    value, low, high = plain["value"], plain["low"], plain["high"]
    if value is None or isinstance(value, bool):
        return NamedNumber(name, value, shape)
    if low is None or high is None:
        return NamedNumber(name, value if type(value) is int else float(value), shape)
    return NamedNumber(name, Estimate(float(value), float(low), float(high)), shape)


def _run(task: Callable[[Channel, Held], None], paths: Iterable[Path]) -> Message:
    return run_on_results(task, [file for path in paths for file in _readable(path)])


def _readable(path: Path) -> list[Path]:
    """All files that belong to results at a path: beside a results.json its arrays."""
    if path.is_dir():
        return [path]
    beside = [path.parent / name for name in (*RESULTS_FILES, "assets")]
    return [path, *(file for file in beside if file.exists() and file != path)]
