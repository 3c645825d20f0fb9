"""Gives freed memory back to the operating system."""

from __future__ import annotations

import ctypes
import sys


def return_freed_memory() -> None:
    """Ask the C library to return what is free; does nothing where it cannot (macOS, Windows).

    The library alone keeps the holes between arrays that stay, gigabytes of them: measured 3.3 GB
    resident where 1.4 GB were in use, and 100 MB in a small build.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
