"""The top of the page in a real Chromium: what the first screen shows, and choosing an image."""

from __future__ import annotations

import pytest

from tests.slow import slow_but

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("name", slow_but(["colour"], ["grey", "colour"]))
def test_the_first_screen_shows_an_image_and_the_sum_that_makes_it(
    visit, name: str, scripts: bool
) -> None:
    page = visit(name, height=720, scripts=scripts).page
    model, pca = page.locator(".pictured.opening .sum").all()
    for total in (model, pca):
        box = total.bounding_box()
        assert box["y"] + box["height"] <= 720
    assert page.locator("h1").bounding_box()["y"] < 100


@pytest.mark.slow
def test_on_a_phone_the_first_screen_shows_the_model_s_sum(visit) -> None:
    page = visit("grey", width=390, height=844).page
    box = page.locator(".pictured.opening .sum").first.bounding_box()
    assert box["y"] + box["height"] <= 844
    widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1]


@pytest.mark.slow
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_thumbnail_shows_its_image_and_hides_what_the_address_names(visit, scripts: bool) -> None:
    page = visit("grey", height=720, scripts=scripts).page
    shown = page.locator(".pictured:visible")
    assert "opening" in shown.get_attribute("class")
    opening = shown.get_attribute("id")
    named, other = [place for place in range(4) if f"image-{place}" != opening][:2]
    page.goto(f"{page.url}#image-{named}")
    assert shown.count() == 1
    assert shown.get_attribute("id") == f"image-{named}"
    # The address scrolls to the top, where the image is, and not past the thumbnails.
    assert page.locator(".choices").bounding_box()["y"] > 0
    page.locator(f".choices [data-place='{other}']").click()
    assert shown.count() == 1
    assert shown.get_attribute("id") == f"image-{other}"


@pytest.mark.slow
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_the_keyboard_reaches_all_images_in_both_ways_from_one_stop(visit, scripts: bool) -> None:
    page = visit("grey", height=720, scripts=scripts).page
    page.locator("#pick-0").focus()
    page.keyboard.press("Space")
    shown = page.locator(".pictured:visible")
    places = [label.get_attribute("data-place") for label in page.locator(".choices label").all()]
    anchors = [f"image-{place}{way}" for way in ("", "-otherwise") for place in places]
    for anchor in anchors:
        assert shown.count() == 1
        assert shown.get_attribute("id") == anchor
        page.keyboard.press("ArrowRight")
    assert shown.get_attribute("id") == anchors[0]
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") != "radio"


@pytest.mark.slow
def test_j_and_k_go_from_image_to_image_and_the_chosen_one_is_marked(visit) -> None:
    page = visit("grey", height=720).page
    picked = page.locator(".pick:checked")
    labels = page.locator(".choices label").all()
    places = [int(label.get_attribute("data-place")) for label in labels]
    first = int(picked.get_attribute("id").removeprefix("pick-"))
    second = places[(places.index(first) + 1) % len(places)]
    for key, expected in (("j", second), ("k", first)):
        page.keyboard.press(key)
        page.wait_for_selector(f"#pick-{expected}:checked", state="attached")
        assert picked.count() == 1
        assert page.evaluate("location.hash") == f"#image-{expected}"
    assert page.locator(f"#image-{first}").is_visible()


@pytest.mark.slow
def test_tiles_are_between_96_and_128_pixels_wide_on_a_wide_screen(visit) -> None:
    page = visit("grey", height=720).page
    widths = page.evaluate(
        "[...document.querySelectorAll('.pictured.opening img')].map((i) => i.clientWidth)"
    )
    assert len(widths) > 8
    assert all(96 <= width <= 128 for width in widths)


@pytest.mark.slow
def test_the_pictures_of_a_sum_are_enlarged_one_after_another(visit) -> None:
    page = visit("grey", height=720).page
    page.locator(".pictured.opening .sum").first.locator(".enlarge").first.focus()
    page.keyboard.press("Enter")
    caption = page.locator(".enlarged-caption")
    assert caption.inner_text().startswith("1 of 9. ")
    page.keyboard.press("ArrowRight")
    assert caption.inner_text().startswith("2 of 9. ")
    assert "reconstruction" in caption.inner_text()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert caption.inner_text().startswith("9 of 9. ")


@pytest.mark.slow
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_one_click_shows_the_same_image_by_direction(visit, scripts: bool) -> None:
    page = visit("grey", height=720, scripts=scripts).page
    opening = page.locator(".pictured.opening")
    opening.locator(".ways label").click()
    shown = page.locator(".pictured:visible")
    assert shown.count() == 1
    assert shown.get_attribute("id") == opening.get_attribute("id") + "-otherwise"
    assert "direction 1" in shown.inner_text()


@pytest.mark.slow
@pytest.mark.parametrize("otherwise", [False, True], ids=["first way", "other way"])
def test_the_chosen_image_stays_when_the_reader_goes_elsewhere_on_the_page(
    visit, otherwise: bool
) -> None:
    page = visit("grey").page
    shown = page.locator(".pictured:visible")
    if otherwise:
        shown.locator(".ways label").click()
    page.locator(".choices label").nth(1).click()
    chosen = shown.get_attribute("id")
    assert chosen == ("image-1-otherwise" if otherwise else "image-1")
    page.evaluate("location.hash = '#contributions'")
    page.wait_for_function("scrollY > 0")
    assert shown.count() == 1
    assert shown.get_attribute("id") == chosen
    assert page.locator(f"#{chosen.replace('image', 'pick')}").is_checked()


@pytest.mark.slow
def test_a_share_and_a_size_of_many_digits_are_shown_whole(visit) -> None:
    page = visit("colour").page
    cut = """(says) => [...document.querySelectorAll('.pictured.opening .part-share')].map((p) => {
      p.innerHTML = says; return p.scrollWidth > p.clientWidth; })"""
    long = "<b>−0.022\u202f%</b> <span>size 0.31\u202f%</span>"
    assert not any(page.evaluate(cut, long))
