"""The seconds that are left of a build, by what its plan expects and what has been seen."""

from __future__ import annotations

import time
from collections.abc import Mapping

# A question may take so many times more, or less, than is expected.
MOST_TIMES = 4
ENOUGH_SEEN = 2.0


class Schedule:
    """The questions of a plan, and how far they are.

    Parameters
    ----------
    expected : seconds of each question, in their order; empty where nobody has planned.
    after : seconds of what comes after them.
    """

    def __init__(self, expected: Mapping[str, float], after: float) -> None:
        self._waiting, self._after = dict(expected), after
        self._is_planned = bool(expected)
        self._now_expected = self._done_expected = self._done = 0.0
        self._started = time.monotonic()

    def begin(self, name: str) -> None:
        """Begin with the next question."""
        now = time.monotonic()
        self._done += now - self._started
        self._done_expected += self._now_expected
        self._now_expected, self._started = self._waiting.pop(name, 0.0), now

    @property
    def left(self) -> float | None:
        """Seconds until the page is there; None where nobody has planned."""
        if not self._is_planned:
            return None
        pace = 1.0
        if self._done_expected > ENOUGH_SEEN:
            pace = min(max(self._done / self._done_expected, 1 / MOST_TIMES), MOST_TIMES)
        current = pace * self._now_expected - (time.monotonic() - self._started)
        return max(0.0, current) + pace * sum(self._waiting.values()) + self._after
