"""A confined child's stand-in: its task runs on a thread of this process.

The messages, the doors and what is checked of them are the same. Nothing is held, and a library is
imported once for all tests, not once for each; code coverage sees what the task runs.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
from types import TracebackType
from typing import Any, Self

from reportgen.process.channel import Channel
from reportgen.process.child_main import ANY_SIZE, perform
from reportgen.process.child_process import ChildProcess
from reportgen.process.confinement import Held

NOT_HELD = Held(missing=("a test reads its own files in its own process",))


class ThreadInstead(ChildProcess):
    """See `ChildProcess`, whose place it takes where a test asks for no process of its own."""

    def __enter__(self) -> Self:
        self.held = NOT_HELD
        self._printed = _Nothing()
        from_child, to_parent = os.pipe()
        from_parent, to_child = os.pipe()
        self._ends = [
            *(os.fdopen(end, "rb") for end in (from_child, from_parent)),
            *(os.fdopen(end, "wb") for end in (to_parent, to_child)),
        ]
        parent_reads, child_reads, child_writes, parent_writes = self._ends
        self.channel = Channel(parent_reads, parent_writes, self._most_bytes)
        channel = Channel(child_reads, child_writes, ANY_SIZE)

        def run() -> None:
            # The parent may have had enough of it.
            with contextlib.suppress(Exception):
                perform(pickle.dumps(self._task), channel, NOT_HELD)
            child_writes.close()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        parent_reads, child_reads, _, parent_writes = self._ends
        for end in (parent_writes, parent_reads):
            with contextlib.suppress(OSError):
                end.close()
        self._thread.join()
        child_reads.close()

    def _receive(self) -> Any:
        message = self.channel.receive()
        assert message is not None, "a thread says how it ended"
        return message


class _Nothing:
    """The lines that a thread prints: they stand among the test's own."""

    def take(self, *, to_the_end: bool = False) -> list[str]:
        return []
