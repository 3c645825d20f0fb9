"""How much memory numpy's arrays took while something ran."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def peak_of(run: Callable[[], Result]) -> tuple[Result, int]:
    """What it gives, and the most bytes that numpy and Python held while it ran."""
    tracemalloc.start()
    try:
        return run(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
