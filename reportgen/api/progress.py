"""Progress of a build as a Python program hears of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from reportgen.errors import SettingsError
from reportgen.process.progress import QuietProgress, TerminalProgress


def progress_of(said: bool | Callable[[str], object] | None) -> QuietProgress:
    """Lines on standard error for True, calls of a function, or silence.

    Raises SettingsError for anything else.
    """
    if said is True:
        return TerminalProgress()
    if said is None or said is False:
        return LoggedProgress()
    if callable(said):
        return CalledProgress(said)
    raise SettingsError("progress must be True, False, or a function that takes a step's name.")


class LoggedProgress(QuietProgress):
    """Silence, but for what a library prints, which goes to the logger "reportgen"."""

    def said(self, line: str) -> None:
        """Log a line that a library, or code of the user's, has printed in the confined process."""
        logging.getLogger("reportgen").warning(line)


class CalledProgress(LoggedProgress):
    """Calls a function with the name of each step as it begins."""

    def __init__(self, called: Callable[[str], object]) -> None:
        super().__init__()
        self._called = called

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Within this block, `name` is what is being done."""
        self._called(name)
        with super().step(name):
            yield
