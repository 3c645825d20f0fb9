"""Threads that still work for reportgen when a test has ended.

Sprites are encoded and blocks decoded on threads. A test that leaves before they are done would let
the next one count their memory and time as its own.
"""

from __future__ import annotations

import sys
import threading
import time
from types import FrameType

SECONDS_TO_END = 60


def wait_for_them() -> None:
    """Return when there are none. Raises AssertionError where one does not end."""
    until = time.monotonic() + SECONDS_TO_END
    while at_work := threads_at_work():
        assert time.monotonic() < until, f"still at work after the test: {', '.join(at_work)}"
        time.sleep(0.01)


def threads_at_work() -> list[str]:
    """Names of other threads that are inside of reportgen: those of an idle pool are not."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return [
        names.get(thread, "a thread")
        for thread, frame in sys._current_frames().items()
        if thread != threading.get_ident() and _is_in_reportgen(frame)
    ]


def _is_in_reportgen(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] == "reportgen":
            return True
        frame = frame.f_back
    return False
