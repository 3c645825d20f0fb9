"""The page inside a frame, as notebooks, trackers and CI viewers show it."""

from __future__ import annotations

import html
import http.server
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reportgen.api.report import Report
from tests.browser.conftest import example
from tests.browser.firefox import Firefox
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
    frame.locator(".choices label").nth(1).evaluate(click)
    shown = frame.locator(".pictured:visible")
    assert shown.count() == 1
    assert shown.get_attribute("id") == "image-1"
    page.wait_for_timeout(100)
    assert page.url == outer
    # The browser's word on the frame that the test made, not on the page in it.
    assert [line for line in said if "can escape its sandboxing" not in line] == []
    page.close()


def host_without_scripts(folder: Path, report: Path, sandbox: str) -> Path:
    """A page that gives a frame a report's text, and lets nothing run there."""
    host = folder / "host.html"
    text = html.escape(report.read_text(encoding="utf-8"))
    frame = f'<iframe width="1200" height="800" sandbox="{sandbox}" srcdoc="{text}"></iframe>'
    host.write_text(f"<!DOCTYPE html><title>host</title>{frame}", encoding="utf-8")
    return host


@pytest.mark.slow
def test_images_are_picked_in_a_frame_without_scripts(
    chromium: Any, report: Callable[[str], Path], tmp_path: Path
) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(host_without_scripts(tmp_path, report("grey"), "").as_uri())
    frame = page.frame_locator("iframe")
    click = "(label) => label.click()"
    shown = frame.locator(".pictured:visible")
    for place in (1, 3):
        frame.locator(f".choices [data-place='{place}']").evaluate(click)
        assert shown.count() == 1
        assert shown.get_attribute("id") == f"image-{place}"
        shown.locator(".ways label").evaluate(click)
        assert shown.count() == 1
        assert shown.get_attribute("id") == f"image-{place}-otherwise"
    page.close()


@pytest.mark.slow
def test_images_are_picked_in_firefox_in_a_frame_without_scripts(
    firefox: Firefox, report: Callable[[str], Path], tmp_path: Path
) -> None:
    def found(selector: str) -> list[str]:
        elements = firefox.command("WebDriver:FindElements", using="css selector", value=selector)
        return [next(iter(element.values())) for element in elements]

    def is_shown(element: str) -> bool:
        return bool(firefox.command("WebDriver:IsElementDisplayed", id=element)["value"])

    firefox.open(host_without_scripts(tmp_path, report("grey"), "allow-same-origin"))
    frame = firefox.command("WebDriver:FindElement", using="css selector", value="iframe")["value"]
    firefox.command("WebDriver:SwitchToFrame", element=frame)
    for place in (1, 3):
        thumbnail = f".choices [data-place='{place}']"
        for label_of, ending in ((thumbnail, ""), (".ways label", "-otherwise")):
            (label,) = filter(is_shown, found(label_of))
            firefox.command("WebDriver:ElementClick", id=label)
            (shown,) = filter(is_shown, found(".pictured"))
            assert [shown] == found(f"#image-{place}{ending}")
    firefox.command("WebDriver:SwitchToParentFrame")


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
