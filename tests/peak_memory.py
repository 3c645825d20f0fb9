"""How much memory numpy's arrays and Python's objects took while something ran."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def peak_of(run: Callable[[], Result], allowed: float) -> tuple[Result, int]:
    """What it gives, and the most bytes that numpy and Python held while it ran.

    Where they are more than allowed, it runs once more, and that counts: the interpreter's own
    tables double now and then, whoever happens to run (that of interned strings by 15 MB once the
    tests have imported everything), and modules are imported when they are first needed.
    """
    for _ in range(2):
        gc.collect()
        tracemalloc.start()
        try:
            result, peak = run(), tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        if peak < allowed:
            break
    return result, peak
