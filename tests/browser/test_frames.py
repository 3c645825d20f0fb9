"""The page inside a notebook's frame: its links scroll it, and nothing outside it moves."""

from __future__ import annotations

from typing import Any

from reportgen.api.report import Report
from tests.browser.conftest import example


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
