"""Prints the lowest version that pyproject.toml allows of each dependency but torch, for pip.

torch's own oldest builds for the CPU are not on every index, so the newest stands in for it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"

for requirement in tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]:
    name, _, lowest = requirement.partition(">=")
    if name != "torch":
        print(f"{name}=={lowest}")
