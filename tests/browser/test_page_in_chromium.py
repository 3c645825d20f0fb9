"""The page as a reader meets it: from file://, in a real Chromium."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import OPEN_ALL, Visit, example
from tests.slow import slow_but

pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "axe.min.js"
CLICK_WHAT_IS_FOLDED = """
  for (const fold of document.querySelectorAll('details')) {
    if (!fold.open) fold.querySelector('summary').click();
  }
"""
NAMES = ("grey", "colour", "hostile", "worse", "one unit")
Visiting = Callable[..., Visit]


@pytest.mark.parametrize("name", slow_but(["hostile"], NAMES))
def test_nothing_is_fetched_and_the_console_stays_silent(visit: Visiting, name: str) -> None:
    visited = visit(name)
    visited.page.evaluate(OPEN_ALL)
    visited.page.mouse.wheel(0, 20_000)
    visited.page.wait_for_timeout(200)
    beyond = [url for url in visited.requests if not url.startswith("data:image/webp")]
    assert len(beyond) == 1
    assert beyond[0].startswith("file://")
    assert visited.console == []
    assert visited.dialogs == []


@pytest.mark.slow
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_every_picture_shows_with_and_without_scripts(visit: Visiting, scripts: bool) -> None:
    page = visit("grey", scripts=scripts).page
    folded = page.locator("main details:not([open]) > summary")
    before = folded.count()
    folded.first.click()
    assert folded.count() == before - 1
    page.evaluate(CLICK_WHAT_IS_FOLDED)
    assert folded.count() == 0
    sizes = page.evaluate(
        """[...document.querySelectorAll('main img')].map((image) => {
          const box = image.getBoundingClientRect();
          return image.checkVisibility() ? [box.width, box.height] : null;
        })"""
    )
    assert len(sizes) > 50
    assert all(size and size[0] >= 28 and size[1] >= 8 for size in sizes)


@pytest.mark.slow
def test_pictures_are_enlarged_by_whole_factors(visit: Visiting) -> None:
    page = visit("grey").page
    factors = page.evaluate(
        """[...document.querySelectorAll('.strip img')].filter((i) => i.offsetWidth)
           .map((i) => i.getBoundingClientRect().width / Number(i.getAttribute('width')))"""
    )
    assert factors
    assert all(factor == pytest.approx(round(factor), abs=1e-3) for factor in factors)


def test_hostile_names_run_nothing_and_make_no_element(visit: Visiting) -> None:
    visited = visit("hostile")
    visited.page.wait_for_timeout(200)
    assert visited.dialogs == []
    assert visited.page.locator("img[src='x']").count() == 0
    assert "onerror" in visited.page.locator("h1").inner_text()


@pytest.mark.slow
def test_names_of_four_thousand_letters_do_not_stretch_the_page(visit: Visiting) -> None:
    height = "document.documentElement.scrollHeight"
    tallest = "(q) => Math.max(...[...document.querySelectorAll(q)].map((b) => b.offsetHeight))"
    hostile, harmless = (visit(name).page for name in ("hostile", "harmless"))
    assert len(hostile.locator("h1").text_content()) > 4_000
    for width in (1280, 390):
        for page in (hostile, harmless):
            page.set_viewport_size({"width": width, "height": 900})
        assert hostile.evaluate(height) < 1.5 * harmless.evaluate(height)
        assert hostile.evaluate(tallest, "bdi:not(.note)") < 120
        # Sentences that a name is part of.
        assert hostile.evaluate(tallest, "bdi.note") < 320


# The themes differ in colours alone, which two of the pages hold all of.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dark"),
    [(name, False) for name in NAMES] + [("colour", True), ("worse", True)],
)
def test_axe_finds_no_violation(visit: Visiting, name: str, dark: bool) -> None:
    page = visit(name, dark=dark, axe=True).page
    page.evaluate(OPEN_ALL)
    page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    violations = [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for rule in found["violations"]
        for node in rule["nodes"][:3]
    ]
    assert violations == []


@pytest.mark.slow
def test_dark_and_light_follow_the_system_and_the_switch_overrules_it(visit: Visiting) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    light, dark = visit("grey").page, visit("grey", dark=True).page
    assert light.evaluate(paper) != dark.evaluate(paper)
    switch = dark.locator("[data-theme-switch]")
    switch.click()
    assert switch.inner_text() == "Theme: light"
    assert dark.evaluate(paper) == light.evaluate(paper)
    # The browser may take a moment to store the choice.
    for _ in range(5):
        dark.reload()
        if dark.evaluate(paper) == light.evaluate(paper):
            break
    assert dark.evaluate(paper) == light.evaluate(paper)


@pytest.mark.slow
def test_no_change_looks_the_same_in_both_themes(visit: Visiting) -> None:
    colours = []
    for dark in (False, True):
        page = visit("grey", dark=dark).page
        colours.append(
            page.evaluate(
                """() => {
                  const image = document.querySelector('article.unit .strip:nth-of-type(2) img');
                  const canvas = document.createElement('canvas');
                  canvas.width = canvas.height = 1;
                  const context = canvas.getContext('2d');
                  context.drawImage(image, 0, 0);
                  return [...context.getImageData(0, 0, 1, 1).data];
                }"""
            )
        )
    assert colours[0] == colours[1] == [244, 244, 242, 255]


@pytest.mark.slow
def test_a_slider_shows_the_frame_under_its_value(visit: Visiting) -> None:
    page = visit("grey").page
    slider = page.locator("#walk .slider input").first
    slider.focus()
    before = page.locator("#walk canvas").evaluate("(c) => c.toDataURL()")
    slider.press("End")
    state = page.locator("#walk .player-state").inner_text()
    strip = page.locator("[data-walk-row='0']").first
    last = strip.locator(".captions span").last.text_content()
    assert f"at {last}, the others unchanged" in state
    assert page.locator("#walk .slider output").first.inner_text() == last
    drawn = page.locator("#walk canvas").evaluate("(c) => c.toDataURL()")
    expected = strip.locator("img").evaluate(
        """(image) => {
          const canvas = document.createElement('canvas');
          const tile = Number(image.dataset.tile);
          canvas.width = tile;
          canvas.height = image.naturalHeight;
          canvas.getContext('2d').drawImage(image, tile - image.naturalWidth, 0);
          return canvas.toDataURL();
        }"""
    )
    assert drawn == expected != before
    page.locator("#walk [data-reset]").click()
    assert page.locator("#walk canvas").evaluate("(c) => c.toDataURL()") == before


@pytest.mark.slow
@pytest.mark.parametrize(("of", "most"), [("units", "k = 6"), ("directions", "all")])
def test_the_first_k_slider_moves_every_image(visit: Visiting, of: str, most: str) -> None:
    page = visit("grey").page
    page.evaluate(OPEN_ALL)
    slider = page.locator(f"#partial-{of} input")
    assert page.locator(f"#partial-{of} output").inner_text() == most
    shown = f"[...document.querySelectorAll('#partial-{of} canvas')].map((c) => c.toDataURL())"
    all_of_them = page.evaluate(shown)
    slider.focus()
    slider.press("Home")
    assert page.locator(f"#partial-{of} output").inner_text() == "k = 0"
    none_of_them = page.evaluate(shown)
    changed = [a != b for a, b in zip(all_of_them, none_of_them, strict=True)]
    assert changed == [False, True, True] * (len(changed) // 3)


@pytest.mark.slow
def test_a_table_sorts_by_its_numbers_both_ways(visit: Visiting) -> None:
    page = visit("grey").page
    page.evaluate(OPEN_ALL)
    table = page.locator("table.units")
    button = table.get_by_role("button", name="Sort by Error added")
    column = """(t) => [...t.tBodies[0].rows].map((r) => Number(r.cells[5].dataset.value))"""
    button.click()
    falling = table.evaluate(column)
    assert falling == sorted(falling, reverse=True)
    button.click()
    assert table.evaluate(column) == falling[::-1]
    assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"


@pytest.mark.slow
def test_units_are_filtered_by_what_is_written_of_them(visit: Visiting) -> None:
    page = visit("grey").page
    page.evaluate(OPEN_ALL)
    rows = page.locator("table.units tbody tr")
    first = page.locator("article.unit .sentence").first.text_content()
    page.locator(".filter input").fill(f"unit {rows.first.locator('th').inner_text()} carries")
    shown = page.locator(".unit-row:visible")
    assert first in shown.locator(".sentence").all_text_contents()
    assert page.locator(".filter output").inner_text() == f"{shown.count()} of {rows.count()} units"
    page.locator(".filter input").fill("no unit is called this")
    assert rows.locator("visible=true").count() == shown.count() == 0
    page.locator(".filter input").fill("")
    assert rows.locator("visible=true").count() == rows.count()


@pytest.mark.slow
def test_a_section_s_link_is_copied(visit: Visiting) -> None:
    page = visit("grey").page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#units h3 .anchor").focus()
    page.keyboard.press("Enter")
    page.locator("#units h3 .anchor[data-copied]").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    assert page.url.endswith("#units")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["grey", "colour"])
def test_a_pixel_s_value_is_read_back_from_the_picture(visit: Visiting, name: str) -> None:
    """Within half of one of 255 levels, in an image and in a difference, by pointer and by keys."""
    result = example(name).answers["contributions"]
    assert result is not None
    channels, side, _ = example(name).provenance.input_shape
    # The image's own strongest unit comes first.
    first = int(np.argmax(result.row_shares[0]))
    phi, original = (
        part.reshape(channels, side, side)
        for part in (result.pictures[0, first], result.originals[0])
    )
    row, column = (int(n) for n in np.unravel_index(np.abs(phi[0]).argmax(), (side, side)))
    page = visit(name).page
    page.evaluate(OPEN_ALL)
    picture = page.locator("#contributions .strip img").first
    picture.scroll_into_view_if_needed()
    limit = float(picture.get_attribute("data-limit"))
    box = picture.bounding_box()
    factor = box["width"] / float(picture.get_attribute("width"))
    step = int(picture.get_attribute("data-tile")) + int(picture.get_attribute("data-gap"))

    def pointed(tile: int) -> list[float]:
        left = box["x"] + (tile * step + column + 0.5) * factor
        page.mouse.move(left, box["y"] + (row + 0.5) * factor)
        return numbers_in(page.locator(".readout").inner_text())

    assert pointed(0) == pytest.approx([*original[:, row, column]], abs=0.51 / 255 + 5e-4)
    assert pointed(3) == pytest.approx([*phi[:, row, column]], abs=limit * 0.51 / 127 + 5e-4)

    pointer = pointed(3)
    picture.click(position={"x": (3 * step + 1) * factor, "y": 1})
    page.mouse.move(1, 1)
    page.locator(".enlarged canvas").focus()
    page.keyboard.press("ArrowDown")
    for key, target, start in (("Down", row, side // 2), ("Right", column, side // 2)):
        opposite = {"Down": "Up", "Right": "Left"}[key]
        for _ in range(abs(target - start)):
            page.keyboard.press(f"Arrow{key if target > start else opposite}")
    spoken = page.locator(".enlarged-value").inner_text()
    assert spoken.startswith(f"row {row + 1}, column {column + 1}:")
    assert numbers_in(spoken) == pointer


def numbers_in(words: str) -> list[float]:
    """The numbers behind the colon of "row 3, column 4: red −0.5, green 1.20 × 10⁻⁴, …"."""
    plain = words.split(":")[1].translate(str.maketrans("−⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "--0123456789"))
    return [
        float(f"{digits}e{power or 0}")
        for digits, power in re.findall(r"(-?[\d.]+)(?: × 10(-?\d+))?", plain)
    ]


@pytest.mark.slow
def test_colour_changes_show_in_lightness_alone(visit: Visiting) -> None:
    page = visit("colour").page
    page.evaluate(OPEN_ALL)
    page.locator("#additivity .strip img").first.click()
    button = page.get_by_role("button", name="Lightness only")
    colours = "(c) => c.toDataURL()"
    canvas = page.locator(".enlarged canvas")
    before = canvas.evaluate(colours)
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert canvas.evaluate(colours) != before
    button.click()
    assert canvas.evaluate(colours) == before


@pytest.mark.slow
def test_results_come_out_of_the_page(visit: Visiting, tmp_path: Path) -> None:
    page = visit("grey").page
    with page.expect_download() as waiting:
        page.locator("[data-download]").click()
    assert waiting.value.suggested_filename == "results.json"
    waiting.value.save_as(tmp_path / "results.json")
    stored = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert stored["title"] == "example"
    assert len(stored["units"]) == 6


@pytest.mark.slow
def test_a_picture_is_enlarged_tile_by_tile_with_the_keyboard(visit: Visiting) -> None:
    page = visit("grey").page
    page.evaluate(OPEN_ALL)
    page.locator("#contributions .enlarge").first.focus()
    page.keyboard.press("Enter")
    caption = page.locator(".enlarged-caption")
    assert caption.inner_text().startswith("1 of ")
    page.keyboard.press("ArrowRight")
    assert caption.inner_text().startswith("2 of ")
    page.keyboard.press("Escape")
    assert not page.locator("dialog.enlarged").is_visible()


@pytest.mark.slow
def test_the_keyboard_reaches_the_content_first_and_focus_is_seen(visit: Visiting) -> None:
    page = visit("grey").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#hero"
    for _ in range(12):
        page.keyboard.press("Tab")
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) != "none"


@pytest.mark.slow
def test_the_contents_list_follows_the_reader(visit: Visiting) -> None:
    page = visit("grey").page
    page.evaluate("document.getElementById('reconstruction').scrollIntoView()")
    page.wait_for_timeout(100)
    current = page.locator(".contents [aria-current]")
    assert current.count() == 1
    assert current.get_attribute("href") == "#reconstruction"


@pytest.mark.slow
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_an_address_within_a_folded_section_opens_it(visit: Visiting, scripts: bool) -> None:
    page = visit("grey", scripts=scripts).page
    for name in ("additivity", "unit-0", "definition-gap"):
        assert not page.locator(f"#{name}").is_visible()
        page.goto(page.url.split("#")[0] + f"#{name}")
        page.wait_for_timeout(100)
        assert page.locator(f"#{name}").is_visible()


@pytest.mark.slow
def test_a_term_is_defined_beside_its_word(visit: Visiting) -> None:
    page = visit("grey").page
    page.locator("#part-units .term").first.click()
    shown = page.locator(".definition")
    assert shown.is_visible()
    assert shown.inner_text().startswith("Share")
    assert "shares of all units sum to 100" in shown.inner_text()
    assert "#" not in page.url
    page.keyboard.press("Escape")
    assert not shown.is_visible()
    page.locator("#part-units .term").first.click()
    shown.locator("a").click()
    assert page.locator("#definition-share").is_visible()


@pytest.mark.slow
def test_a_closed_page_is_short_and_a_control_is_within_fifteen_tabs(visit: Visiting) -> None:
    page = visit("live").page
    page.evaluate("for (const fold of document.querySelectorAll('main details')) fold.open = false")
    assert page.evaluate("document.documentElement.scrollHeight") < 10_000
    assert page.locator("#part-units").bounding_box()["height"] < 2_500
    reached = "document.activeElement.matches('main button, main input, .hero button')"
    for _ in range(15):
        page.keyboard.press("Tab")
        if page.evaluate(reached):
            break
    assert page.evaluate(reached)


@pytest.mark.slow
def test_no_change_is_dark_in_the_dark_and_images_stay_as_they_are(visit: Visiting) -> None:
    """What is seen, over strips of changes alone and over those that begin with images."""
    for dark, darkest, brightest in ((False, 225, 255), (True, 0, 30)):
        page = visit("grey", dark=dark).page
        page.evaluate(OPEN_ALL)
        for kind in ("signed-0", "signed-2"):
            strip = page.locator(f"article.unit .{kind} img").last
            strip.scroll_into_view_if_needed()
            seen = Image.open(io.BytesIO(strip.screenshot())).convert("L")
            shown = np.asarray(seen, dtype=float)
            change = shown[:, -shown.shape[1] // 8 :]
            closest = change.flat[np.abs(change - (darkest + brightest) / 2).argmin()]
            assert darkest <= closest <= brightest, (dark, kind)


@pytest.mark.slow
def test_a_link_into_something_folded_opens_it(visit: Visiting) -> None:
    page = visit("grey").page
    fold = page.locator("details:not([open])").first
    fold.evaluate("(d) => { d.querySelector('div, p').id = 'inside' }")
    page.evaluate("location.hash = '#inside'")
    page.wait_for_timeout(100)
    assert page.locator("#inside").is_visible()


@pytest.mark.slow
@pytest.mark.parametrize("everything", [False, True], ids=["summary", "everything"])
def test_it_prints_in_light_with_nothing_cut(visit: Visiting, everything: bool) -> None:
    page = visit("grey", dark=True).page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    folded = page.locator("main details:not([open])")
    before = folded.count()
    if everything:
        page.evaluate("location.hash = '#print-all'")
        page.reload()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert (folded.count() == 0) == everything
    wide = page.evaluate(
        "[...document.querySelectorAll('.strip')].filter((s) => s.offsetWidth > 1280).length"
    )
    assert wide == 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert folded.count() == before


@pytest.mark.slow
def test_the_folder_layout_works_from_disk_and_fetches_only_its_own_files(
    visit: Visiting,
) -> None:
    visited = visit("grey folder")
    assert visited.console == []
    assert all(url.startswith("file://") for url in visited.requests)
    broken = "[...document.images].filter((i) => i.complete && !i.naturalWidth).length"
    assert visited.page.evaluate(broken) == 0
    assert visited.page.locator("#walk .slider").count() == 6
