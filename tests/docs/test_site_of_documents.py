"""The documents make a site without a warning, and the tutorial in them runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.documents


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site that `mkdocs build --strict` makes of a copy; strict makes an error of a warning."""
    copy = tmp_path_factory.mktemp("documents")
    for path in [*ROOT.glob("*.md"), ROOT / "LICENSE", ROOT / "mkdocs.yml", ROOT / "justfile"]:
        shutil.copy(path, copy)
    shutil.copytree(ROOT / "docs", copy / "docs")
    # Pages link to it by its name alone.
    (copy / "tests" / "extension").mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", copy / "site"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return copy / "site"


def test_every_document_is_a_page(site: Path) -> None:
    pages = {path.parent.relative_to(site).as_posix() for path in site.rglob("index.html")}
    named = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert pages >= named | {".", "tutorial", "ci", "security", "contributing", "changelog"}


def test_no_page_takes_anything_from_the_network_when_it_opens(site: Path) -> None:
    for path in site.rglob("index.html"):
        loaded = re.findall(
            r"<(?:script|link|img|iframe)[^>]* (?:src|href)=\"(https?:[^\"]*)", path.read_text()
        )
        assert loaded == [], path


def test_the_tutorial_shows_what_its_cells_made(site: Path) -> None:
    text = (site / "tutorial" / "index.html").read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") >= 3
    assert "&lt;Figure size" not in text
    assert 'srcdoc="' in text
    for said in ("Valid, but off data", "Is zero-and-subtract valid?     No", ": pass, "):
        assert said in text, said


def test_the_tutorial_is_stored_without_outputs() -> None:
    cells = json.loads((ROOT / "docs" / "tutorial.ipynb").read_text(encoding="utf-8"))["cells"]
    assert all(not cell["outputs"] for cell in cells if cell["cell_type"] == "code")
