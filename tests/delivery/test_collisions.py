"""No input is written to, and no two outputs to one place, however the places are spelled."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from reportgen.delivery.collisions import Input, refuse_collisions
from reportgen.delivery.output import Output
from reportgen.delivery.target import Target
from reportgen.errors import OutputError


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with model.pt, a folder data of two images, and a settings file."""
    (tmp_path / "model.pt").write_bytes(b"a model")
    (tmp_path / "reportgen.toml").write_text("seed = 1")
    data = tmp_path / "data"
    (data / "inner").mkdir(parents=True)
    (data / "1.png").write_bytes(b"an image")
    (data / "inner" / "2.png").write_bytes(b"another")
    return tmp_path


def check(work: Path, page: Path, layout: str = "file", **others: Path) -> None:
    output = Output(page, others.get("results"), layout)
    targets = [*output.targets]
    if "pdf" in others:
        targets.append(Target(others["pdf"], "--pdf"))
    inputs = [
        Input("MODEL", work / "model.pt"),
        Input("DATA", work / "data"),
        Input("--config", work / "reportgen.toml"),
        Input("--groups", work / "none.toml"),
    ]
    refuse_collisions(output, targets, others.get("cache"), inputs)


def refused(work: Path, page: Path, layout: str = "file", **others: Path) -> str:
    with pytest.raises(OutputError) as caught:
        check(work, page, layout, **others)
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith(".")
    return sentence


def spellings(work: Path, path: Path) -> list[Path]:
    """Other names of one file: through "..", a link, a hard link, a folder's link."""
    (work / "link").symlink_to(path)
    (work / "twin").hardlink_to(path)
    (work / "folder_link").symlink_to(path.parent)
    return [
        path,
        work / "data" / ".." / path.relative_to(work),
        work / "link",
        work / "twin",
        work / "folder_link" / path.name,
        Path(os.path.relpath(path)),
    ]


@pytest.mark.parametrize("name", ["model.pt", "data/1.png", "data/inner/2.png", "reportgen.toml"])
def test_an_input_is_no_output_however_it_is_spelled(work: Path, name: str) -> None:
    for path in spellings(work, work / name):
        refused(work, path)
        refused(work, work / "r.html", pdf=path)


def test_the_sentence_says_which_input_it_is(work: Path) -> None:
    assert "is MODEL," in refused(work, work / "model.pt")
    (work / "twin").hardlink_to(work / "data" / "1.png")
    assert f"is a file of DATA {work / 'data'}," in refused(work, work / "twin")


def test_a_file_that_the_data_link_to_is_no_output(work: Path) -> None:
    elsewhere = work / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "3.png").write_bytes(b"a third")
    (work / "data" / "linked.png").symlink_to(elsewhere / "3.png")
    (elsewhere / "more").mkdir()
    (elsewhere / "more" / "4.png").write_bytes(b"a fourth")
    (work / "data" / "folder").symlink_to(elsewhere / "more")
    refused(work, elsewhere / "3.png")
    refused(work, elsewhere / "more" / "4.png")
    check(work, elsewhere / "5.html")


def test_links_in_a_circle_among_the_data_end(work: Path) -> None:
    (work / "data" / "inner" / "up").symlink_to(work / "data")
    (work / "r.html").write_text("an earlier report")
    check(work, work / "r.html")


@pytest.mark.parametrize("name", ["results.json", "results.npz"])
def test_results_are_not_written_over_the_data(work: Path, name: str) -> None:
    (work / name).write_bytes(b"mine")
    output = Output(work / "r.html", work)
    with pytest.raises(OutputError):
        refuse_collisions(output, output.targets, None, [Input("DATA", work / name)])


@pytest.mark.parametrize("flag", ["results", "cache"])
def test_a_folder_of_inputs_is_no_folder_of_outputs(work: Path, flag: str) -> None:
    (work / "link").symlink_to(work / "data")
    for path in (work / "data", work / "link", work / "data" / "inner" / ".."):
        assert f"--{flag}" in refused(work, work / "r.html", **{flag: path})


def test_results_and_codes_may_lie_where_the_model_lies(work: Path) -> None:
    check(work, work / "r.html", results=work, cache=work)


@pytest.mark.parametrize("name", ["r.html", "R.HTM", "r.pdf"])
def test_a_page_may_lie_among_the_images_under_a_name_that_nothing_reads(
    work: Path, name: str
) -> None:
    check(work, work / "data" / name)
    (work / "data" / name).write_text("an earlier report")
    check(work, work / "data" / name)


def test_a_page_among_the_images_that_would_be_read_as_one_is_refused(work: Path) -> None:
    refused(work, work / "data" / "report.png")
    refused(work, work / "data" / "report")


@pytest.mark.parametrize("place", ["data", "data/report", "data/inner", "."])
def test_a_report_in_a_folder_neither_is_nor_holds_nor_lies_in_the_data(
    work: Path, place: str
) -> None:
    refused(work, work / place, "folder")
    check(work, work / "report", "folder")


def test_pictures_of_a_report_do_not_go_to_the_data(work: Path) -> None:
    (work / "report").mkdir()
    (work / "report" / "assets").symlink_to(work / "data")
    refused(work, work / "report", "folder")


def test_outputs_of_one_place_are_refused(work: Path) -> None:
    (work / "link").symlink_to("r.html")
    composed, decomposed = (unicodedata.normalize(f, "é.html") for f in ("NFC", "NFD"))
    refused(work, work / "r.html", pdf=work / "r.html")
    refused(work, work / "r.html", pdf=work / "link")
    refused(work, work / "r.html", pdf=work / "R.HTML")
    refused(work, work / composed, pdf=work / decomposed)
    refused(work, work / "out", results=work / "out")
    refused(work, work / "out", results=work / "out" / "inner")
    refused(work, work / "out", cache=work / "out")
    (work / "results").mkdir()
    refused(work, work / "results" / "results.json", results=work / "results")
    refused(work, work / "r.html", pdf=work / "results" / "results.npz", results=work / "results")


def test_outputs_of_other_names_may_share_a_folder(work: Path) -> None:
    (work / "results").mkdir()
    check(work, work / "results" / "r.html", results=work / "results", cache=work / "results")
    check(work, work / "report", "folder", results=work / "report")
    check(work, Path(os.devnull), pdf=Path(os.devnull))


def test_nothing_else_is_written_where_a_report_s_own_files_are(work: Path) -> None:
    assets = work / "report" / "assets"
    refused(work, work / "report", "folder", results=assets)
    assets.mkdir(parents=True)
    refused(work, work / "report", "folder", pdf=assets / "r.pdf")
    refused(work, work / "report", "folder", pdf=work / "report" / "index.html")


def test_two_outputs_do_not_mix_in_one_pipe(work: Path) -> None:
    os.mkfifo(work / "pipe")
    refused(work, work / "pipe", pdf=work / "pipe")
