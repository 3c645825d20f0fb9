"""The time that a build may take, counted from its command's start."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from reportgen.errors import SettingsError


class OutOfTimeError(Exception):
    """The time that a build may take leaves none for what was to be computed."""


@dataclass(frozen=True)
class Clock:
    """Seconds since a build began, in whichever process of the machine.

    Attributes
    ----------
    started : the beginning, by `time.monotonic`.
    """

    started: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.started


class Deadline:
    """A moment after which no more images are computed; there is none until one is set."""

    def __init__(self) -> None:
        self._at = math.inf

    def set(self, seconds: float) -> None:
        """Let it be so many seconds from now."""
        self._at = time.monotonic() + seconds

    @property
    def is_past(self) -> bool:
        """Tell whether it is over."""
        return time.monotonic() > self._at

    def check(self) -> None:
        """Raise OutOfTimeError where it is over."""
        if self.is_past:
            raise OutOfTimeError("the time is over")


@contextmanager
def in_time(seconds: float | None) -> Iterator[None]:
    """Raise SettingsError where the time is over before there is anything to ask questions of."""
    try:
        yield
    except OutOfTimeError as error:
        raise SettingsError(
            f"--max-seconds {seconds or 0:g} was over before the images were encoded; allow more "
            "seconds, or read fewer images with --limit."
        ) from error
