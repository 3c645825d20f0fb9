"""Comparisons whose truth is known: a report with itself, permuted, rotated, of other images."""

from __future__ import annotations

import json
import math
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from reportgen.analyses.replicates import Replicates
from reportgen.command.cli import main
from reportgen.comparison.comparing import CompareRequest, compare_results
from reportgen.comparison.comparison import compare_sources, comparison_json
from reportgen.comparison.differences import replicated_difference, welch
from reportgen.comparison.markdown import MOST_BYTES, comparison_markdown
from reportgen.comparison.page import render_comparison
from reportgen.comparison.pictures import pictures_of
from reportgen.comparison.sources import Source, conditions_of, read_sources
from reportgen.comparison.units import match_units, ranking_similarity
from reportgen.confined import jobs, result_jobs
from reportgen.errors import ComparisonError
from reportgen.questions import QUESTIONS
from reportgen.report.drawing import Drawing
from reportgen.report.results import Results
from reportgen.report.store import image_archive, results_json
from reportgen.request import BuildRequest
from reportgen.settings import Settings
from reportgen.statistics.matching import rank_correlations, relative_strength
from tests.comparison.conftest import Make
from tests.report.example import with_answers

HOSTILE = '"><script>alert(1)</script>@everyone #12 | `x`'


class Page(HTMLParser):
    """Tags, ids, links and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.ids, self.links, self.text = [], [], [], ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        named = dict(attrs)
        self.tags.append((tag, named))
        self.ids += [named["id"]] if "id" in named else []
        self.links += [named["href"]] if tag == "a" else []

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_report_and_itself_differ_by_exactly_nothing(make: Make) -> None:
    one, two = make("one"), make("two")
    pair = compare_sources([one, two], QUESTIONS).pairs[0]
    assert all(condition.same for condition in pair.conditions)
    for found in (*pair.differences, *(answer.difference for answer in pair.verdict)):
        assert found.difference.value == 0 or math.isnan(found.difference.value)
        assert found.mark in ("same", "cannot be compared")
    paired = {found.name: found for found in pair.differences}["reconstruction.r2"]
    assert paired.paired
    assert (paired.difference.low, paired.difference.high) == (0, 0)
    assert [unit.r.value for unit in pair.units.units] == [1] * 4
    assert [(unit.r.low, unit.r.high) for unit in pair.units.units] == [(1, 1)] * 4
    assert pair.units.second_from_first == pytest.approx(1, abs=1e-4)
    assert pair.units.says.startswith("The same units")
    assert (pair.appeared, pair.vanished) == ((), ())


def test_a_verdict_that_one_report_lacks_is_left_out(make: Make) -> None:
    one, two = make("one"), make("two")
    without = replace(two.results, verdict=two.results.verdict[1:])
    (pair,) = compare_sources([one, replace(two, results=without)], QUESTIONS).pairs
    assert len(pair.verdict) == len(one.results.verdict) - 1


def test_permuted_and_flipped_units_are_matched_with_their_signs(
    make: Make, codes: np.ndarray
) -> None:
    order, signs = np.array([2, 0, 3, 1]), np.array([1, -1, 1, -1])
    found = match_units(make("one"), make("two", codes[:, order] * signs))
    assert {unit.first: unit.second for unit in found.units} == {
        int(unit): place for place, unit in enumerate(order)
    }
    by_second = {unit.second: unit for unit in found.units}
    assert [by_second[k].flipped for k in range(4)] == [False, True, False, True]
    assert all(abs(unit.r.value) == 1 and unit.runner_up < 0.5 for unit in found.units)


def test_a_rotated_code_is_the_same_space_in_other_axes(make: Make, codes: np.ndarray) -> None:
    matrix = np.random.default_rng(3).normal(size=(4, 4))
    rotation = np.linalg.qr(matrix)[0].astype(np.float32)
    found = match_units(make("one"), make("two", codes @ rotation))
    assert found.median < 0.9
    assert found.second_from_first == pytest.approx(1, abs=1e-3)
    assert found.first_from_second == pytest.approx(1, abs=1e-3)
    assert found.says.startswith("The same space in other axes")


def test_a_code_that_knows_nothing_of_the_other_is_another_space(make: Make) -> None:
    other = np.random.default_rng(99).normal(size=(120, 4)).astype(np.float32)
    found = match_units(make("one"), make("two", other))
    assert found.says.startswith("Another space")
    assert not any(unit.partner for unit in found.units)
    assert len(found.alone_in_first) == len(found.alone_in_second) == 4


def test_units_that_do_not_vary_or_are_too_many_have_no_partner(
    make: Make, codes: np.ndarray
) -> None:
    dead = codes.copy()
    dead[:, 1] = 0.5
    found = match_units(make("one"), make("two", dead))
    assert len(found.units) == 3
    assert found.alone_in_first == ("1",)
    narrow = match_units(make("one"), make("two", codes[:, :1]))
    assert len(narrow.units) == 1
    assert len(narrow.alone_in_first) == 3


def test_only_rows_that_both_have_are_looked_at(make: Make, codes: np.ndarray) -> None:
    one, two = make("one"), make("two")
    shuffled = np.random.default_rng(0).permutation(120)[:80]
    fewer = replace(
        two, arrays={**two.arrays, "compare/codes": codes[shuffled], "compare/rows": shuffled}
    )
    found = match_units(one, fewer)
    assert found.rows == 80
    assert [unit.r.value for unit in found.units] == [1] * 4
    few = replace(
        two, arrays={**two.arrays, "compare/codes": codes[:9], "compare/rows": np.arange(9)}
    )
    assert "only 9 test images" in match_units(one, few).reason


def test_paired_differences_are_taken_resample_by_resample(make: Make) -> None:
    one, two = make("one"), make("two", shift=0.01)
    pair = compare_sources([one, two], QUESTIONS).pairs[0]
    r2 = {found.name: found for found in pair.differences}["reconstruction.r2"]
    # Both have the same value; every resample of the second lies .01 above.
    assert r2.difference.value == 0
    assert r2.difference.high == pytest.approx(0.01, abs=1e-6)
    unpaired = {found.name: found for found in pair.differences}["linearity.linear"]
    assert not unpaired.paired


def test_independent_differences_add_both_half_widths_in_quadrature(
    make: Make, results: Results
) -> None:
    other = make("two", other_images=True)
    r2 = replace(results.answers["reconstruction"].r2, value=0.5, low=0.4, high=0.7)
    changed = replace(results.answers["reconstruction"], r2=r2)
    two = replace(other, results=with_answers(other.results, reconstruction=changed))
    pair = compare_sources([make("one"), two], QUESTIONS).pairs[0]
    found = {found.name: found for found in pair.differences}["reconstruction.r2"]
    before = found.first
    assert not found.paired
    assert found.difference.value == pytest.approx(0.5 - before.value)
    low = math.hypot(0.1, before.high - before.value)
    assert found.difference.low == pytest.approx(found.difference.value - low)
    high = math.hypot(0.2, before.value - before.low)
    assert found.difference.high == pytest.approx(found.difference.value + high)
    assert found.mark == "lower"


def test_other_images_forbid_units_and_pictures_and_say_so(make: Make) -> None:
    sources = [make("one"), make("two", other_images=True)]
    comparison = compare_sources(sources, QUESTIONS)
    forbidden = {c.what: c.forbids for c in comparison.pairs[0].conditions if not c.same}
    assert "no units are matched" in forbidden["Images"]
    assert "of other images" in comparison.pairs[0].units.reason
    page = Page(render_comparison(comparison, sources, "title").html)
    assert "pictures" not in page.ids
    assert "Units were not matched" in page.text


def test_another_choice_of_the_same_files_is_other_images(make: Make) -> None:
    one, two = make("one"), make("two")
    provenance = replace(two.results.provenance, rows_sha256={"all": "cd" * 32})
    fewer = replace(two, results=replace(two.results, provenance=provenance))
    assert "of other images" in match_units(one, fewer).reason
    forbids = {c.what: c.forbids for c in conditions_of(one, fewer)}
    assert "no units are matched" in forbids["Images"]


def test_welch_s_interval_is_scipy_s() -> None:
    generator = np.random.default_rng(2)
    first, second = generator.normal(size=4), generator.normal(1, 3, size=6)
    found = welch(first, second)
    expected = stats.ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    same = welch(np.ones(3), np.ones(3))
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_trainings_of_one_recipe_are_told_apart_in_one_of_twenty_numbers() -> None:
    generator = np.random.default_rng(1)
    found = [welch(*generator.normal(size=(2, 3))) for _ in range(2000)]
    changed = np.mean([not f.low <= 0 <= f.high for f in found])
    assert 0.01 < changed <= 0.055


def test_changed_is_said_of_trainings_alone(make: Make, results: Results) -> None:
    def training(name: str, r2: float) -> Source:
        source = make(name)
        estimate = replace(results.answers["reconstruction"].r2, value=r2)
        answer = replace(results.answers["reconstruction"], r2=estimate)
        return replace(source, results=with_answers(source.results, reconstruction=answer))

    first = [training(f"a{k}", 0.8 + 0.001 * k) for k in range(3)]
    second = [training(f"b{k}", 0.9 + 0.001 * k) for k in range(3)]
    comparison = compare_sources([*first, *second], QUESTIONS, (3, 3))
    changed = {found.name: found.changed for found in comparison.trainings}
    assert changed.pop("reconstruction.r2")
    assert not any(changed.values())
    assert comparison.differs == ("R²",)
    page = Page(render_comparison(comparison, [*first, *second], "title").html)
    assert "trainings" in page.ids
    pair = compare_sources([first[0], second[0]], QUESTIONS)
    assert "changed" not in comparison_markdown(pair, "title")


@pytest.mark.parametrize(("gap", "changed"), [(0.0, False), (0.1, True)])
def test_r2_of_stored_replicates_is_compared_over_trainings(
    gap: float, changed: bool, make: Make, results: Results
) -> None:
    def of(name: str, higher: float, spread: tuple[float, ...]) -> Source:
        source = make(name)
        own = results.answers["reconstruction"].r2.value
        others = object.__new__(Replicates)
        object.__setattr__(others, "r2", own + higher + np.array(spread))
        first = replace(results.answers["reconstruction"].r2, value=own + higher)
        answer = replace(results.answers["reconstruction"], r2=first)
        with_both = with_answers(source.results, reconstruction=answer, replicates=others)
        return replace(source, results=with_both)

    one, two = of("one", 0, (0.01, -0.01)), of("two", gap, (0.012, -0.01, 0.002))
    found = compare_sources([one, two], QUESTIONS).pairs[0].replicated
    assert found is not None
    assert (len(found.first), len(found.second)) == (3, 4)
    expected = stats.ttest_ind(found.second, found.first, equal_var=False)
    ends = expected.confidence_interval(0.95)
    assert (found.difference.low, found.difference.high) == pytest.approx((ends.low, ends.high))
    assert found.changed is changed
    assert replicated_difference(make("one"), two) is None
    assert replicated_difference(of("one", 0, (0.01,)), two) is None


def test_udr_is_the_median_over_the_other_models(make: Make, codes: np.ndarray) -> None:
    sources = [
        make("one"),
        make("two", codes[:, ::-1].copy()),
        make("three", np.random.default_rng(4).normal(size=(120, 4))),
    ]
    found = compare_sources(sources, QUESTIONS)
    third = relative_strength(np.abs(rank_correlations(codes, sources[2].codes)))
    assert ranking_similarity(sources[0], sources[2]) == pytest.approx(third)
    near = found.similarity[0, 1]
    assert found.udr[0] == pytest.approx((near + third) / 2)
    assert near > third
    assert np.isnan(np.diag(found.similarity)).all()
    assert found.matched[0, 1] == 1
    page = Page(render_comparison(found, sources, "title").html)
    assert {"reports", "pair-0-units", "pair-1-units"} <= set(page.ids)


@pytest.fixture(scope="module")
def pages(make: Make) -> tuple[Page, str]:
    sources = [make(HOSTILE), make("two", shift=0.5)]
    hostile = replace(sources[1].results, title=HOSTILE, data_name=HOSTILE)
    sources[1] = replace(sources[1], results=hostile)
    comparison = compare_sources(sources, QUESTIONS)
    html = render_comparison(comparison, sources, f"{HOSTILE} and two").html
    assert html == render_comparison(comparison, sources, f"{HOSTILE} and two").html
    return Page(html), comparison_markdown(comparison, HOSTILE)


def test_the_page_holds_every_part_and_its_links_lead_somewhere(pages: tuple[Page, str]) -> None:
    page, _ = pages
    parts = {"conditions", "verdict", "units", "pictures", "curves", "health", "provenance"}
    assert parts <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert "know nothing of retraining" in " ".join(page.text.split())


def test_names_on_the_page_are_text_and_nothing_is_fetched(pages: tuple[Page, str]) -> None:
    page, markdown = pages
    assert [tag for tag, _ in page.tags].count("script") == 4
    assert "alert(1)" in page.text
    for tag, named in page.tags:
        assert not any(name.startswith("on") or name == "style" for name in named), tag
        assert named.get("src", "data:").startswith("data:")
    assert len(markdown.encode("utf-8")) <= MOST_BYTES
    assert "<script>" not in markdown


def test_a_folder_has_its_files_beside_the_page(make: Make) -> None:
    sources = [make("one"), make("two")]
    page = render_comparison(compare_sources(sources, QUESTIONS), sources, "t", "folder")
    assert {"assets/style.css", "assets/page.js", "assets/comparison.json"} <= set(page.files)
    assert "data:image" not in page.html


def test_the_json_holds_every_number_and_no_nan(make: Make) -> None:
    plain = json.loads(comparison_json(compare_sources([make("one"), make("two")], QUESTIONS)))
    assert plain["schema_version"] == "1.0"
    assert plain["pairs"][0]["verdict"][0]["difference"]["difference"]["value"] == 0


@pytest.fixture(scope="module")
def folders(results: Results, make: Make, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    made = tmp_path_factory.mktemp("compared")
    kept = {k: v for k, v in make("x").arrays.items() if k.startswith(("compare/", "bootstrap/"))}
    for name in ("a", "b"):
        (made / name).mkdir()
        (made / name / "results.json").write_text(results_json(results), encoding="utf-8")
        (made / name / "results.npz").write_bytes(image_archive(results, kept))
    return [made / "a", made / "b"]


def test_the_command_writes_the_page_and_what_was_asked_for(
    folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_jobs, "compare", compare_results)
    monkeypatch.chdir(tmp_path)
    a, b = map(str, folders)
    done = CliRunner().invoke(
        main, ["compare", a, b, "--results", "out", "--summary", "s.md", "--fail-on-change"]
    )
    assert done.exit_code == 0, done.output
    assert "The same units" in done.stdout
    for name in ("compare.html", "out/comparison.json", "out/comparison.md", "s.md"):
        assert (tmp_path / name).stat().st_size > 100, name
    same = CliRunner().invoke(main, ["compare", a, a, "-o", "same.html"])
    assert "a (2) beside a (1)" in same.stdout


@pytest.mark.slow
def test_models_are_reported_on_first_with_the_settings_of_the_first_report(
    folders: list[Path], results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[tuple[BuildRequest, Settings]] = []

    def build(request: BuildRequest, settings: Settings, progress: object) -> None:
        built.append((request, settings))
        assert request.results_folder is not None
        shutil.copytree(folders[1], request.results_folder)

    monkeypatch.setattr(result_jobs, "compare", compare_results)
    monkeypatch.setattr(jobs, "build", build)
    monkeypatch.chdir(tmp_path)
    for name in ("new.pt2", "other.py", "images"):
        (tmp_path / name).write_bytes(b"")
    a = str(folders[0])
    done = CliRunner().invoke(main, ["compare", "new.pt2", a, "other.py:load", "--data", "images"])
    assert done.exit_code == 0, done.output
    assert "a beside new.pt2" in done.stdout and "other.py:load beside new.pt2" in done.stdout
    assert [(r.model.name, r.data.name) for r, _ in built] == [
        ("new.pt2", "images"),
        ("other.py:load", "images"),
    ]
    assert all(settings == results.settings for _, settings in built)
    assert not any(r.results_folder and r.results_folder.exists() for r, _ in built)
    (tmp_path / "reportgen.toml").write_text("seed = 3\n")
    for name in ("new.pt2", "reportgen.toml"):
        over = CliRunner().invoke(main, ["compare", "new.pt2", a, "--data", "images", "-o", name])
        assert over.exit_code == 2 and "would be written over" in " ".join(over.stderr.split())
    (tmp_path / "out").mkdir()
    words = ["compare", a, a, "--results", "out", "-o", "out/comparison.json"]
    over = CliRunner().invoke(main, words)
    assert over.exit_code == 2 and "one place" in " ".join(over.stderr.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["A"], "Between 2 and 50 reports"),
        (["--runs", "A,A", "B,B"], "3 trainings or more"),
        (["--runs", "A,A,A", "B,B,B", "A"], "leave A, B and --baseline out"),
        (["A", "B", "--names", "x"], "name each of the 2 reports"),
        (["A", "nothing"], "holds no readable results"),
        (["A", "B", "-o", "A/results.json"], "would be written over"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(
    folders: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
) -> None:
    monkeypatch.setattr(result_jobs, "compare", compare_results)
    monkeypatch.chdir(tmp_path)
    named = dict(zip("AB", map(str, folders), strict=True))
    paths = [re.sub(r"\b[AB]\b", lambda letter: named[letter[0]], word) for word in words]
    done = CliRunner().invoke(main, ["compare", *paths, "--results", "made/for/it"])
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert not (tmp_path / "compare.html").exists()
    assert not (tmp_path / "made").exists()


def test_images_of_two_shapes_are_refused(
    results: Results, folders: list[Path], tmp_path: Path
) -> None:
    provenance = replace(results.provenance, input_shape=(1, 9, 9))
    text = results_json(replace(results, provenance=provenance))
    (tmp_path / "results.json").write_text(text, encoding="utf-8")
    with pytest.raises(ComparisonError, match="images of one shape"):
        read_sources([folders[0], tmp_path], ["one", "two"], QUESTIONS)


@pytest.mark.slow
@pytest.mark.confined
def test_a_confined_child_makes_the_same_page(folders: list[Path]) -> None:
    request = CompareRequest(tuple(folders), ("a", "b"))
    child, here = result_jobs.compare(request), compare_results(request)
    assert child.files.html == here.files.html
    assert child.lines == here.lines


def test_the_image_is_taken_apart_by_directions_where_they_come_first_in_both(make: Make) -> None:
    def led(name: str) -> Source:
        source = make(name)
        along = source.results.answers["direction_contributions"]
        leads = with_answers(source.results, direction_contributions=replace(along, leads=True))
        return replace(source, results=leads)

    drawing = Drawing(led("a").results.provenance.picture_shape, (0.0, 1.0))
    for second, by in ((led("b"), "direction"), (make("b"), "unit")):
        image = pictures_of(led("a"), second, (), drawing).image
        assert image is not None and image.by == by
        assert all(
            part.name.startswith(by) for part in (image.first.parts[0], image.second.parts[0])
        )
