"""The folder behind Jenkins' default header, a thinned page, and the page as PDF."""

from __future__ import annotations

import http.server
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reportgen.command.cli import main
from reportgen.delivery.output import Output
from reportgen.delivery.printing import PdfPrinter
from reportgen.report.store import image_archive, results_json
from tests.browser.conftest import OPEN_ALL
from tests.browser.serving import serving
from tests.report.example import example_results, page_of

pytestmark = pytest.mark.browser

JENKINS = "sandbox; default-src 'none'; img-src 'self'; style-src 'self'"


class LikeJenkins(http.server.SimpleHTTPRequestHandler):
    """Static files under the header that Jenkins sends with archived reports."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", JENKINS)
        super().end_headers()

    def log_message(self, *arguments: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    page = page_of(example_results(units=3, side=28), layout="folder")
    Output(folder / "report", layout="folder").write(page.html, "", b"", page.files)
    with serving(folder / "report", LikeJenkins) as address:
        yield f"{address}/"


@pytest.mark.slow
def test_the_folder_is_complete_under_jenkins_s_default_header(chromium: Any, served: str) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    refused: list[str] = []
    page.on("requestfailed", lambda request: refused.append(request.url))
    header = page.goto(served).headers["content-security-policy"]
    assert header == JENKINS
    page.evaluate(OPEN_ALL)
    pictures = page.locator("main img")
    assert pictures.count() > 40
    broken = "[...document.querySelectorAll('main img')].filter((i) => !i.naturalWidth)"
    assert page.evaluate(f"{broken}.map((image) => image.alt)") == []
    assert page.locator("main img:visible").count() == pictures.count()
    assert page.evaluate("getComputedStyle(document.querySelector('.page')).maxWidth") == "1408px"
    assert page.locator("[style], style").count() == 0
    assert page.locator("img[src^='data:']").count() == 0
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert all(url.endswith((".js", "favicon.ico")) for url in refused)
    context.close()


@pytest.mark.slow
def test_a_page_prints_as_a_summary_of_four_pages_or_whole_and_leaves_nothing_else(
    tmp_path: Path,
) -> None:
    page = tmp_path / "report.html"
    page.write_text(page_of(example_results(units=6, side=28)).html, encoding="utf-8")
    pages = {}
    for everything in (False, True):
        target = tmp_path / f"{everything}.pdf"
        size = PdfPrinter(target, everything=everything).print(page)
        printed = target.read_bytes()
        assert printed.startswith(b"%PDF-")
        assert len(printed) == size > 20_000
        assert size < 4e6
        assert b"/Shading" not in printed, "gradients and patterns make files of many megabytes"
        pages[everything] = len(re.findall(rb"/Type /Page\b", printed))
    assert pages[False] <= 4
    assert pages[True] > 10
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["False.pdf", "True.pdf", "report.html"]


@pytest.mark.slow
def test_results_alone_are_printed_too(tmp_path: Path) -> None:
    results = example_results()
    (tmp_path / "results.json").write_text(results_json(results), encoding="utf-8")
    (tmp_path / "results.npz").write_bytes(image_archive(results))
    page, pdf = tmp_path / "again.html", tmp_path / "again.pdf"
    done = CliRunner().invoke(main, ["render", *map(str, (tmp_path, "-o", page, "--pdf", pdf))])
    assert done.exit_code == 0, done.output
    assert pdf.read_bytes().startswith(b"%PDF-")
    assert [line.split()[0] for line in done.output.splitlines()] == [str(page), str(pdf)]
