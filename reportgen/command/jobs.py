"""The process that does a job, and the end of a command that could not be done."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import click

from reportgen.command.group import BAD_INPUT
from reportgen.errors import BugError, ReportgenError
from reportgen.shown import shown

if TYPE_CHECKING:
    from reportgen.outcome import BuildOutcome

BUG = 1
LONGEST_SENTENCE = 4000


def builder(trust: bool) -> Callable[..., BuildOutcome | None]:
    """Choose what makes a report: a confined process, or for trusted files this one."""
    if not trust:
        from reportgen.confined.jobs import build as build_confined

        return build_confined
    _prepare()
    from reportgen.job import build

    _freeze()
    return build


def inspector(trust: bool) -> Callable[..., dict[str, Any]]:
    """Choose what describes a model file: a confined process, or for trusted files this one."""
    if not trust:
        from reportgen.confined.jobs import inspect as inspect_confined

        return inspect_confined
    _prepare()
    from reportgen.job import inspect

    _freeze()
    return lambda *arguments: inspect(*arguments).as_json()


def end_with(error: ReportgenError | BugError) -> NoReturn:
    """End the command: bad input is one sentence, a bug its traceback."""
    if isinstance(error, BugError):
        click.echo(str(error), err=True)
        sys.exit(BUG)
    click.echo(f"reportgen: {shown(error, LONGEST_SENTENCE)}", err=True)
    sys.exit(BAD_INPUT)


def _prepare() -> None:
    """Set what has to be set before numerical libraries are imported."""
    from reportgen.process.calm_threads import calm_threads

    calm_threads()


def _freeze() -> None:
    """Spare imports the garbage collector: each full collection would look through all of them."""
    import gc

    gc.freeze()
