"""A ceiling on memory while a stranger's graph runs for the first time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

HEADROOM = 4 * 2**30


@contextlib.contextmanager
def memory_limit(headroom: int = HEADROOM) -> Iterator[None]:
    """Limit the memory of the process within this block to `headroom` bytes more than it has.

    An allocation beyond that fails, as a RuntimeError of torch's or a MemoryError. Only Linux keeps
    such a limit; elsewhere this does nothing.
    """
    status = Path("/proc/self/statm")
    try:
        import resource

        pages = int(status.read_text().split()[0])
    except (ImportError, OSError):
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + headroom
    if soft != resource.RLIM_INFINITY and soft < limit:
        yield
        return
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
