"""The code in docs/frameworks.md runs, section after section, as a reader would type it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import reportgen
from tests.api.test_report import QUICK

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "frameworks.md"
SECTIONS = dict(
    re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", DOCUMENT.read_text("utf-8"), re.S | re.M)
)

pytestmark = pytest.mark.documents


def blocks_of(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """What the page defines ahead of its sections, and in the one on PyTorch."""
    found: dict[str, Any] = {}
    for block in blocks_of(DOCUMENT.read_text("utf-8").partition("## ")[0]):
        exec(compile(block, str(DOCUMENT), "exec"), found)
    return found


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_makes_a_report(
    section: str, names: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = reportgen.build

    def quick(*given: Any, **said: Any) -> reportgen.Report:
        return build(*given, **{**QUICK, **said})

    # The arguments are the document's; fewer rows are behind each number.
    monkeypatch.setattr(reportgen, "build", quick, raising=False)
    monkeypatch.chdir(tmp_path)
    names.pop("report", None)
    blocks = blocks_of(SECTIONS[section])
    assert blocks
    for block in blocks:
        exec(compile(block, str(DOCUMENT), "exec"), names)
    if section == "Lightning":
        assert (tmp_path / "reports" / "epoch-002.html").stat().st_size > 100_000
        return
    r2 = names["report"]["reconstruction.r2"].value
    # The model of diffusers has random weights, and the directions of NumPy's are random.
    assert (r2 > 0.2) == (section not in {"diffusers", "NumPy"}), r2


def test_the_sections_are_the_frameworks_that_the_documents_promise() -> None:
    assert list(SECTIONS) == [
        "PyTorch",
        "Lightning",
        "diffusers",
        "scikit-learn",
        "Keras",
        "JAX",
        "NumPy",
    ]
