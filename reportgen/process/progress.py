"""Progress of a build, told to the terminal while it runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class QuietProgress:
    """Says nothing, but keeps the seconds of each step, by its name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Within this block, `name` is what is being done."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

    def decoded(self, count: int, left: float | None = None) -> None:
        """`count` more codes were decoded; the rest should take `left` seconds, where known."""

    def planned(self, sentence: str) -> None:
        """Pass on what the build will take, and what was spared."""

    def encoded(self, done: int, of: int) -> None:
        """The pass over all images has come this far."""

    def said(self, line: str) -> None:
        """Pass on a line that a library, or code of the user's, has printed."""
        print(line, file=sys.stderr)


class PlainProgress(QuietProgress):
    """Says what a long build will take, on standard error that is no terminal, and no more."""

    def planned(self, sentence: str) -> None:
        """Print it as a line, where there is something to say."""
        if sentence:
            print(sentence, file=sys.stderr, flush=True)


class TerminalProgress(QuietProgress):
    """A line for each step on standard error, with its decodes and seconds."""

    def __init__(self) -> None:
        from rich.console import Console

        super().__init__()
        self._console = Console(stderr=True, highlight=False)
        self._status: Any = None
        self._name = ""
        self._decodes = 0
        self._started = 0.0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Within this block, a spinner names the step; after it, its line stays."""
        self._name, self._decodes, self._started = name, 0, time.perf_counter()
        before = self.seconds.get(name, 0.0)
        with self._console.status(name) as self._status, super().step(name):
            yield
        seconds = self.seconds[name] - before
        decodes = f"{self._decodes:>8,} decodes" if self._decodes else " " * 16
        self._console.print(f"  {name:<26}{decodes}{seconds:>8.1f} s")

    def decoded(self, count: int, left: float | None = None) -> None:
        """Show the running count beside the step's name, and the seconds that are left."""
        self._decodes += count
        if self._status is not None:
            rest = "" if left is None else f", about {left:,.0f} s left"
            self._status.update(f"{self._name}  {self._decodes:,} decodes{rest}")

    def planned(self, sentence: str) -> None:
        """Print it above the spinner, where there is something to say."""
        if sentence:
            self._console.print(sentence, markup=False)

    def encoded(self, done: int, of: int) -> None:
        """Show the images encoded so far, and the seconds that the rest should take."""
        if self._status is None:
            return
        left = (time.perf_counter() - self._started) * (of - done) / done
        self._status.update(f"{self._name}  {done:,} of {of:,} images, about {left:,.0f} s left")

    def said(self, line: str) -> None:
        """Pass on a line above the spinner."""
        self._console.print(line, markup=False)
