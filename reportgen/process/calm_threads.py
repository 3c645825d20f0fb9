"""How the numerical libraries' threads share the cores."""

from __future__ import annotations

import os
import sys

SWITCH_SECONDS = 2e-4


def calm_threads() -> None:
    """Let threads that wait sleep; call before numpy and torch are imported.

    torch's OpenMP threads and numpy's BLAS threads take turns here, and each keeps the cores busy
    while it waits for the other: on two shared cores a build took three times as long. Only the
    decoder's threads are left; what the user has set stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # A model's thread asks for Python's lock after every layer; by default it would wait 5 ms.
    sys.setswitchinterval(SWITCH_SECONDS)
