"""Surroundings of a build, in a process of its own or in the caller's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from reportgen.process.clock import Clock
from reportgen.process.ranks import ALONE, Ranks
from reportgen.process.scratch import Scratch


def open_binary(path: Path) -> BinaryIO:
    """A file's bytes, read by this process itself."""
    return path.open("rb")


@dataclass(frozen=True)
class Surroundings:
    """The doors through which a build meets its system.

    Attributes
    ----------
    ranks : the processes that share the rows.
    scratch : room on disk for codes that are many.
    open_file : opens an image by its path.
    keep_codes : keeps an entry of the cache, by its name and its content in pieces; None where
        the build writes it itself.
    written_over : device and inode of each file that the report will be written over.
    confinement : a sentence: what the process that read the files could do.
    clock : the time since the build began.
    """

    ranks: Ranks = ALONE
    scratch: Scratch = field(default_factory=Scratch)
    open_file: Callable[[Path], BinaryIO] = open_binary
    keep_codes: Callable[[str, Iterable[bytes | memoryview]], None] | None = None
    written_over: frozenset[tuple[int, int]] = frozenset()
    confinement: str = "None: everything was read in the caller's own process."
    clock: Clock = field(default_factory=Clock)
