"""The command's outermost layer: what it prints may find no room."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import click

BAD_INPUT = 2


class SpeakingGroup(click.Group):
    """A group of commands that ends with one sentence where standard output takes nothing more."""

    def main(self, *arguments: Any, **keywords: Any) -> Any:
        """See click; exits with 2 where what was printed cannot be written."""
        try:
            try:
                return super().main(*arguments, **keywords)
            finally:
                if sys.stdout is not None:
                    sys.stdout.flush()
        except OSError as error:
            if not _raised_by_printing(error):
                raise
            _give_up_stdout()
            if error.errno == errno.EPIPE:
                # Whoever read it has read enough, as head does.
                sys.exit(1)
            click.echo(
                f"reportgen: Standard output cannot be written: {error.strerror or error}; the "
                "files that were asked for are.",
                err=True,
            )
            sys.exit(BAD_INPUT)


def _raised_by_printing(error: OSError) -> bool:
    """Tell whether an error came out of click's echo, or of the last flush here."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = trace.tb_frame.f_globals["__name__"] if trace is not None else ""
    return module == __name__ or module.partition(".")[0] == "click"


def _give_up_stdout() -> None:
    """Let what is left go nowhere: Python writes it once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
