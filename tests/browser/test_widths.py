"""No page is wider than its window, and no text than its column, whichever font a reader has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import OPEN_ALL, Visit
from tests.browser.fonts import FONTS, only
from tests.slow import slow_but

pytestmark = pytest.mark.browser

Visiting = Callable[..., Visit]
STYLE = Path(__file__).parents[2] / "templates" / "assets" / "style.css"
WIDTHS = (320, 360, 390, 768, 1600)
NAMES = ("grey", "colour", "hostile", "worse", "one unit")

# Texts that stick out of the block that they stand in, but for those that it cuts off on purpose.
TEXT_BEYOND_ITS_COLUMN = """() => {
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    let block = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || block.closest("svg, script, .skip")) continue;
    while (getComputedStyle(block).display === "inline") block = block.parentElement;
    if (getComputedStyle(block).overflow !== "visible") continue;
    const column = block.getBoundingClientRect();
    const range = document.createRange();
    range.selectNodeContents(texts.currentNode);
    const beyond = [...range.getClientRects()].some(
      (line) => line.width && (line.right > column.right + 1 || line.left < column.left - 1));
    if (beyond) found.push(`${block.className}: ${texts.currentNode.textContent.trim()}`);
  }
  return found;
}"""


# How far the player's parts stick out of it to the right.
BEYOND_THE_PLAYER = """() => {
  const player = document.querySelector("#walk .player");
  if (!player) return 0;
  const edges = [...player.querySelectorAll("*")].map((e) => e.getBoundingClientRect().right);
  return Math.max(0, ...edges) - player.getBoundingClientRect().right;
}"""


def too_wide(page: Any) -> dict[int, int]:
    """The page's width by the window's, where it is more; loaded in the narrowest, then resized."""
    found = {}
    for width in (*WIDTHS, WIDTHS[0]):
        page.set_viewport_size({"width": width, "height": 900})
        needed = page.evaluate("document.documentElement.scrollWidth")
        if needed > width or page.evaluate(BEYOND_THE_PLAYER) > 1:
            found[width] = needed
    return found


# The narrow font where texts are the longest.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "font"), [(name, "wide") for name in NAMES] + [("hostile", "narrow")]
)
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_the_page_never_scrolls_sideways(
    visit: Visiting, name: str, font: str, scripts: bool
) -> None:
    page = visit(name, width=WIDTHS[0], font=font, scripts=scripts).page
    page.evaluate(OPEN_ALL)
    assert too_wide(page) == {}


@pytest.mark.slow
@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize("name", ["live", "live colour"])
def test_the_live_walk_never_scrolls_sideways(visit: Visiting, name: str, font: str) -> None:
    page = visit(name, width=WIDTHS[0], font=font).page
    page.locator("#walk .live-slider input[type=number]").first.fill("1.0")
    page.wait_for_timeout(350)
    assert too_wide(page) == {}


@pytest.mark.parametrize("font", slow_but(["wide"], FONTS))
@pytest.mark.parametrize("name", slow_but(["colour"], NAMES))
def test_no_text_runs_out_of_its_column(visit: Visiting, name: str, font: str) -> None:
    page = visit(name, width=WIDTHS[0], font=font).page
    page.evaluate(OPEN_ALL)
    assert page.evaluate(TEXT_BEYOND_ITS_COLUMN) == []


@pytest.mark.parametrize("font", slow_but(["wide"], FONTS))
def test_a_browser_for_these_tests_has_one_font_and_no_other(
    profile: Callable[..., Any], font: str
) -> None:
    page = profile(font, dark=False, scripts=True, axe=False).new_page()
    style = STYLE.read_text(encoding="utf-8")
    page.set_content(
        f"<style>{style}</style><h1>A</h1><p>b</p><svg><text y=9>c</text></svg><code>d"
    )
    tools = page.context.new_cdp_session(page)
    tools.send("DOM.enable")
    tools.send("CSS.enable")
    root = tools.send("DOM.getDocument")["root"]["nodeId"]
    used = set()
    for selector in ("h1", "p", "svg text", "code"):
        node = tools.send("DOM.querySelector", {"nodeId": root, "selector": selector})["nodeId"]
        fonts = tools.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
        used |= {entry["familyName"] for entry in fonts}
    page.close()
    assert used == {FONTS[font].family, FONTS[font].monospace}


@pytest.mark.parametrize("font", FONTS)
def test_a_missing_font_is_named_with_its_package(tmp_path: Path, font: str) -> None:
    with pytest.raises(pytest.fail.Exception) as raised:
        only(FONTS[font], tmp_path / "new", places=(tmp_path,))
    assert FONTS[font].family in str(raised.value)
    assert f"apt install {FONTS[font].debian_package}" in str(raised.value)
