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
def test_a_link_shows_its_image_and_hides_the_other(visit, scripts: bool) -> None:
    page = visit("grey", height=720, scripts=scripts).page
    opening = page.locator(".pictured.opening")
    assert opening.is_visible()
    links = page.locator(".choices a")
    other = next(
        link
        for link in links.all()
        if link.get_attribute("href") != "#" + opening.get_attribute("id")
    )
    other.click()
    assert not opening.is_visible()
    chosen = page.locator(other.get_attribute("href"))
    assert chosen.is_visible()
    assert page.locator(".pictured:visible").count() == 1
    # The address scrolls to the top, where the image is, and not past the links.
    assert page.locator(".choices").bounding_box()["y"] > 0


@pytest.mark.slow
def test_j_and_k_go_from_image_to_image_and_the_chosen_one_is_marked(visit) -> None:
    page = visit("grey", height=720).page
    marked = page.locator(".choices a[aria-current]")
    links = [a.get_attribute("href") for a in page.locator(".choices a").all()]
    first = marked.get_attribute("href")
    second = links[(links.index(first) + 1) % len(links)]
    for key, expected in (("j", second), ("k", first)):
        page.keyboard.press(key)
        page.wait_for_selector(f".choices a[aria-current][href='{expected}']")
        assert marked.count() == 1
        assert page.evaluate("location.hash") == expected
    assert page.locator(first).is_visible()


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
def test_one_link_shows_the_same_image_by_direction(visit, scripts: bool) -> None:
    page = visit("grey", height=720, scripts=scripts).page
    opening = page.locator(".pictured.opening")
    opening.locator(".ways a").click()
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
        shown.locator(".ways a").click()
    page.locator(".choices a").nth(1).click()
    chosen = shown.get_attribute("id")
    assert chosen == ("image-1-otherwise" if otherwise else "image-1")
    page.evaluate("location.hash = '#contributions'")
    page.wait_for_function("scrollY > 0")
    assert shown.count() == 1
    assert shown.get_attribute("id") == chosen
    assert page.locator(".choices a[aria-current]").get_attribute("href") == f"#{chosen}"


@pytest.mark.slow
def test_a_share_and_a_size_of_many_digits_are_shown_whole(visit) -> None:
    page = visit("colour").page
    cut = """(says) => [...document.querySelectorAll('.pictured.opening .part-share')].map((p) => {
      p.innerHTML = says; return p.scrollWidth > p.clientWidth; })"""
    long = "<b>−0.022\u202f%</b> <span>size 0.31\u202f%</span>"
    assert not any(page.evaluate(cut, long))
