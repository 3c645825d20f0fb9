"""A request to end, as batch systems and closed terminals send it, as an exception."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def ended_gently() -> Iterator[None]:
    """Within this block a request to end lets what was begun be taken back first."""
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread may say what signals do; it is not this one that they end.
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    kinds = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {kind: signal.getsignal(kind) for kind in kinds}
    try:
        for kind in kinds:
            if before[kind] == signal.SIG_DFL:
                signal.signal(kind, end)
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
