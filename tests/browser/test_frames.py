"""The page inside a frame, as notebooks, trackers and CI viewers show it."""

from __future__ import annotations

import http.server
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reportgen.api.report import Report
from tests.browser.conftest import example
from tests.browser.serving import serving

pytestmark = pytest.mark.browser

SANDBOXES = ("none", "allow-scripts", "allow-scripts allow-same-origin")
HOST = """<!DOCTYPE html><title>host</title><iframe width="1200" height="800"></iframe><script>
  const [kind, sandbox] = decodeURIComponent(location.search.slice(1)).split(",");
  const frame = document.querySelector("iframe");
  if (sandbox !== "none") frame.sandbox = sandbox;
  fetch("report.html").then((answer) => answer.text()).then((text) => {
    if (kind === "srcdoc") frame.srcdoc = text;
    else frame.src = URL.createObjectURL(new Blob([text], { type: "text/html" }));
  });
</script>"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Static files, and nothing on the terminal."""

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, report: Callable[[str], Path]
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("host")
    (folder / "host.html").write_text(HOST, encoding="utf-8")
    (folder / "favicon.ico").write_bytes(b"")
    (folder / "report.html").write_bytes(report("live").read_bytes())
    with serving(folder, Quiet) as address:
        yield f"{address}/host.html"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["srcdoc", "blob"])
@pytest.mark.parametrize("sandbox", SANDBOXES)
def test_links_within_a_framed_page_scroll_and_open_and_the_page_around_it_stays(
    chromium: Any, served: str, kind: str, sandbox: str
) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    click = "(link) => link.click()"
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{served}?{kind},{sandbox}")
    outer = page.url
    frame = page.frame_locator("iframe")
    for target in ("part-walk", "trust"):
        frame.locator(f".contents a[href='#{target}']").evaluate(click)
        place = frame.locator(f"#{target}")
        page.wait_for_timeout(150)
        assert place.is_visible()
        top = place.evaluate("(section) => section.getBoundingClientRect().top")
        height = place.evaluate("() => innerHeight")
        at_the_end = place.evaluate(
            "() => scrollY + innerHeight > document.documentElement.scrollHeight - 2"
        )
        assert 0 <= top < height / 2 or at_the_end
    frame.locator(".choices a").nth(1).evaluate(click)
    shown = frame.locator(".pictured:visible")
    assert shown.count() == 1
    assert shown.get_attribute("id") == "image-1"
    page.wait_for_timeout(100)
    assert page.url == outer
    # The browser's word on the frame that the test made, not on the page in it.
    assert [line for line in said if "can escape its sandboxing" not in line] == []
    page.close()


@pytest.mark.slow
def test_a_link_of_the_contents_scrolls_the_frame_and_leaves_the_notebook(
    chromium: Any, tmp_path: Any
) -> None:
    notebook = tmp_path / "notebook.html"
    frame = Report(example("grey"))._repr_html_()
    notebook.write_text(f"<!DOCTYPE html><title>n</title><body>{frame}</body>", encoding="utf-8")
    context = chromium.new_context(viewport={"width": 1000, "height": 700})
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(notebook.as_uri())
    inner = page.locator("iframe").content_frame
    link = inner.locator("nav.contents a").nth(2)
    target = link.get_attribute("href")
    link.click()
    heading = inner.locator(str(target))
    box = heading.bounding_box()
    assert box is not None and -5 <= box["y"] < 700
    assert page.url == notebook.as_uri()
    assert inner.locator("h1").count() == 1
    assert said == []
    context.close()
