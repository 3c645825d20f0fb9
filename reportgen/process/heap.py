"""When freed memory goes back to the system: after an analysis, and not after every batch."""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import Any

LARGEST_REUSED = 16 * 2**20
MOST_REUSED = 32 * 2**20
# From malloc.h.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3


def reuse_freed_memory() -> None:
    """Ask the C library to keep so much of what is free in each thread; only glibc does.

    Otherwise a thread's heap shrinks after every batch and grows in the next: measured 1,000
    page faults for 64 images, a third of a small decoder's time.
    """
    set_option = _of_c_library("mallopt")
    if set_option is not None:
        set_option(M_MMAP_THRESHOLD, LARGEST_REUSED)
        set_option(M_TOP_PAD, MOST_REUSED)
        set_option(M_TRIM_THRESHOLD, 2 * MOST_REUSED)


def return_freed_memory() -> None:
    """Ask the C library to return what is free; does nothing where it cannot (macOS, Windows).

    Otherwise holes between what stays are enough to keep gigabytes: measured 3.3 GB resident where
    1.4 GB were in use.
    """
    trim = _of_c_library("malloc_trim")
    if trim is not None:
        trim(0)


def return_unreachable_memory() -> None:
    """Let go of what only refers to itself, and return all that is free.

    A library that catches an error while it is imported may leave the error, and with it all
    frames that wanted the import and their arrays: measured 1.2 GB under the page.
    """
    gc.collect()
    return_freed_memory()


def _of_c_library(name: str) -> Any:
    """One of Linux's functions, or None."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
