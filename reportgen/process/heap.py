"""Freed memory goes back to the system."""

from __future__ import annotations

import ctypes
import sys


def return_freed_memory() -> None:
    """Ask the C library to return what is free; does nothing where it cannot (macOS, Windows).

    Otherwise holes between what stays are enough to keep gigabytes: measured 3.3 GB resident where
    1.4 GB were in use, and 100 MB of a small build.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
