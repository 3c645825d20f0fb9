"""docs/oracles.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_and_file_that_the_table_of_oracles_names_exists() -> None:
    text = (ROOT / "docs" / "oracles.md").read_text(encoding="utf-8")
    files = set(re.findall(r"`(tests/[\w/]+\.py)`", text))
    assert len(files) > 20
    defined = {
        name
        for path in files | {"tests/engine/test_coalitions.py"}
        for name in re.findall(r"^def (test_\w+)", (ROOT / path).read_text(encoding="utf-8"), re.M)
    }
    named = set(re.findall(r"`(test_\w+)`", text))
    assert len(named) > 80
    assert named <= defined, sorted(named - defined)
