"""What stands with one image is that image's: shares, order, strongest units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reportgen.report.numbers import percent
from reportgen.report.results import Results
from reportgen.report.views.contributions import SHOWN_ROWS
from reportgen.report.views.unit_examples import strong_images
from tests.report.example import example_results, page_of, with_answers
from tests.report.parsed import Element, parsed


def captions_of(page: Element, results: Results) -> list[list[str]]:
    """Of the model's strip of each image that is shown."""
    section = page.one("section", id="contributions")
    found = []
    for name in results.answers["contributions"].picture_names[:SHOWN_ROWS]:
        row = section.one("div", role="group", **{"aria-label": f"Contributions for {name}"})
        first = row.all("div", **{"class": "captions"})[0]
        found.append([span.text for span in first.all("span")][3:])
    return found


@pytest.fixture(scope="module")
def page(results: Results) -> Element:
    return parsed(page_of(results).html)


def test_captions_are_the_image_s_own_shares_in_its_own_order(
    page: Element, results: Results
) -> None:
    answer = results.answers["contributions"]
    names = [share.name for share in answer.shares]
    found = captions_of(page, results)
    for row, captions in enumerate(found):
        order = np.argsort(-answer.row_shares[row], kind="stable")
        expected = [
            f"+ unit {names[k]} {percent(answer.row_shares[row, k], 2)}".replace("\u202f", " ")
            for k in order
        ]
        assert [caption.replace("\u202f", " ") for caption in captions] == expected
    assert len(set(map(tuple, found))) == len(found), "no two images have the same shares"
    pooled = [f"+ unit {name}" for name in names]
    assert any([caption.rsplit(" ", 2)[0] for caption in own] != pooled for own in found)


def test_alternative_texts_carry_the_same_shares(page: Element, results: Results) -> None:
    answer = results.answers["contributions"]
    section = page.one("section", id="contributions")
    for row, name in enumerate(answer.picture_names[:SHOWN_ROWS]):
        (text,) = (
            str(image.attributes["alt"])
            for image in section.all("img")
            if f"{name}: original, reconstruction, decoded mean" in str(image.attributes["alt"])
        )
        strongest = int(np.argmax(answer.row_shares[row]))
        own = percent(answer.row_shares[row, strongest], 2)
        assert f"own shares: unit {answer.shares[strongest].name} ({own})" in text
        assert "pooled" not in text


@pytest.mark.slow
def test_of_many_units_an_image_shows_its_own_ten() -> None:
    """The others are one column, whose share is what is left of the image's change."""
    results = example_results(units=14, images=120)
    answer = results.answers["contributions"]
    for row, captions in enumerate(captions_of(parsed(page_of(results).html), results)):
        order = np.argsort(-answer.row_shares[row], kind="stable")
        shown = [caption.split()[2] for caption in captions[:-1]]
        assert shown == [answer.shares[k].name for k in order[:10]]
        left = percent(1 - answer.row_shares[row, order[:10]].sum(), 2)
        assert captions[-1].replace("\u202f", " ") == f"+ rest {left}".replace("\u202f", " ")


def test_an_image_at_the_mean_code_has_no_share_to_show(results: Results) -> None:
    answer = results.answers["contributions"]
    shares = answer.row_shares.copy()
    shares[0] = np.nan
    changed = with_answers(results, contributions=replace(answer, row_shares=shares))
    first, *_ = captions_of(parsed(page_of(changed).html), changed)
    assert first == [f"+ unit {share.name} no share" for share in answer.shares]


def test_a_unit_s_card_says_what_it_contributes_to_each_of_its_images(
    page: Element, results: Results
) -> None:
    answer = results.answers["contributions"]
    units = [share.unit for share in answer.shares]
    cards = page.one("section", id="units").all("article")
    assert cards
    told = 0
    for image in page.one("section", id="units").all("img"):
        text = str(image.attributes["alt"])
        if "The contribution is" not in text:
            continue
        name = text.split(":")[0]
        unit = next(u for u in results.units if f"of unit {u.name}," in text)
        own = answer.row_shares[answer.picture_names.index(name), units.index(unit.index)]
        assert f"The contribution is {percent(own, 2)} of this image's change." in text
        told += 1
    assert told == len(cards)


def test_a_unit_s_examples_are_those_that_the_results_name(results: Results) -> None:
    strong = results.answers["contributions"].strong
    for unit in results.units:
        places = [place for place, image in enumerate(strong.images) if image.unit == unit.index]
        shown = strong_images(results, unit)
        assert shown is not None and 0 < len(places) <= 2
        assert shown.names == tuple(strong.images[place].name for place in places)
        assert np.array_equal(shown.parts, strong.parts[places])
        assert np.array_equal(shown.originals, strong.originals[places])


def test_of_older_results_examples_are_the_pictured_images_with_the_largest_and_an_opposed_part(
    results: Results,
) -> None:
    answer = replace(results.answers["contributions"], strong=None)
    results = with_answers(results, contributions=answer)
    for unit in results.units:
        player = [share.unit for share in answer.shares].index(unit.index)
        phi = answer.pictures[:, player].astype(np.float64)
        strong = strong_images(results, unit)
        assert strong is not None
        sizes = np.linalg.norm(phi, axis=1)
        first, second = (answer.picture_names.index(name) for name in strong.names)
        assert sizes[first] == sizes.max()
        opposed = [row for row in range(len(phi)) if phi[row] @ phi[first] < 0]
        others = opposed or [row for row in range(len(phi)) if row != first]
        assert sizes[second] == sizes[others].max()
        assert np.array_equal(strong.parts, answer.pictures[[first, second], player])
        assert np.array_equal(strong.originals, answer.originals[[first, second]])


def test_all_cards_are_drawn_on_one_scale(page: Element, results: Results) -> None:
    signed = [
        strip
        for strip in page.one("section", id="units").all("img")
        if "data-limit" in strip.attributes
    ]
    walks = {str(i.attributes["data-limit"]) for i in signed if "frames of unit" in _alt(i)}
    maps = ("frames of unit", " reads, on ", " paints on ")
    others = {
        str(i.attributes["data-limit"]) for i in signed if not any(m in _alt(i) for m in maps)
    }
    assert len(walks) == len(others) == 1


def _alt(image: Element) -> str:
    return str(image.attributes["alt"])
