"""A Chromium, and reports on disk for it to open."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reportgen.report.results import Results
from tests.report.example import example_results, page_of

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
HOSTILE = '</script><img src=x onerror="alert(1)">\u202e\U0001f9e8' + "very-long-" * 400


@dataclass
class Visit:
    """An open page and what it did: requests beyond itself, console lines, errors."""

    page: Any
    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    if not Path(CHROMIUM).exists() and shutil.which("chromium") is None:
        if os.environ.get("CI"):
            pytest.fail("CI is set, but there is no Chromium to test in")
        pytest.skip(f"no Chromium at {CHROMIUM}: install Debian's chromium to run browser tests")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def examples() -> dict[str, Results]:
    """Results by what is special about them."""
    return {
        "grey": example_results(units=6, side=28),
        "colour": example_results(channels=3, side=16),
        "hostile": example_results(
            prefix=HOSTILE, name=HOSTILE, classes=(HOSTILE, "\u200f" + HOSTILE[::-1]), units=3
        ),
        "harmless": example_results(units=3),
        "worse": example_results(encoder_gain=-1.0),
        "one unit": example_results(units=1),
    }


@pytest.fixture(scope="session")
def reports(
    tmp_path_factory: pytest.TempPathFactory, examples: dict[str, Results]
) -> dict[str, Path]:
    """The pages of the examples, and one as a folder."""
    folder = tmp_path_factory.mktemp("reports")
    written = {}
    for name, results in examples.items():
        written[name] = folder / f"{name}.html"
        written[name].write_text(page_of(results).html, encoding="utf-8")
    page = page_of(examples["grey"], layout="folder")
    (folder / "folder" / "assets").mkdir(parents=True)
    for path, data in page.files.items():
        (folder / "folder" / path).write_bytes(data)
    written["folder"] = folder / "folder" / "index.html"
    written["folder"].write_text(page.html, encoding="utf-8")
    return written


@pytest.fixture
def visit(chromium: Any, reports: dict[str, Path]) -> Iterator[Callable[..., Visit]]:
    """visit("grey", width=390, dark=True, scripts=False) opens a report in a fresh profile."""
    contexts = []

    def open_page(
        name: str, *, width: int = 1280, dark: bool = False, scripts: bool = True, axe: bool = False
    ) -> Visit:
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            # axe is put into the page by the test; the page's own policy would refuse it.
            bypass_csp=axe,
            reduced_motion="reduce",
        )
        contexts.append(context)
        visited = Visit(context.new_page())
        visited.page.on("request", lambda r: visited.requests.append(r.url[:200]))
        visited.page.on("console", lambda m: visited.console.append(m.text))
        visited.page.on("pageerror", lambda e: visited.console.append(str(e)))

        def dismiss(dialog: Any) -> None:
            visited.dialogs.append(dialog.message)
            dialog.dismiss()

        visited.page.on("dialog", dismiss)
        visited.page.goto(reports[name].as_uri())
        return visited

    yield open_page
    for context in contexts:
        context.close()
