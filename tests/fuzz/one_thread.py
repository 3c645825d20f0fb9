"""One thread, for a process that is to fork: called before numpy and torch are imported."""

from __future__ import annotations

import os


def one_thread() -> None:
    """Keep libraries from starting threads of their own."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["JOBLIB_MULTIPROCESSING"] = "0"
    os.environ["JE_ARROW_MALLOC_CONF"] = "background_thread:false"
