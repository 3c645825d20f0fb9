"""The page as a document: structure, escaping, what is missing, layouts, determinism."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import itertools
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from reportgen.autoencoder import Note
from reportgen.questions import QUESTIONS, Place
from reportgen.report import numbers, phrases
from reportgen.report.fitting import page_within_size
from reportgen.report.page import in_page_order
from reportgen.report.question import Question
from reportgen.report.results import Results
from reportgen.report.store import results_json
from reportgen.report.template_folder import template_folder
from reportgen.report.thinning import Thinning
from reportgen.report.views.thinning import first_and_rest, steps_shown
from reportgen.report.words import Word
from tests.report.example import example_results, page_of, with_answers, without
from tests.report.parsed import Element, parsed
from tests.slow import slow_but

HOSTILE = '</script><img src=x onerror="alert(1)">{{ 7 * 7 }}\u202e\U0001f9e8'


SECTIONS = tuple(in_page_order(question for question in QUESTIONS if question.title))
CHAPTERS = ("verdict", Place.UNITS, Place.WALK, Place.PCA, Place.APPENDIX)


def applicable(results: Results) -> tuple[Question, ...]:
    """The sections that ask about something these results have."""
    return tuple(s for s in SECTIONS if s.name not in results.not_applicable)


@pytest.fixture(scope="module")
def page(results: Results) -> Element:
    return parsed(page_of(results).html)


def unpacked(text: str) -> str:
    """What the page packs: gzip in base64."""
    return gzip.decompress(base64.b64decode(text)).decode("utf-8")


def sections_of(page: Element) -> list[str]:
    """The questions' sections of a page, in its order."""
    found = [section.attributes["id"] for section in page.one("main").all("section")]
    return [name for name in found if name not in CHAPTERS]


def test_sections_stand_in_their_places_with_title_question_and_contents_link(
    page: Element, results: Results
) -> None:
    main = page.one("main")
    chapters = [s.attributes["id"] for s in main.all("section") if s.attributes["id"] in CHAPTERS]
    assert chapters == [*CHAPTERS]
    assert sections_of(page) == [section.name for section in applicable(results)]
    nav = page.one("nav", **{"class": "contents"})
    links = [str(a.attributes["href"])[1:] for a in nav.all("a")]
    assert [name for name in links if name in CHAPTERS] == [*CHAPTERS]
    assert [name for name in links if name not in CHAPTERS] == ["hero", *sections_of(page)]
    for section in applicable(results):
        element = main.one("section", id=section.name)
        assert main.one("h3", id=f"{section.name}-heading").text.removesuffix(" #") == section.title
        assert section.lead in main.text
        around = main.one(id=section.place)
        assert element in around.all("section"), section.name


def test_a_section_is_folded_unless_it_is_to_stand_open(page: Element, results: Results) -> None:
    folded = [
        section.attributes["id"]
        for fold in page.one("main").all("details", **{"class": "folded"})
        for section in fold.all("section")
    ]
    closed = [section.name for section in applicable(results) if not section.opened]
    assert folded == closed


def test_headings_go_down_one_level_at_a_time(page: Element) -> None:
    levels = [int(e.tag[1]) for e in page.all() if re.fullmatch("h[1-6]", e.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_every_link_within_the_page_leads_somewhere_and_no_anchor_is_there_twice(
    page: Element,
) -> None:
    anchors = [e.attributes["id"] for e in page.all() if "id" in e.attributes]
    assert len(anchors) == len(set(anchors))
    targets = {a.attributes["href"] for a in page.all("a")} | {
        u.attributes["href"] for u in page.all("use")
    }
    assert {target for target in targets if not target.startswith("#")} == set()
    assert {target[1:] for target in targets} <= set(anchors)


def test_the_verdict_has_a_line_with_its_word_number_and_evidence_for_each_question(
    page: Element, results: Results
) -> None:
    grades = page.one("section", id="verdict").all("details", **{"class": "grade"})
    assert len(grades) == len(results.verdict) == 5
    for grade, answer in zip(grades, results.verdict, strict=True):
        assert grade.one("h3").text == answer.question
        assert grade.one("span", **{"class": "word"}).text == answer.word
        assert answer.detail in grade.text
        assert answer.number is not None
        number = numbers.with_plain_spaces(numbers.in_scale(answer.number.value, answer.scale))
        assert number in numbers.with_plain_spaces(grade.one("summary").text)
        assert grade.all("svg") or grade.all("img")


def test_what_passed_is_one_line_and_what_failed_is_open(results: Results) -> None:
    changed = {"additivity": (Word.YES,), "subtraction": (Word.ROUGHLY, Word.VALID)}
    verdict = tuple(
        replace(line, words=changed.get(line.section, line.words)) for line in results.verdict
    )
    page = parsed(page_of(replace(results, verdict=verdict)).html)
    is_open = {
        name: "open" in page.one(id=f"verdict-{name}").all("details")[0].attributes
        for name in changed
    }
    assert is_open == {"additivity": False, "subtraction": True}


def test_evidence_is_an_image_s_own_number_nearest_to_the_pooled_one(
    page: Element, results: Results
) -> None:
    answer = results.answers["additivity"]
    assert answer is not None
    gaps = answer.sets[0].row_gaps
    row = int(np.abs(gaps - answer.up.gap.value).argmin())
    shown = page.one(id="verdict-additivity").all("details")[0].one("img").attributes["alt"]
    assert str(shown).endswith(
        f"{answer.picture_names[row]}: the sum of all units' single effects "
        f"{phrases.misses(gaps[row], 'what they change together')}."
    )


def test_a_question_that_does_not_apply_is_left_out(page: Element, results: Results) -> None:
    assert "spatial" in results.not_applicable
    assert not page.all("section", id="spatial")


def test_every_picture_has_an_alternative_text_and_is_a_webp_inside_the_page(
    page: Element,
) -> None:
    images = page.all("img")
    assert len(images) > 50
    for image in images:
        assert len(image.attributes["alt"] or "") > 10
        kind, data = (image.attributes["src"] or "").split(",", 1)
        assert kind == "data:image/webp;base64"
        picture = Image.open(io.BytesIO(base64.b64decode(data)))
        size = (int(image.attributes["width"] or 0), int(image.attributes["height"] or 0))
        assert picture.size == size


def test_every_chart_has_a_label_or_is_hidden_from_screen_readers(page: Element) -> None:
    for chart in page.all("svg"):
        assert chart.attributes.get("aria-hidden") == "true" or chart.attributes["aria-label"]


def test_every_intervention_prints_its_share_of_codes_off_data(page: Element) -> None:
    names = ("traversal", "contributions", "units", "additivity", "subtraction", "interactions")
    for name in (*names, "partial_reconstruction", "one_picture", "plane_walks", "directions"):
        lines = page.one("section", id=name).all("p", **{"class": "off-data"})
        assert lines, name
        assert all("flagged off data" in line.text for line in lines)


def test_a_partial_reconstruction_tells_how_many_units_join_at_once(results: Results) -> None:
    answer = results.answers["partial_reconstruction"]
    assert (len(results.units), len(answer.names)) == (4, 4)
    ends = (*range(2), -1)
    cut = replace(
        answer,
        names=(answer.names[0], "rest"),
        model_r2=tuple(answer.model_r2[k] for k in ends),
        pca_r2=tuple(answer.pca_r2[k] for k in ends),
        pca_components=(0, 1, 4),
        model_pictures=answer.model_pictures[:, ends],
        pca_pictures=answer.pca_pictures[:, ends],
    )
    said = [
        parsed(page_of(shown).html).one("section", id="partial_reconstruction").text
        for shown in (results, with_answers(results, partial_reconstruction=cut))
    ]
    sentence = "At the last step, k = 2, the other 3 units join at once."
    assert ["at once." in text for text in said] == [False, True]
    assert sentence in " ".join(said[1].split())


def test_every_section_of_evidence_names_its_limits(page: Element, results: Results) -> None:
    for section in applicable(results):
        if section.answer is None:
            continue
        element = page.one("section", id=section.name)
        folds = [d.one("summary").text for d in element.all("details", **{"class": "aside"})]
        answered = not element.all("p", **{"class": "unanswered"})
        assert any(fold.startswith("Limits") for fold in folds) or not answered, section.name


def test_the_embedded_results_are_results_json(page: Element, results: Results) -> None:
    embedded = unpacked(page.one("script", id="results").text)
    assert json.loads(embedded) == json.loads(results_json(results))


def test_the_page_starts_with_its_doctype(results: Results) -> None:
    assert page_of(results).html.startswith("<!DOCTYPE html>")


def test_two_renderings_are_the_same_bytes(results: Results) -> None:
    assert page_of(results).html == page_of(results).html


@pytest.mark.parametrize("layout", ["file", "folder"])
def test_section_sizes_add_up_to_all_but_the_pages_frame(results: Results, layout: str) -> None:
    page = page_of(results, layout)
    assert page.size - 12_000 < sum(page.section_bytes.values()) < page.size
    sections = {section.name for section in applicable(results)}
    assert set(page.section_bytes) == {"head", "hero", "verdict", *sections}


def test_the_policy_allows_our_own_styles_and_scripts_and_nothing_else(page: Element) -> None:
    policy = page.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for block in page.all("style") + [s for s in page.all("script") if "type" not in s.attributes]:
        text = "".join(block._texts())
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_no_element_carries_a_style_or_a_handler(page: Element) -> None:
    for element in page.all():
        bad = [n for n in element.attributes if n == "style" or n.startswith("on")]
        assert not bad, (element.tag, bad)


@pytest.mark.slow
def test_hostile_names_are_text_and_nothing_but_text() -> None:
    hostile = example_results(prefix=HOSTILE, name=HOSTILE)
    hostile = with_answers(replace(hostile, failures={"tracking": HOSTILE}), tracking=None)
    html = page_of(hostile).html
    page = parsed(html)
    harmless = page_of(example_results()).html
    assert "7 * 7" in page.text
    assert "<img src=x" not in html
    assert len(page.all("script")) == len(parsed(harmless).all("script"))
    assert all(image.attributes["src"] != "x" for image in page.all("img"))
    assert json.loads(unpacked(page.one("script", id="results").text))["title"] == HOSTILE
    assert page.one("h1").text == HOSTILE
    assert page.one("title").text.startswith("</script>")


def test_a_name_of_four_thousand_letters_is_still_a_page() -> None:
    long = "long name " * 400
    results = replace(example_results(), title=long)
    assert parsed(page_of(results).html).one("h1").text == long.strip()


ANSWERED = tuple(section.name for section in SECTIONS if section.answer)
HALVES = (ANSWERED[::2], ANSWERED[1::2])


@pytest.mark.parametrize(
    "missing",
    slow_but(HALVES, (*HALVES, *((name,) for name in ANSWERED))),
    ids=lambda missing: missing[0] if len(missing) == 1 else f"every second from {missing[0]}",
)
def test_a_missing_section_says_which_question_went_unanswered_and_why(
    missing: tuple[str, ...], results: Results
) -> None:
    page = page_of(without(results, *missing))
    assert page.failures == {}
    document = parsed(page.html)
    for name in missing:
        element = document.one("section", id=name)
        assert f"no {name} here." in element.text
        assert document.one("h3", id=f"{name}-heading")
        assert not element.all("img")


def test_a_page_without_any_analysis_still_comes_out(results: Results) -> None:
    names = {question.name for question in QUESTIONS if question.answer}
    page = parsed(page_of(replace(without(results, *names), off_data=None)).html)
    assert sections_of(page) == [section.name for section in SECTIONS]
    assert "Nothing could be said about single units" in page.text


def test_an_unknown_verdict_says_why_in_its_own_line(results: Results) -> None:
    page = parsed(page_of(without(results, "linearity")).html)
    summaries = page.one("section", id="verdict").all("summary")
    line = next(each for each in summaries if "Is it linear on the data?" in each.text)
    assert "Unknown" in line.text and "No linearity here." in line.text


def test_a_conditional_model_s_page_says_so_at_its_head(results: Results) -> None:
    said = "each at its own class, which the model takes too"
    assert said not in parsed(page_of(results).html).text
    notes = (*results.provenance.model_notes, Note("condition", "It is given classes."))
    conditional = replace(results, provenance=replace(results.provenance, model_notes=notes))
    page = parsed(page_of(conditional).html)
    assert said in page.one("p", **{"class": "facts"}).text
    assert "mean code at the image's own class" in page.one("section", id="hero").text


def test_a_failed_analysis_is_named_as_reportgens_fault(results: Results) -> None:
    broken = replace(
        without(results, "additivity"),
        unanswered={},
        failures={"additivity": "ZeroDivisionError: division by zero"},
    )
    section = parsed(page_of(broken).html).one("section", id="additivity")
    assert "ZeroDivisionError" in section.text
    assert "fault in reportgen" in section.text


@pytest.mark.slow
def test_a_template_that_asks_for_what_is_not_there_fails_alone_and_loudly(
    results: Results,
    tmp_path: object,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import shutil
    from pathlib import Path

    copy = Path(str(tmp_path)) / "templates"
    shutil.copytree(template_folder(), copy)
    section = copy / "sections" / "trust.html.j2"
    section.write_text(
        section.read_text(encoding="utf-8").replace("result.bottleneck", "result.botleneck"),
        encoding="utf-8",
    )
    monkeypatch.setattr("reportgen.report.templates.template_folder", lambda: copy)
    page = page_of(results)
    assert list(page.failures) == ["trust"]
    assert "botleneck" in page.failures["trust"]
    assert "UndefinedError" in capsys.readouterr().err
    broken = parsed(page.html)
    assert "fault in reportgen" in broken.one("section", id="trust").text
    monkeypatch.undo()
    whole = parsed(page_of(results).html)
    others = [s for s in applicable(results) if s.name not in ("trust", "provenance")]
    for section in others:
        shown = whole.one("section", id=section.name)
        assert shown.text == broken.one("section", id=section.name).text


def test_a_view_that_fails_takes_down_its_own_section_only(results: Results) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("planted")

    questions = [
        replace(question, view=broken) if question.name == "linearity" else question
        for question in QUESTIONS
    ]
    page = page_within_size(results, questions)
    assert page.failures == {"linearity": "ZeroDivisionError: planted"}
    document = parsed(page.html)
    assert "ZeroDivisionError: planted" in document.one("section", id="linearity").text
    assert "Linearity failed" in document.one("section", id="verdict").text
    assert sections_of(document) == [section.name for section in applicable(results)]
    assert document.one("section", id="additivity").all("img")
    # Stored with the results, it is forgotten where the view does not fail again.
    again = page_within_size(replace(results, failures=page.failures), QUESTIONS)
    assert again.failures == {}
    assert "planted" not in again.html


@pytest.mark.slow
def test_a_model_worse_than_the_mean_image_leads_the_page_and_marks_what_follows() -> None:
    page = parsed(page_of(example_results(encoder_gain=-1.0)).html)
    first, second = page.all("div", role="note")
    assert "does not reconstruct" in first.text
    assert "check what was assumed of the pixels" in second.text
    marked = [
        name
        for name in sections_of(page)
        if page.one("section", id=name).all("p", **{"class": "mark"})
    ]
    assert "contributions" in marked
    assert not {"reconstruction", "control", "provenance"} & set(marked)


def test_a_good_model_is_not_marked(page: Element) -> None:
    assert not page.all("p", **{"class": "mark"})
    assert not page.all("div", role="note")


@pytest.mark.parametrize(
    "shape",
    slow_but(
        [{"units": 1}, {"units": 2, "code_sites": 2}, {"channels": 4}],
        [
            {"units": 1},
            {"units": 2, "channels": 3},
            {"units": 2, "code_sites": 2},
            {"channels": 4},
            {"units": 40, "images": 300},
            {"side": 66, "units": 2},
        ],
    ),
    ids=str,
)
def test_pages_come_out_for_all_kinds_of_shapes(shape: dict) -> None:
    results = example_results(**shape)
    page = parsed(page_of(results).html)
    assert page.all("img")
    assert sections_of(page) == [section.name for section in applicable(results)]


def test_many_units_get_at_most_32_cards_and_every_unit_a_line() -> None:
    results = example_results(units=34)
    section = parsed(page_of(results).html).one("section", id="units")
    assert len(section.all("article")) <= 32
    table = section.all("table")[0]
    assert len(table.one("tbody").all("tr")) == 34
    assert "have a row each" in section.text


def test_units_without_images_of_their_own_have_a_line_instead_of_a_card(results: Results) -> None:
    """As the weakest of more than 32 have; whatever shares say, also where there are none."""
    assert results.answers["health"] is not None
    first, *others = results.answers["health"].units
    bare = replace(first, lowest=first.lowest[:0], highest=first.highest[:0])
    without = with_answers(
        results, health=replace(results.answers["health"], units=(bare, *others))
    )
    section = parsed(page_of(with_answers(without, contributions=None)).html).one(
        "section", id="units"
    )
    cards = [article.attributes["id"] for article in section.all("article")]
    assert f"unit-{first.unit}" not in cards
    assert len(cards) == len(results.units) - 1


def test_constant_and_ignored_units_have_a_line_instead_of_a_card(results: Results) -> None:
    assert results.answers["health"] is not None
    quiet = replace(results.units[-1], health=("ignored",), sentence="It has no effect.")
    page = parsed(page_of(replace(results, units=(*results.units[:-1], quiet))).html)
    section = page.one("section", id="units")
    assert len(section.all("article")) == len(results.units) - 1
    assert "Units without effect" in section.text
    assert "It has no effect." in section.text


def test_an_ablation_of_a_correlated_unit_carries_its_warning(results: Results) -> None:
    warned = replace(results.units[0], correlated_with=((results.units[1].index, -0.83),))
    page = parsed(page_of(replace(results, units=(warned, *results.units[1:]))).html)
    card = page.one("article", id=f"unit-{warned.index}")
    assert f"unit {results.units[1].name} (r −0.83)" in card.one("p", **{"class": "caution"}).text


def test_the_folder_layout_has_its_pictures_styles_and_scripts_beside_it(
    results: Results,
) -> None:
    page = page_of(results, layout="folder")
    tree = parsed(page.html)
    assert not tree.all("style")
    assert "data:image" not in page.html
    used = {image.attributes["src"] for image in tree.all("img")}
    used |= {image.attributes["href"] for image in tree.all("image")}
    run = [script for script in tree.all("script") if "type" not in script.attributes]
    used |= {script.attributes["src"] for script in run}
    used |= {link.attributes["href"] for link in tree.all("link")}
    assert used | {"assets/results.json"} == set(page.files)
    assert json.loads(page.files["assets/results.json"]) == json.loads(results_json(results))


def test_columns_beyond_ten_are_summed_and_nothing_is_lost() -> None:
    pictures = np.random.default_rng(0).normal(size=(15, 6))
    kept, rest = first_and_rest(pictures)
    assert rest
    assert len(kept) == 11
    assert np.allclose(kept.sum(axis=0), pictures.sum(axis=0))
    same, rest = first_and_rest(pictures[:11])
    assert not rest
    assert len(same) == 11


def test_steps_are_all_of_few_and_ever_rarer_of_many() -> None:
    assert steps_shown(3) == (0, 1, 2, 3)
    assert steps_shown(33) == (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 33)


@pytest.mark.slow
def test_a_card_names_every_unit_that_may_be_the_largest_interaction(results: Results) -> None:
    first, *others = results.units
    partners = tuple(unit.index for unit in others[:2])
    changed = replace(first, largest_interaction=partners[0], interaction_partners=partners)
    page = parsed(page_of(replace(results, units=(changed, *others))).html)
    text = page.one("section", id="units").text
    one, other = (unit.name for unit in others[:2])
    assert f"unit {one} or unit {other}" in " ".join(text.replace("\u00a0", " ").split())


def test_units_without_a_traversal_are_all_live_ones_that_have_none(results: Results) -> None:
    health = replace(results.answers["health"], live=481)
    text = parsed(page_of(with_answers(results, health=health)).html).one("section", id="traversal")
    walked = len(results.answers["traversal"].units)
    assert f"not the other {481 - walked}." in " ".join(text.text.split())


@pytest.mark.parametrize("leads", [False, True])
def test_traversals_along_directions_stay_on_a_smaller_page_where_directions_come_first(
    results: Results, leads: bool
) -> None:
    along = replace(results.answers["direction_contributions"], leads=leads)
    changed = with_answers(results, direction_contributions=along)
    page = parsed(page_of(changed, thinning=Thinning(full_walks=False)).html)
    assert len(page.all("h4", id="direction-walks")) == leads
    links = [a.attributes.get("href") for a in page.one("section", id="traversal").all("a")]
    assert ("#direction-walks" in links) == leads
