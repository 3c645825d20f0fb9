"""A Chromium, and reports on disk for it to open."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from reportgen.report.results import Results
from tests.browser.firefox import Firefox
from tests.browser.fonts import FONTS, only
from tests.report.example import example_results, page_of

CHROMIUM = "/usr/bin/chromium"
FIREFOXES = ("firefox-esr", "firefox")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
OPEN_ALL = "for (const fold of document.querySelectorAll('details')) fold.open = true"
HOSTILE = '</script><img src=x onerror="alert(1)">\u202e\U0001f9e8' + "very-long-" * 400


@dataclass
class Visit:
    """An open page and what it did: requests beyond itself, console lines, errors."""

    page: Any
    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def chromium_with(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """chromium_with("narrow"): a Chromium that knows one font and no other."""
    if not Path(CHROMIUM).exists() and shutil.which("chromium") is None:
        if os.environ.get("CI"):
            pytest.fail("CI is set, but there is no Chromium to test in")
        pytest.skip(f"no Chromium at {CHROMIUM}: install Debian's chromium to run browser tests")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:

        @functools.cache
        def launched(font: str) -> Any:
            configuration = only(FONTS[font], tmp_path_factory.mktemp(f"{font}-font"))
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM,
                args=ARGUMENTS,
                env={**os.environ, "FONTCONFIG_FILE": str(configuration)},
            )
            browsers.append(browser)
            return browser

        browsers: list[Any] = []
        yield launched
        for browser in browsers:
            browser.close()


@pytest.fixture(scope="session")
def chromium(chromium_with: Callable[[str], Any]) -> Any:
    """A Chromium with the wide font, which no layout has much room for."""
    return chromium_with("wide")


@pytest.fixture(scope="session")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """A Firefox with a profile of its own."""
    program = next(filter(None, map(shutil.which, FIREFOXES)), None)
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("CI is set, but there is no Firefox to test in")
        pytest.skip("no Firefox: install Debian's firefox-esr to run its tests")
    browser = Firefox(program, tmp_path_factory.mktemp("firefox") / "profile")
    yield browser
    browser.close()


EXAMPLES: dict[str, dict[str, Any]] = {
    "grey": {"units": 6, "side": 28},
    "colour": {"channels": 3, "side": 16},
    "hostile": {
        "prefix": HOSTILE,
        "name": HOSTILE,
        "classes": (HOSTILE, "\u200f" + HOSTILE[::-1]),
        "units": 3,
    },
    "harmless": {"units": 3},
    "worse": {"encoder_gain": -1.0},
    "one unit": {"units": 1},
    "live": {"units": 6, "side": 28, "live": True},
    "live colour": {"channels": 3, "side": 16, "live": True},
    "live spatial": {"units": 3, "code_sites": 2, "live": True},
}


def example(name: str) -> Results:
    """Results by what is special about them."""
    if name == "not live":
        reason = "the decoder uses `grid_sampler_2d`"
        return replace(example("live"), live=None, live_reason=reason)
    return example_results(**EXAMPLES[name])


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """report("grey"): the page of an example; report("grey folder"): the same as a folder."""
    folder = tmp_path_factory.mktemp("reports")

    @functools.cache
    def written(name: str) -> Path:
        results = example(name.removesuffix(" folder"))
        if not name.endswith(" folder"):
            path = folder / f"{name}.html"
            path.write_text(page_of(results).html, encoding="utf-8")
            return path
        page = page_of(results, layout="folder")
        (folder / name / "assets").mkdir(parents=True)
        for path, data in page.files.items():
            (folder / name / path).write_bytes(data)
        path = folder / name / "index.html"
        path.write_text(page.html, encoding="utf-8")
        return path

    return written


@pytest.fixture(scope="session")
def profile(chromium_with: Callable[[str], Any]) -> Callable[..., Any]:
    """profile(font, dark, scripts, axe): a browser's profile, which the tests after it share."""

    @functools.cache
    def opened(font: str, dark: bool, scripts: bool, axe: bool) -> Any:
        return chromium_with(font).new_context(
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            # axe is put into the page by the test; the page's own policy would refuse it.
            bypass_csp=axe,
            reduced_motion="reduce",
        )

    return opened


@pytest.fixture
def visit(
    profile: Callable[..., Any], report: Callable[[str], Path]
) -> Iterator[Callable[..., Visit]]:
    """visit("grey", width=390, dark=True, scripts=False) opens a report, as if for the first time.

    A new profile for each visit takes as long as the page itself. So visits share one, and each
    leaves it as it found it: nothing stored and nothing granted.
    """
    pages = []

    def open_page(
        name: str,
        *,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        scripts: bool = True,
        axe: bool = False,
        font: str = "wide",
    ) -> Visit:
        page = profile(font, dark, scripts, axe).new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        visited = Visit(page)
        page.on("request", lambda r: visited.requests.append(r.url[:200]))
        page.on("console", lambda m: visited.console.append(m.text))
        page.on("pageerror", lambda e: visited.console.append(str(e)))

        def dismiss(dialog: Any) -> None:
            visited.dialogs.append(dialog.message)
            dialog.dismiss()

        page.on("dialog", dismiss)
        page.goto(report(name).as_uri())
        if scripts and page.locator("#live-data").count():
            # The decoder is unpacked first.
            page.wait_for_selector("#walk .live-slider", state="attached")
        return visited

    yield open_page
    for page in pages:
        page.evaluate("localStorage.clear()")
        page.context.clear_permissions()
        page.close()
