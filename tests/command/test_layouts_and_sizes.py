"""Layouts, sizes and PDF from the command's side: files written, sentences on refusal."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner

from reportgen.command.cli import main
from reportgen.delivery.output import Output
from reportgen.delivery.printing import PdfPrinter
from reportgen.errors import OutputError
from reportgen.questions import QUESTIONS
from reportgen.report import fitting
from reportgen.report.fitting import page_within_size
from reportgen.report.page import Page
from reportgen.report.results import Results
from reportgen.report.store import image_archive, results_json
from reportgen.report.thinning import Thinning, thinnings_of
from tests.report.example import example_results, page_of


@pytest.fixture(scope="module")
def results() -> Results:
    return example_results(units=6)


@pytest.fixture(scope="module")
def stored(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored")
    Output(folder / "page.html", folder / "results").write(
        page_of(results).html, results_json(results), image_archive(results)
    )
    return folder / "results"


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def limited(results: Results, megabytes: float | None) -> Results:
    return replace(results, settings=replace(results.settings, max_page_megabytes=megabytes))


@pytest.mark.slow
def test_the_folder_holds_the_page_and_all_that_it_names(stored: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "report"
    done = CliRunner().invoke(main, ["render", str(stored), "-o", str(target), "--layout=folder"])
    assert done.exit_code == 0, done.output
    html = (target / "index.html").read_text(encoding="utf-8")
    named = set(re.findall(r'(?:src|href)="(assets/[^"]+)"', html))
    assert listing(target) == named | {"index.html"}


def test_pictures_of_an_earlier_report_go_and_other_files_stay(
    results: Results, tmp_path: Path
) -> None:
    output = Output(tmp_path / "report", layout="folder")
    output.write("first", "", b"", {"assets/0123456789abcdef.webp": b"old"})
    (tmp_path / "report" / "assets" / "mine.webp").write_bytes(b"mine")
    output.write("second", "", b"", {"assets/fedcba9876543210.webp": b"new"})
    assert listing(tmp_path / "report") == {
        "index.html",
        "assets/fedcba9876543210.webp",
        "assets/mine.webp",
    }


def test_the_folder_layout_refuses_a_file_as_its_folder(stored: Path, tmp_path: Path) -> None:
    (tmp_path / "report").write_text("mine")
    done = CliRunner().invoke(
        main, ["render", str(stored), "-o", str(tmp_path / "report"), "--layout", "folder"]
    )
    assert done.exit_code == 2
    assert "give -o the name of a folder" in done.stderr
    assert (tmp_path / "report").read_text() == "mine"


def test_a_page_within_its_size_is_whole(results: Results) -> None:
    whole = page_of(results)
    assert page_within_size(results, QUESTIONS).html == whole.html
    assert "Left out for size" not in whole.html


@pytest.fixture(scope="module")
def thinned(results: Results) -> dict[Thinning, Page]:
    """The page of every thinning, from the whole one to the thinnest."""
    thinnings = thinnings_of(results.provenance.input_shape)
    return {thinning: page_of(results, thinning=thinning) for thinning in thinnings}


def test_large_pictures_lose_their_fine_pixels_before_units_lose_their_cards() -> None:
    small, large = (thinnings_of((3, side, side)) for side in (32, 64))
    assert {thinning.largest_tile for thinning in small} == {64}
    coarse = [thinning for thinning in large if thinning.largest_tile == 32]
    assert coarse[0].unit_cards == large[0].unit_cards
    assert all(thinning.unit_cards == 32 for thinning in large if thinning not in coarse)


@pytest.mark.slow
def test_each_thinning_leaves_out_more_and_says_it(thinned: dict[Thinning, Page]) -> None:
    pictures = [page.html.count("<img ") for page in thinned.values()]
    assert pictures == sorted(pictures, reverse=True)
    assert pictures[-1] < pictures[0] / 2
    for thinning, page in thinned.items():
        said = unescape(page.html)
        assert all(sentence in said for sentence in thinning.left_out)


@pytest.mark.slow
def test_a_page_that_is_too_large_is_thinned_just_enough(
    results: Results, thinned: dict[Thinning, Page]
) -> None:
    thinnings = [*thinned]
    allowed = (thinned[thinnings[2]].size + 500) / 1e6
    page = page_within_size(limited(results, allowed), QUESTIONS)
    assert page.size <= allowed * 1e6
    assert thinnings[2].left_out[-1] in page.html
    assert thinnings[3].left_out[-1] not in page.html


@pytest.mark.slow
def test_a_page_that_cannot_be_small_enough_is_refused(results: Results) -> None:
    with pytest.raises(OutputError, match=r"even without most of its pictures.*100.kB it may have"):
        page_within_size(limited(results, 0.1), QUESTIONS)


@pytest.mark.slow
def test_without_a_setting_thinning_starts_early_and_refusal_late(
    results: Results, thinned: dict[Thinning, Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    thinnest = [*thinned.values()][-1].size / 1e6
    monkeypatch.setattr(fitting, "USUAL_MEGABYTES", thinnest / 2)
    assert page_within_size(results, QUESTIONS).size / 1e6 == pytest.approx(thinnest)
    monkeypatch.setattr(fitting, "LARGEST_MEGABYTES", thinnest / 2)
    with pytest.raises(OutputError, match="allow more with --max-size"):
        page_within_size(results, QUESTIONS)


def test_pdf_without_a_browser_is_refused_in_one_sentence_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(
        main,
        ["build", "no-model.pt2", "no-images", "-o", f"{tmp_path}/r.html", "--pdf", "r.pdf"],
    )
    assert done.exit_code == 2
    assert done.stderr.startswith("reportgen: --pdf needs Chromium or Chrome")
    assert done.stderr.count("\n") == 1


def test_a_browser_that_fails_is_quoted_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = tmp_path / "bin" / "chromium"
    browser.parent.mkdir()
    browser.write_text("#!/bin/sh\necho 'it broke' >&2\nexit 7\n")
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", f"{browser.parent}:/bin:/usr/bin")
    (tmp_path / "out").mkdir()
    printer = PdfPrinter(tmp_path / "out" / "r.pdf")
    with pytest.raises(OutputError, match="it broke"):
        printer.print(tmp_path / "r.html")
    assert listing(tmp_path / "out") == set()
