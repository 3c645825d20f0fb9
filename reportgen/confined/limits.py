"""Limits on a confined process's memory and time, and how to raise them.

`--memory` says how much images, and what is computed from them, may take. The libraries, the model
and what it computes come on top: 4 GB, four times the size of the model's files, and half a GB for
each of up to eight threads that decode at once. That is a ceiling for files that ask for anything,
not what a build takes.

The limit is on memory that a process has for itself (RLIMIT_DATA). A limit on addresses (RLIMIT_AS)
also counts libraries and files that are mapped for reading: torch alone takes 4 GB of those, an
array of 100 GB that is read in parts all of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

LIBRARIES = 4 * 10**9
TIMES_THE_MODEL = 4
A_THREAD, MOST_THREADS = 5 * 10**8, 8
# Seconds of computing for each that --max-seconds allows for decoding, and besides.
TIMES_THE_SECONDS, BESIDES = 10, 600


def memory_limit(memory_bytes: int, models: Iterable[Path], device: str) -> int | None:
    """Bytes that the process may have for itself; None with a GPU, whose driver takes its own."""
    if device != "cpu":
        return None
    files = sum(_size(path) for path in models)
    threads = min(_cores(), MOST_THREADS)
    return memory_bytes + LIBRARIES + TIMES_THE_MODEL * files + threads * A_THREAD


def time_limit(max_seconds: float | None) -> int | None:
    """Seconds of computing, of all cores together; None without --max-seconds."""
    if max_seconds is None:
        return None
    return int((TIMES_THE_SECONDS * max_seconds + BESIDES) * _cores())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    try:
        if not path.is_dir():
            return path.stat().st_size
        return sum(_size(entry) for entry in path.iterdir() if not entry.is_symlink())
    except OSError:
        return 0
