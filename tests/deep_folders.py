"""Folders in folders, deeper than Python's recursion goes, that are gone after the test."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def deep_folders(top: Path, depth: int) -> Iterator[Path]:
    """Make top/a/a/…, so many deep, and give top/a; remove all of it in the end.

    pytest's own removal, some sessions later, calls itself for each folder in a folder.
    """
    here = Path.cwd()
    os.chdir(top)
    try:
        for _ in range(depth):
            Path("a").mkdir()
            os.chdir("a")
        Path("results.json").write_text("{}")
        os.chdir(here)
        yield top / "a"
    finally:
        os.chdir(here)
        subprocess.run(["rm", "-rf", str(top / "a")], check=True)
