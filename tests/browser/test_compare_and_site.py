"""The page of a comparison and the index of a site: every width, both themes, without scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reportgen.collection.entries import Entry
from reportgen.collection.index import IndexedReport, index_files
from reportgen.comparison.comparison import compare_sources
from reportgen.comparison.page import render_comparison
from reportgen.comparison.sources import Source
from reportgen.delivery.output import Output
from reportgen.questions import QUESTIONS
from reportgen.report.kept_arrays import CODES, ROWS
from reportgen.report.results import Results
from reportgen.report.store import image_arrays
from tests.browser.conftest import HOSTILE, OPEN_ALL
from tests.browser.serving import serving
from tests.browser.test_layouts import JENKINS, LikeJenkins
from tests.browser.test_page_in_chromium import AXE
from tests.browser.test_widths import TEXT_BEYOND_ITS_COLUMN
from tests.report.example import example_results

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NAMES = "comparison", "site"
WIDTHS = (320, 390, 768, 1280, 1920)


def source(name: str, results: Results, seed: int) -> Source:
    codes = np.random.default_rng(8).normal(size=(80, 4))
    codes = codes + 0.3 * np.random.default_rng(seed).normal(size=codes.shape)
    known = {CODES: codes.astype(np.float32), ROWS: np.arange(80)}
    return Source(name, results, image_arrays(results) | known)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of three reports and a site of many, as Jenkins serves folders."""
    made = tmp_path_factory.mktemp("made")
    results = example_results(units=4, side=16)
    named = replace(results, title=HOSTILE, data_name=HOSTILE)
    sources = [source("one", results, 1), source(HOSTILE, named, 2), source("three", results, 3)]
    compared = compare_sources(sources, QUESTIONS)
    page = render_comparison(compared, sources, f"one and {HOSTILE}", "folder")
    Output(made / "comparison", layout="folder").write(page.html, "", b"", page.files)
    words = tuple(line.word for line in results.verdict)
    number = results.answers["reconstruction"].r2
    whole = Entry("a model", "model.pt2", "images", "2026-01-01", words, (number,), 1, 2)
    entries = (whole, replace(whole, title=HOSTILE, data=HOSTILE), Entry(HOSTILE, error=HOSTILE))
    rows = [IndexedReport(f"runs-{k}", entry, "", "") for k, entry in enumerate(entries)]
    for name, data in index_files(rows, "Runs", ("reconstruction.r2",), "date", "").items():
        path = made / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return made


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[str]:
    with serving(folder, LikeJenkins) as address:
        yield address


@pytest.fixture
def opened(profile: Callable[..., Any], folder: Path) -> Iterator[Callable[..., Any]]:
    """opened("site", dark=True, scripts=False): an index.html from disk, everything unfolded."""
    pages = []

    def open_page(name: str, *, dark: bool = False, scripts: bool = True, axe: bool = False) -> Any:
        page = profile("wide", dark, scripts, axe).new_page()
        pages.append(page)
        page.goto((folder / name / "index.html").as_uri())
        page.evaluate(OPEN_ALL)
        return page

    yield open_page
    for page in pages:
        page.close()


@pytest.mark.parametrize("name", NAMES)
def test_neither_page_nor_text_is_wider_than_its_place(opened: Any, name: str) -> None:
    page = opened(name)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(TEXT_BEYOND_ITS_COLUMN) == []


@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_no_violation_in_either_theme(opened: Any, name: str) -> None:
    for dark in (False, True):
        page = opened(name, dark=dark, axe=True)
        page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert [
            f"{rule['id']}: {node['html'][:160]}"
            for rule in found["violations"]
            for node in rule["nodes"][:3]
        ] == []


@pytest.mark.parametrize("name", NAMES)
def test_all_is_there_without_scripts_under_jenkins_s_header(
    chromium: Any, served: str, name: str
) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    refused: list[str] = []
    page.on("requestfailed", lambda request: refused.append(request.url))
    header = page.goto(f"{served}/{name}/").headers["content-security-policy"]
    assert header == JENKINS
    page.evaluate(OPEN_ALL)
    broken = "[...document.querySelectorAll('main img')].filter((i) => !i.naturalWidth).length"
    assert page.evaluate(broken) == 0
    assert page.locator("[style], style").count() == 0
    assert page.evaluate("document.styleSheets.length") == 1
    hidden = page.locator("main table:visible").count()
    assert hidden == page.locator("main table").count() > 0
    assert not page.locator("button:visible, input:visible").count(), "no control that does nothing"
    assert all(url.endswith((".js", "favicon.ico")) for url in refused)
    context.close()
