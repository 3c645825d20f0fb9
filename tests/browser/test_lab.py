"""Images chosen on the page: explained on the spot, as Python explains them, everywhere at once."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reportgen.analyses.contributions import Contributions
from reportgen.report.image_parts import on_one_scale
from tests.browser.conftest import Visit, example
from tests.report.test_hero import FAINT_CASES

pytestmark = pytest.mark.browser

Visiting = Callable[..., Visit]
AXE = Path(__file__).parent / "axe.min.js"
EXPLAINED = """async ([place, way]) => {
  const loaded = await model.ready;
  const made = await loaded.explain(loaded.code(place), way, place, () => true);
  return { ...made, phi: made.phi.map((part) => [...part]), start: [...made.start],
    image: [...made.image], names: loaded.players(way).names };
}"""


def chosen(page: Any, place: int) -> None:
    """Choose an image and wait for what it is made of."""
    page.evaluate(f"selection.choose({place}, {{ stay: true }})")
    page.wait_for_function(
        "() => { const a = document.querySelector('.pictured.chosen');"
        " return !a.hasAttribute('aria-busy') && a.querySelector('.part'); }"
    )


@pytest.mark.slow
@pytest.mark.parametrize("way", ["unit", "direction"])
def test_a_pictured_image_explained_in_the_page_is_the_report_s_own(
    visit: Visiting, way: str
) -> None:
    results = example("live")
    page = visit("live").page
    page.evaluate("model.ready.then((loaded) => { loaded.gallery.steps = 2; })")
    made = page.evaluate(EXPLAINED, [2, way])
    own = results.answers["contributions" if way == "unit" else "direction_contributions"]
    names = [f"direction {share.unit + 1}" if way != "unit" else share.name for share in own.shares]
    names = ["rest" if name == "direction 0" else name for name in names]
    order = [made["names"].index(name) for name in names]
    # The report's steps of the path, and the image's own order of players.
    assert results.settings.path_steps == 2
    assert np.abs(np.array(made["phi"])[order] - own.pictures[2]).max() <= 1e-3
    np.testing.assert_allclose(np.array(made["shares"])[order], own.row_shares[2], atol=2e-3)
    np.testing.assert_allclose(np.array(made["sizes"])[order], own.row_sizes[2], atol=2e-3)
    assert np.abs(own.pictures[2]).max() > 0.1


def test_the_page_folds_the_parts_that_the_report_folds(visit: Visiting) -> None:
    page = visit("live").page
    for given, *_ in FAINT_CASES.values():
        (parts,) = on_one_scale(given, in_colour=False)
        names = [*given.names[:-1], "rest"] if given.last_is_many else given.names
        found = page.evaluate(
            "([shares, phi, names]) => sums.partsOf({ shares, phi }, { names }, null)",
            [given.shares.tolist(), given.pictures.tolist(), names],
        )
        assert found["alone"] == parts.largest().tolist()
        assert (found["rest"] is None) == (parts.together() is None)


@pytest.mark.slow
def test_pca_s_parts_in_the_page_are_the_report_s_own(visit: Visiting) -> None:
    own = example("live").answers.of(Contributions)
    assert own is not None
    made = visit("live").page.evaluate(
        "model.ready.then((loaded) => { const made = loaded.byPca(2); return { shares: made.shares,"
        " image: [...made.image], phi: made.phi.map((part) => [...part]) }; })"
    )
    assert np.abs(np.array(made["phi"]) - own.pca_pictures[2]).max() <= 1e-3
    np.testing.assert_allclose(made["shares"], own.pca_row_shares[2], atol=1e-3)
    whole = own.pca_mean + own.pca_pictures[2].sum(axis=0)
    assert np.abs(np.array(made["image"]) - whole).max() <= 1e-3
    assert np.abs(own.pca_pictures[2]).max() > 0.1


@pytest.mark.slow
def test_contributions_sum_to_the_change_and_shares_to_one(visit: Visiting) -> None:
    made = visit("live").page.evaluate(EXPLAINED, [40, "unit"])
    change = np.array(made["image"]) - made["start"]
    np.testing.assert_allclose(np.sum(made["phi"], axis=0), change, atol=1e-6)
    assert sum(made["shares"]) == pytest.approx(1, abs=1e-6)
    assert made["missed"] <= 1e-6


def test_one_choice_changes_the_top_the_walk_and_the_units(visit: Visiting) -> None:
    page = visit("live").page
    before = page.locator(".index-here").first.inner_text()
    page.locator("[data-lab=open]").click()
    page.locator(".gallery-tile").nth(40).click()
    name = example("live").live.gallery.names[40]  # type: ignore[union-attr]
    article = page.locator("#image-live")
    article.locator(".part").first.wait_for()
    assert page.locator(".pictured:visible").count() == 1
    assert article.locator("[data-lab=name]").inner_text() == name
    state = article.locator("[data-lab=state]").inner_text()
    assert "Shares sum to 100.0\u202f%" in state
    assert "PCA's shares sum to 100.0\u202f%" in state
    beside = article.locator("[data-lab=pca] .part-name").all_inner_texts()
    assert beside[:2] == ["PCA", "= mean image"]
    assert any(name.startswith("+ PC ") for name in beside)
    assert page.locator("#walk select option:checked").inner_text() == name
    page.wait_for_function(
        "(before) => document.querySelector('.index-here').textContent !== before", arg=before
    )
    made = page.evaluate(EXPLAINED, [40, "unit"])
    first = int(page.locator(".unit-row").first.get_attribute("data-unit"))
    share = made["shares"][[int(n) for n in made["names"]].index(first)]
    printed = page.locator(".index-here").first.inner_text()
    assert float(printed.split()[2].replace("−", "-").rstrip("\u202f%")) == pytest.approx(
        100 * share, rel=0.06
    )
    assert page.url.endswith("#image-40")


@pytest.mark.slow
def test_the_address_leads_back_to_an_image_that_the_report_does_not_picture(
    visit: Visiting,
) -> None:
    page = visit("live").page
    address = page.url + "#image-33&unit=2"
    page.goto("about:blank")
    page.goto(address)
    page.locator("#image-live .part").first.wait_for()
    names = example("live").live.gallery.names  # type: ignore[union-attr]
    assert page.locator("#image-live [data-lab=name]").inner_text() == names[33]
    assert page.locator(".alone-bar").inner_text().startswith("Unit 2 alone")


@pytest.mark.slow
def test_images_are_found_by_class_and_sorted_by_a_unit_s_value(visit: Visiting) -> None:
    gallery = example("live").live.gallery  # type: ignore[union-attr]
    page = visit("live").page
    page.locator("[data-lab=open]").click()
    page.locator("[data-lab=search]").fill("odd")
    expected = [place for place, name in enumerate(gallery.classes) if name == "odd"]
    assert page.locator("[data-lab=found]").inner_text() == f"{len(expected)} of 80"
    page.locator("[data-lab=sort]").select_option("high u3")
    shown = page.evaluate(
        "[...document.querySelectorAll('.gallery-tile')].map((t) => Number(t.dataset.place))"
    )
    assert shown == sorted(expected, key=lambda place: -gallery.codes[place, 3])
    page.locator("[data-lab=search]").fill("no such image")
    assert page.locator("[data-lab=found]").inner_text() == "0 of 80"


@pytest.mark.slow
def test_one_unit_alone_shows_in_the_sum_the_index_and_the_walk(visit: Visiting) -> None:
    page = visit("live").page
    chosen(page, 20)
    second = page.locator(".unit-row").nth(1)
    unit = second.get_attribute("data-unit")
    page.locator("body").press("2")
    assert page.locator("#image-live .part.alone").count() == 1
    assert page.locator("#image-live .part.alone").get_attribute("data-unit") == unit
    assert page.locator("#walk .live-slider:not([hidden])").count() == 1
    assert "alone" in (second.get_attribute("class") or "").split()
    page.locator("body").press("Escape")
    assert page.locator("#walk .live-slider:not([hidden])").count() == 6
    assert not page.locator(".alone-bar").is_visible()


@pytest.mark.slow
def test_arrow_keys_go_through_all_images_and_a_kept_one_is_removed_by_key(visit: Visiting) -> None:
    page = visit("live").page
    page.locator("[data-lab=open]").press("Enter")
    grid = page.locator("[data-lab=grid]")
    grid.focus()
    for key, place in (("End", 79), ("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2)):
        page.keyboard.press(key)
        assert page.evaluate("location.hash") == f"#image-{place}"
        assert grid.evaluate("(grid) => grid === document.activeElement")
    beside = page.locator("[data-lab=beside]")
    beside.press("Enter")
    page.locator(".pinned-image button", has_text="Remove").press("Enter")
    assert page.locator(".pinned-image").count() == 0
    assert beside.evaluate("(button) => button === document.activeElement")


@pytest.mark.slow
def test_pairs_and_planes_of_other_units_step_back(visit: Visiting) -> None:
    page = visit("grey").page
    found = []
    for row in page.locator(".unit-row").all():
        unit = row.get_attribute("data-unit")
        page.evaluate(f"selection.isolate({unit})")
        for pair in page.locator("[data-units]").all():
            stays = "alone" in str(pair.get_attribute("class")).split()
            found.append((unit in str(pair.get_attribute("data-units")).split(), stays))
    assert set(found) == {(True, True), (False, False)}


@pytest.mark.slow
def test_two_images_stand_below_each_other_on_one_scale(visit: Visiting) -> None:
    page = visit("live").page
    chosen(page, 20)
    page.locator("[data-lab=beside]").click()
    page.locator(".pinned-image .part").first.wait_for()
    chosen(page, 21)
    limits = page.evaluate(
        "[...document.querySelectorAll('#image-live [data-limit], .pinned-image [data-limit]')]"
        ".map((image) => image.dataset.limit)"
    )
    assert len(limits) >= 12
    assert len(set(limits)) == 1
    page.locator(".pinned-image button", has_text="Remove").click()
    assert page.locator(".pinned-image").count() == 0


@pytest.mark.slow
def test_an_open_card_shows_what_its_unit_gives_to_the_chosen_image(visit: Visiting) -> None:
    page = visit("live").page
    row = page.locator(".unit-row").first
    row.locator("summary").click()
    row.locator(".here-pictures .pixels").nth(2).wait_for()
    own = example("live").answers.of(Contributions)
    place = int(page.locator(".pictured.opening").get_attribute("id").split("-")[1])
    assert own.picture_names[place] in row.locator(".unit-here h5").inner_text()
    chosen(page, 30)
    name = example("live").live.gallery.names[30]  # type: ignore[union-attr]
    page.wait_for_function(
        "(name) => document.querySelector('.unit-here h5 bdi').textContent === name", arg=name
    )


def test_choosing_leaves_no_line_in_the_console_and_asks_for_nothing(visit: Visiting) -> None:
    visited = visit("live folder")
    page = visited.page
    page.locator("[data-lab=open]").click()
    page.locator(".gallery-tile").nth(50).click()
    page.locator("#image-live .part").first.wait_for()
    assert visited.console == []
    assert [url for url in visited.requests if not url.startswith(("data:image", "file://"))] == []


@pytest.mark.slow
def test_without_a_decoder_in_the_page_units_follow_the_pictured_images(visit: Visiting) -> None:
    results = example("grey")
    page = visit("grey").page
    assert page.locator(".lab-tools").count() == 0
    own = results.answers.of(Contributions)
    page.locator(".choices label").nth(3).click()
    first = int(page.locator(".unit-row").first.get_attribute("data-unit"))
    share = own.row_shares[3][[entry.unit for entry in own.shares].index(first)]
    assert page.locator("#pick-3").is_checked()
    printed = page.locator(".index-here").first.inner_text().split()[2].rstrip("\u202f%")
    assert float(printed.replace("−", "-")) == pytest.approx(100 * share, rel=0.06)


@pytest.mark.slow
def test_a_picture_of_the_reader_s_own_is_explained_and_stays_in_the_page(visit: Visiting) -> None:
    gallery = example("live").live.gallery  # type: ignore[union-attr]
    buffer = io.BytesIO()
    Image.fromarray(gallery.thumbnails[30].reshape(28, 28)).save(buffer, format="PNG")
    visited = visit("live")
    page = visited.page
    page.locator("[data-lab=own] input").set_input_files(
        {"name": "mine.png", "mimeType": "image/png", "buffer": buffer.getvalue()}
    )
    article = page.locator("#image-live")
    article.locator(".part").first.wait_for()
    assert article.locator("[data-lab=name]").inner_text() == "mine.png"
    assert article.locator("[data-lab=class]").inner_text() == "your own"
    own = page.evaluate("model.ready.then((m) => [...m.own.get(m.count).pixels])")
    np.testing.assert_allclose(own, gallery.thumbnails[30] / 255, atol=1e-6)
    # Pixels beyond black and white were cut off, so that the code is near the image's and not it.
    code = page.evaluate("model.ready.then((m) => [...m.code(m.count)])")
    assert np.corrcoef(code, gallery.codes[30])[0, 1] > 0.9
    assert "of your picture's variance" in article.locator("[data-lab=state]").inner_text()
    assert page.locator("#walk select option:checked").inner_text() == "mine.png"
    beyond = [url for url in visited.requests if not url.startswith(("data:image", "file://"))]
    assert beyond == []


def test_a_file_that_is_no_picture_is_said_to_be_none(visit: Visiting) -> None:
    page = visit("live").page
    page.locator("[data-lab=own] input").set_input_files(
        {"name": "notes.png", "mimeType": "image/png", "buffer": b"no picture"}
    )
    says = page.locator("[data-lab=own-says]", has_text="notes.png")
    says.wait_for()
    assert says.inner_text() == "notes.png is no picture that this browser can read."


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_violation_where_an_image_was_chosen(visit: Visiting, dark: bool) -> None:
    page = visit("live", dark=dark, axe=True).page
    page.locator("[data-lab=open]").click()
    chosen(page, 40)
    page.locator("[data-lab=beside]").click()
    page.locator(".pinned-image .part").first.wait_for()
    page.locator(".unit-row summary").first.click()
    page.locator(".here-pictures .pixels").nth(2).wait_for()
    page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(['#hero', '.unit-index'], {resultTypes: ['violations']})")
    assert [(rule["id"], rule["nodes"][0]["html"][:160]) for rule in found["violations"]] == []
