"""Threads that wait sleep: no other line of the program saves as much, half a build's time.

torch's OpenMP threads and numpy's BLAS threads take turns, and by default each keeps the cores busy
while it waits for the other: measured on two cores, whole builds take 2.2 times as long, and on two
cores that others use too, three times.
"""

from __future__ import annotations

import os
import sys

SWITCH_SECONDS = 2e-4


def calm_threads() -> None:
    """Let threads that wait sleep; call before numpy and torch are imported.

    Environment variables that the user has set stay as they are.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # A model's thread asks for Python's lock after every layer; by default it would wait 5 ms.
    sys.setswitchinterval(SWITCH_SECONDS)
