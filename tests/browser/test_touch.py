"""Everything that a mouse chooses on the page, a finger does too, on a screen of 390 × 844."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Touched = Callable[[bool], Any]


@pytest.fixture
def touched(
    chromium_with: Callable[[str], Any], report: Callable[[str], Path]
) -> Iterator[Touched]:
    """touched(scripts): the live page on a telephone."""
    contexts = []

    def opened(scripts: bool) -> Any:
        context = chromium_with("wide").new_context(
            viewport={"width": 390, "height": 844},
            has_touch=True,
            is_mobile=True,
            java_script_enabled=scripts,
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(report("live").as_uri())
        if scripts:
            page.wait_for_selector("#walk .live-slider", state="attached")
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_finger_chooses_an_image_and_the_way_it_is_taken_apart(
    touched: Touched, scripts: bool
) -> None:
    page = touched(scripts)
    shown = page.locator(".pictured:visible")
    before, way = shown.get_attribute("id"), shown.locator(".ways").inner_text()
    page.locator(".choices label:not(.opening)").first.tap()
    assert shown.count() == 1
    assert shown.get_attribute("id") != before
    shown.locator(".ways :is(label, a)").first.tap()
    assert shown.count() == 1
    assert shown.locator(".ways").inner_text() != way


def test_a_finger_chooses_any_image_and_moves_a_unit(touched: Touched) -> None:
    page = touched(True)
    page.locator("[data-lab=open]").tap()
    page.locator(".gallery-tile").nth(20).tap()
    page.locator("#image-live .part").first.wait_for()
    name = page.locator("#image-live [data-lab=name]").inner_text()
    assert page.locator("#walk select option:checked").inner_text() == name
    slider = page.locator("#walk .live-slider input[type=range]").first
    before = slider.input_value()
    box = slider.bounding_box()
    slider.tap(position={"x": box["width"] * 0.9, "y": box["height"] / 2})
    assert slider.input_value() != before
    assert "moved" in page.locator("#walk .live-slider").first.get_attribute("class")
