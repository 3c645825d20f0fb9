"""The top of the page: one image as a sum of pictures, with its own numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reportgen.report.drawing import Drawing
from reportgen.report.hero import Hero, hero_of
from reportgen.report.image_parts import Parts, on_one_scale
from reportgen.report.numbers import percent
from reportgen.report.results import Results
from reportgen.report.thinning import thinnings_of
from reportgen.report.words import Word
from reportgen.statistics.bootstrap import Estimate
from tests.report.example import example_results, page_of, with_answers, without
from tests.report.parsed import Element, parsed


def hero(results: Results) -> Hero:
    drawn = hero_of(results, Drawing(results.provenance.picture_shape, results.pixel_range))
    assert drawn is not None
    for image in drawn.images:
        ways = filter(None, (image.led, image.otherwise))
        for total in (total for way in ways for total in (way.model, way.pca)):
            # Sprites are made by other threads, which import as they go; none outlives the test.
            pictures = [part.picture for part in (total.whole, total.start, *total.parts)]
            assert all(picture.sprite.data for picture in pictures if picture is not None)
    return drawn


@pytest.fixture(scope="module")
def many() -> Results:
    return example_results(units=14, images=120)


@pytest.fixture(scope="module")
def page(many: Results) -> Element:
    return parsed(page_of(many).html)


def test_parts_are_the_image_s_six_largest_and_the_others_as_one(many: Results) -> None:
    answer = many.answers["contributions"]
    for image in hero(many).choices:
        shares, sizes = answer.row_shares[image.place], answer.row_sizes[image.place]
        order = np.argsort(-np.abs(shares), kind="stable")
        *alone, others = image.led.model.parts
        assert [part.name for part in alone] == [f"unit {answer.shares[k].name}" for k in order[:6]]
        assert [part.share for part in alone] == [percent(shares[k], 2) for k in order[:6]]
        assert [part.size for part in alone] == [percent(sizes[k], 2) for k in order[:6]]
        assert (others.name, others.share) == ("8 others", percent(shares[order[6:]].sum(), 2))
        assert image.led.model.total == percent(1.0)


def test_pca_s_parts_are_its_largest_on_that_image(many: Results) -> None:
    answer = many.answers["contributions"]
    for image in hero(many).choices:
        squares = np.square(answer.pca_pictures[image.place].astype(float)).sum(axis=1)
        order = np.argsort(-squares)
        *alone, _ = image.led.pca.parts
        assert [part.name for part in alone] == [f"PC {k + 1}" for k in order[:6]]
        shares = squares / squares.sum()
        assert [part.share for part in alone] == [percent(shares[k], 2) for k in order[:6]]


def test_few_units_are_all_shown_and_nothing_is_left(results: Results) -> None:
    for image in hero(results).choices:
        assert [part.name.split()[0] for part in image.led.model.parts] == ["unit"] * 4


def test_of_the_images_that_change_most_the_one_with_the_smallest_largest_part_opens(
    many: Results,
) -> None:
    answer = many.answers["contributions"]
    changes = ((answer.reconstructions - answer.baseline_image) ** 2).sum(axis=1)
    half = np.flatnonzero(changes >= np.median(changes))
    shares = np.sort(np.abs(answer.row_shares), axis=1)[:, ::-1]
    clear = [row for row in half if shares[row, :6].sum() >= 0.7]
    assert clear
    assert hero(many).images[-1].place == min(clear, key=lambda row: shares[row, 0])


def test_where_no_strip_is_clear_the_image_that_changes_most_opens(many: Results) -> None:
    answer = many.answers["contributions"]
    faint = replace(answer, row_shares=np.full_like(answer.row_shares, 0.01))
    changes = ((answer.reconstructions - answer.baseline_image) ** 2).sum(axis=1)
    drawn = hero(with_answers(many, contributions=faint))
    assert drawn.images[-1].place == int(np.argmax(changes))
    assert drawn.opened_for == "it changes most from the decoded mean code"


def test_it_stands_before_the_verdict_and_the_contents(page: Element) -> None:
    order = [element.attributes.get("id") or element.tag for element in page.all()]
    assert order.index("hero") < order.index("nav") or order.index("hero") < order.index("verdict")
    assert order.index("hero") < order.index("verdict")


def test_every_image_can_be_picked_and_the_opening_one_comes_last(page: Element) -> None:
    section = page.one("section", id="hero")
    picks = [str(pick.attributes["id"]) for pick in section.all("input", type="radio")]
    articles = [str(a.attributes["id"]) for a in section.all("article")]
    assert sorted(picks) == sorted(name.replace("image", "pick") for name in articles)
    style = page.one("style").text
    assert all(f"#{pick}:checked~#{pick.replace('pick', 'image')}" in style for pick in picks)
    thumbnails = section.one("div", **{"class": "choices"}).all("label")
    assert [label.attributes["for"] for label in thumbnails] == picks[:5]
    classes = [str(a.attributes["class"]) for a in section.all("article")]
    assert ["opening" in names for names in classes] == [False] * 9 + [True]


def test_pictures_say_in_words_what_they_show(page: Element, many: Results) -> None:
    section = page.one("section", id="hero")
    article = section.all("article")[-1]
    texts = [str(image.attributes["alt"]) for image in article.all("img")]
    opening = hero(many).images[-1]
    first = opening.led.model.parts[0]
    assert len(texts) == 10 + 9
    assert texts[3] == (
        f"{opening.name}, part of {first.name}: {first.share} of this image's change, "
        f"size {first.size}."
    )
    assert all(text.startswith(opening.name) for text in texts)


def test_an_image_at_the_mean_code_has_no_share_to_show(many: Results) -> None:
    answer = many.answers["contributions"]
    shares, sizes = answer.row_shares.copy(), answer.row_sizes.copy()
    shares[1], sizes[1] = np.nan, np.nan
    changed = with_answers(many, contributions=replace(answer, row_shares=shares, row_sizes=sizes))
    image = hero(changed).choices[1]
    assert image.led.model.total == ""
    assert {part.share for part in image.led.model.parts} == {""}
    section = parsed(page_of(changed).html).one("section", id="hero")
    assert "nan" not in section.text.split()


def test_without_contributions_there_is_no_hero(results: Results) -> None:
    page = parsed(page_of(without(results, "contributions")).html)
    assert page.all("section", id="hero") == []
    assert [a.attributes["href"] for a in page.all("a", **{"class": "skip"})] == ["#report"]


def test_it_is_thinned_last(results: Results) -> None:
    steps = thinnings_of(results.provenance.picture_shape)
    assert [step.hero_images == 1 for step in steps] == [False] * (len(steps) - 1) + [True]
    page = parsed(page_of(results, thinning=steps[-1]).html)
    section = page.one("section", id="hero")
    assert len(section.all("article")) == 2
    assert section.all("nav") == []


def test_a_hero_that_fails_is_left_out_and_said(results: Results, monkeypatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no hero today")

    monkeypatch.setattr("reportgen.report.page.hero_of", fails)
    page = page_of(results)
    assert page.failures == {"hero": "RuntimeError: no hero today"}
    assert parsed(page.html).all("section", id="hero") == []
    told = parsed(page_of(replace(results, failures=page.failures)).html)
    assert "no hero today" in told.one("section", id="verdict").text


def test_what_it_says_are_the_verdict_s_numbers(results: Results) -> None:
    lines = {line.section: line for line in results.verdict}
    said = " ".join(hero(results).says)
    for section in ("reconstruction", "subtraction", "additivity"):
        number = lines[section].number
        assert number is not None
        assert f"{100 * number.value:.3g}" in said or f"{number.value:.3g}" in said


def test_every_image_is_shown_by_unit_and_by_direction_and_each_way_leads_to_the_other(
    page: Element, many: Results
) -> None:
    answer = many.answers["direction_contributions"]
    assert not answer.leads
    section = page.one("section", id="hero")
    for image in hero(many).choices:
        first, second = f"image-{image.place}", f"image-{image.place}-otherwise"
        for own, other, way in ((first, second, "direction"), (second, first, "unit")):
            label = section.one("article", id=own).one("span", **{"class": "ways"}).one("label")
            assert label.attributes["for"] == other.replace("image", "pick")
            assert label.text == f"by {way}"
        assert image.otherwise is not None
        shares = answer.row_shares[image.place]
        alone = np.array([share.unit >= 0 for share in answer.shares])
        order = np.argsort(np.where(alone, -np.abs(shares), np.inf), kind="stable")
        *parts, rest = image.otherwise.model.parts
        shown = {part.name for part in parts}
        told = [k for k in order if answer.shares[k].name in shown]
        assert 3 <= len(told) == len(parts) <= 6
        assert [part.name for part in parts] == [answer.shares[k].name for k in told]
        assert [part.share for part in parts] == [percent(shares[k], 2) for k in told]
        assert rest.share == percent(np.delete(shares, told).sum(), 2)
        names = {a.text: a.attributes["href"] for a in section.one("article", id=second).all("a")}
        assert all(names[part.name] == f"#{part.name.replace(' ', '-')}" for part in parts)
        assert all(page.all("tr", id=part.name.replace(" ", "-")) for part in parts)


def test_the_way_that_carries_more_of_an_image_leads(many: Results) -> None:
    answer = replace(many.answers["direction_contributions"], leads=True)
    led = hero(with_answers(many, direction_contributions=answer))
    assert (led.led_by, led.otherwise) == ("direction", "unit")
    assert all(part.name.startswith("direction") for part in led.images[-1].led.model.parts[:6])
    own = percent(answer.own_largest)
    assert f"carry {own} by direction of the code" in led.lead_reason


def test_without_directions_there_is_one_way(many: Results) -> None:
    alone = without(many, "direction_contributions")
    assert all(image.otherwise is None for image in hero(alone).choices)
    section = parsed(page_of(alone).html).one("section", id="hero")
    assert section.all("span", **{"class": "ways"}) == []


def test_parts_that_undo_each_other_do_not_make_a_strip_clear(many: Results) -> None:
    answer = many.answers["contributions"]
    undone = np.zeros_like(answer.row_shares)
    undone[:, :2] = 0.9, -0.8
    drawn = hero(with_answers(many, contributions=replace(answer, row_shares=undone)))
    assert drawn.opened_for == "it changes most from the decoded mean code"


def test_the_word_is_the_verdict_s_with_both_ends_of_its_interval(results: Results) -> None:
    lines = [
        replace(line, words=(Word.PARTLY, Word.WELL)) if line.section == "reconstruction" else line
        for line in results.verdict
    ]
    said = hero(replace(results, verdict=tuple(lines))).says[0]
    assert said.startswith("The model reconstructs partly to well (R² ")
    assert said.endswith(" on test images).")


def test_pooled_numbers_say_over_how_many_images(results: Results) -> None:
    zeroing, summing = hero(results).says[1:]
    assert f"({results.answers['subtraction'].rows} images)" in zeroing
    assert f"({results.answers['additivity'].rows} images)" in summing


def test_a_mean_code_that_sums_cannot_be_judged_from_is_said(results: Results) -> None:
    answer = replace(results.answers["additivity"], cannot_be_judged=True)
    said = hero(with_answers(results, additivity=answer)).says[2]
    assert "cannot be judged from the mean code" in said
    assert f"({answer.sweep_rows} images)" in said


def test_parts_made_of_codes_off_data_carry_a_warning(results: Results) -> None:
    answer = results.answers["contributions"]
    assert not any("off data" in said for said in hero(results).says)
    away = replace(answer, off_data_share=Estimate(0.855, 0.8, 0.9))
    warning = hero(with_answers(results, contributions=away)).says[-1]
    assert warning.startswith("Beware: 85.5 % of the codes".replace(" %", "\u202f%"))
    assert f"({answer.rows} images)" in warning


def test_each_way_has_the_scale_of_its_own_pictures_and_pca_s(many: Results) -> None:
    for image in hero(many).choices:
        assert image.otherwise is not None
        for way, answer in (
            (image.led, many.answers["contributions"]),
            (image.otherwise, many.answers["direction_contributions"]),
        ):
            pictures = answer.pictures[image.place]
            shares = np.array([share.unit >= 0 for share in answer.shares])
            ranking = np.where(shares, -np.abs(answer.row_shares[image.place]), np.inf)
            order = np.argsort(ranking, kind="stable")
            pca = many.answers["contributions"].pca_pictures[image.place]
            largest = np.argsort(-np.square(pca.astype(float)).sum(axis=1), kind="stable")
            shown = [*pictures[order[:6]], pictures[order[6:]].sum(axis=0)]
            shown += [*pca[largest[:6]], pca[largest[6:]].sum(axis=0)]
            assert way.limit == pytest.approx(np.abs(shown).max(), rel=1e-6)


def test_which_way_comes_first_is_said_with_its_rule(many: Results) -> None:
    answer = many.answers["direction_contributions"]
    units_first = hero(many).lead_reason
    assert (
        "Units come first: directions would have to carry over 5 percentage points" in units_first
    )
    leads = with_answers(many, direction_contributions=replace(answer, leads=True))
    assert "Directions come first: that is over 5 percentage points more" in hero(leads).lead_reason
    unknown = replace(answer, own_largest=float("nan"))
    assert hero(with_answers(many, direction_contributions=unknown)).lead_reason == ""


def test_where_six_parts_show_little_of_an_image_the_page_says_why(many: Results) -> None:
    answer = many.answers["contributions"]
    even = np.full_like(answer.row_shares, 1 / answer.row_shares.shape[1])
    spread = with_answers(
        without(many, "direction_contributions"),
        contributions=replace(answer, row_shares=even, effective_units=13.2),
    )
    assert "spread over as many as 13.2 equal units." in hero(spread).lead_reason
    held = np.zeros_like(answer.row_shares)
    held[:, 0] = 1
    clear = with_answers(spread, contributions=replace(answer, row_shares=held))
    assert hero(clear).lead_reason == ""
    along = many.answers["direction_contributions"]
    both = with_answers(
        spread,
        direction_contributions=replace(
            along, leads=True, row_shares=np.full_like(along.row_shares, 0.05)
        ),
    )
    assert "of what is linear in the code." in hero(both).lead_reason


def test_parts_that_undo_each_other_are_said_to_and_others_are_not(many: Results) -> None:
    assert all(not image.led.model.cancelling for image in hero(many).images)
    answer = many.answers["contributions"]
    undone = replace(answer, row_sizes=np.full_like(answer.row_sizes, 29.7))
    cancelling = with_answers(many, contributions=undone)
    assert {image.led.model.cancelling for image in hero(cancelling).images} == {"29.7"}
    section = parsed(page_of(cancelling).html).one("section", id="hero")
    warned = [note.text for note in section.all("p", **{"class": "caution"})]
    assert len(warned) == len(hero(cancelling).images)
    assert all("the largest is 29.7 times as large as the change" in text for text in warned)


def test_others_of_which_nothing_can_be_seen_are_words_and_no_blank_tile(many: Results) -> None:
    answer = many.answers["contributions"]
    pictures, shares = answer.pictures.copy(), answer.row_shares.copy()
    order = np.argsort(-np.abs(shares), axis=1, kind="stable")
    for row, others in enumerate(order[:, 6:]):
        pictures[row, others] /= 1000
        shares[row, others] /= 1000
    faint = replace(answer, pictures=pictures, row_shares=shares)
    blank = with_answers(many, contributions=faint)
    for image in hero(blank).choices:
        *alone, others = image.led.model.parts
        assert [part.picture is None for part in alone] == [False] * 6
        assert others.picture is None
        assert others.share == percent(shares[image.place, order[image.place, 6:]].sum(), 2)
    article = parsed(page_of(blank).html).one("section", id="hero").all("article")[-1]
    assert [note.text for note in article.all("p", **{"class": "faint"})] == ["too faint to see"]


def faint_parts(peaks: tuple[float, ...], shares: tuple[float, ...], **changed: bool) -> Parts:
    """Parts of those largest values, each in a pixel of its own."""
    names = tuple(f"unit {k}" for k in range(len(peaks)))
    given = Parts(
        np.diag(peaks), names, tuple(range(len(peaks))), np.array(shares), np.array(shares), False
    )
    return replace(given, **changed)


FAINT_CASES: dict[str, tuple[Parts, list[int], str, bool]] = {
    # What is given, who is shown alone, what the others are called, and whether they can be seen.
    "all are seen": (faint_parts((1, 0.2), (0.9, 0.1)), [0, 1], "", True),
    "two are not": (faint_parts((1, 0.04, 0.03), (0.97, 0.02, 0.01)), [0], "2 others", False),
    "one is not": (faint_parts((1, 0.2, 0.03), (0.8, 0.19, 0.01)), [0, 1], "unit 2", False),
    "a seventh is seen where one of six is not": (
        faint_parts((1, 0.04, *[0.5] * 6), (0.4, 0.04, *[0.03] * 6)),
        [0, 2, 3, 4, 5, 6],
        "2 others",
        True,
    ),
    "a faint one of a large share": (faint_parts((1, 0.04), (0.8, 0.2)), [0, 1], "", True),
    "a faint rest of a large share": (
        faint_parts((1, 0.02, 0.04), (0.9, 0.04, 0.06), last_is_many=True),
        [0],
        "the rest",
        True,
    ),
    "a rest that nobody counted": (
        faint_parts((1, 0.02, 0.04), (0.97, 0.02, 0.01), last_is_many=True),
        [0],
        "the rest",
        False,
    ),
}


@pytest.mark.parametrize("case", FAINT_CASES)
def test_parts_that_cannot_be_seen_are_among_the_others_and_all_still_add_up(case: str) -> None:
    given, alone, name, is_seen = FAINT_CASES[case]
    (parts,) = on_one_scale(given, in_colour=False)
    assert parts.largest().tolist() == alone
    assert sorted([*parts.largest(), *parts.others()]) == list(range(len(given.names)))
    assert len(parts.others()) == 0 or parts.name_of_others() == name
    assert (parts.together() is None) == (not is_seen or not name)
    if is_seen:
        np.testing.assert_allclose(parts.shown().sum(axis=0), given.pictures.sum(axis=0))


def test_what_cannot_be_seen_beside_a_stronger_sum_is_among_the_others() -> None:
    weak = faint_parts((0.02, 0.01), (0.98, 0.02))
    alone, (beside, _) = (
        on_one_scale(weak, in_colour=False)[0],
        on_one_scale(weak, faint_parts((1.0,), (1.0,)), in_colour=False),
    )
    assert alone.largest().tolist() == [0, 1]
    assert beside.largest().tolist() == [0]
    assert on_one_scale(faint_parts((1, 0.15), (0.97, 0.03)), in_colour=True)[0].others() == [1]
    assert beside.together() is None


def test_pca_s_row_has_its_own_scale_where_it_would_be_too_faint_on_the_model_s(
    many: Results,
) -> None:
    assert all(way.led.pca_limit == way.led.limit for way in hero(many).choices)
    answer = many.answers["contributions"]
    stronger = replace(answer, pictures=20 * answer.pictures)
    drawn = hero(with_answers(many, contributions=stronger))
    for image, before in zip(drawn.choices, hero(many).choices, strict=True):
        pca = answer.pca_pictures[image.place]
        assert image.led.pca_limit == pytest.approx(np.abs(pca).max(), rel=0.5)
        assert image.led.limit > 4 * image.led.pca_limit
        assert len(image.led.pca.parts) >= len(before.led.pca.parts)
    section = parsed(page_of(with_answers(many, contributions=stronger)).html).one(
        "section", id="hero"
    )
    said = [p.text for p in section.all("p", **{"class": "fine"}) if "scale of its own" in p.text]
    assert len(said) == len(drawn.choices)
