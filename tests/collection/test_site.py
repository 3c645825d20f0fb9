"""Sites of reports: made, renewed, and removed from; whole without scripts."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reportgen.collection.entries import Entry, EntryRequest, entry_of_plain, read_entry
from reportgen.collection.finding import find_reports
from reportgen.collection.index import IndexedReport, index_files
from reportgen.collection.making import LISTING
from reportgen.command.cli import main
from reportgen.confined import result_jobs
from reportgen.errors import CollectionError
from reportgen.report.results import Results
from reportgen.report.store import image_archive, results_json
from reportgen.statistics.bootstrap import Estimate
from tests.deep_folders import deep_folders
from tests.report.example import example_results, page_of

Run = Callable[..., Result]
HOSTILE = '<script>alert(1)</script>"><img src=x>'


class Index(HTMLParser):
    """Links, sources, scripts and text of an index."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str, attribute: str) -> list[str]:
        return [a[attribute] for name, a in self.tags if name == tag and attribute in a]


@pytest.fixture(scope="module")
def results() -> Results:
    return example_results()


@pytest.fixture(scope="module")
def archive(results: Results) -> bytes:
    return image_archive(results)


@pytest.fixture(scope="module")
def page(results: Results) -> str:
    return page_of(results).html


@pytest.fixture
def runs(tmp_path: Path, results: Results, archive: bytes, page: str) -> Path:
    """Two reports, both with pages, one deeper than the other."""
    for place, date in (("runs/a", "2026-01-01"), ("runs/deep/b", "2026-02-01")):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        provenance = replace(results.provenance, date=date)
        named = replace(results, title=f"{HOSTILE} {folder.name}", provenance=provenance)
        (folder / "results.json").write_text(results_json(named), encoding="utf-8")
        (folder / "results.npz").write_bytes(archive)
        (folder / "report.html").write_text(page, encoding="utf-8")
    return tmp_path / "runs"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command in a folder of its own, with results read in this process."""
    monkeypatch.setattr(result_jobs, "entries", lambda asked: [read_entry(each) for each in asked])
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(main, ["site", *map(str, words)])


def index_of(tmp_path: Path) -> Index:
    return Index((tmp_path / "public" / "index.html").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_every_report_is_a_row_with_its_page_newest_first(
    run: Run, runs: Path, tmp_path: Path, page: str
) -> None:
    done = run(
        "runs", "-o", "public", "--number", "reconstruction.r2", "--number", "units[0].share"
    )
    assert done.exit_code == 0, done.output
    assert "2 reports, 2 pages made" in done.stdout
    index = index_of(tmp_path)
    assert index.named("a", "href") == ["runs-deep-b/index.html", "runs-a/index.html"]
    copied = (tmp_path / "public" / "runs-a" / "index.html").read_text(encoding="utf-8")
    assert copied == page
    for picture in index.named("img", "src"):
        assert (tmp_path / "public" / picture).read_bytes()[:4] == b"\x89PNG"
    assert "alert(1)" in index.text
    # A curve of two reports, drawn without scripts.
    assert len(index.named("polyline", "points")) == 1


@pytest.mark.slow
def test_a_second_run_makes_nothing_and_gives_the_same_bytes(
    run: Run, runs: Path, tmp_path: Path
) -> None:
    run("runs", "-o", "public")
    before = (tmp_path / "public" / "index.html").read_bytes()
    again = run("runs", "-o", "public")
    assert "2 reports, 0 pages made" in again.stdout
    assert (tmp_path / "public" / "index.html").read_bytes() == before
    os.utime(runs / "a" / "report.html", (1, 1))
    assert "2 reports, 1 page made" in run("runs", "-o", "public").stdout
    assert "2 pages made" in run("runs", "-o", "public", "--number", "linearity.linear").stdout


def test_what_is_gone_is_removed_and_nothing_else(run: Run, runs: Path, tmp_path: Path) -> None:
    run("runs", "-o", "public")
    mine = tmp_path / "public" / "runs-a" / "mine.txt"
    mine.write_text("kept", encoding="utf-8")
    for file in (runs / "a").iterdir():
        file.unlink()
    done = run("runs", "-o", "public")
    assert "1 report, 0 pages made, 1 removed" in done.stdout
    assert [path.name for path in mine.parent.iterdir()] == ["mine.txt"]
    kept = run("runs", "-o", "public", "--keep", 1)
    assert kept.exit_code == 0


def test_only_the_newest_are_kept(run: Run, runs: Path, tmp_path: Path) -> None:
    run("runs", "-o", "public")
    assert "1 report, 0 pages made, 1 removed" in run("runs", "-o", "public", "--keep", 1).stdout
    assert index_of(tmp_path).named("a", "href") == ["runs-deep-b/index.html"]


def test_a_damaged_report_is_a_row_with_the_reason(run: Run, runs: Path, tmp_path: Path) -> None:
    (runs / "a" / "results.json").write_text("{", encoding="utf-8")
    done = run("runs", "-o", "public")
    assert done.exit_code == 3
    assert "runs-a: " in done.stderr
    index = index_of(tmp_path)
    assert "holds no readable results" in index.text
    assert index.named("a", "href") == ["runs-deep-b/index.html"]


def test_a_page_that_lies_nowhere_is_made_and_a_stranger_s_is_not_copied(
    run: Run, runs: Path, tmp_path: Path
) -> None:
    (runs / "a" / "report.html").write_text("<script>alert(1)</script>", encoding="utf-8")
    assert run("runs", "-o", "public").exit_code == 0
    made = (tmp_path / "public" / "runs-a" / "index.html").read_text(encoding="utf-8")
    assert 'content="reportgen' in made
    assert "<script>alert(1)" not in made


def test_rules_are_held_and_counted(run: Run, runs: Path, tmp_path: Path) -> None:
    rules = 'rules = ["reconstruction.r2 >= 0.1", "reconstruction.r2 >= 0.99"]'
    (tmp_path / "reportgen.toml").write_text(f"[check]\n{rules}", encoding="utf-8")
    assert run("runs", "-o", "public").exit_code == 0
    assert index_of(tmp_path).text.count("1 of 2") == 2


def test_the_index_is_allowed_where_nothing_inline_is(run: Run, runs: Path, tmp_path: Path) -> None:
    run("runs", "-o", "public", "--base-url", "https://example.org/reports/")
    index = index_of(tmp_path)
    assert all(name != "style" and "style" not in attributes for name, attributes in index.tags)
    for source in (*index.named("script", "src"), *index.named("link", "href")):
        assert (tmp_path / "public" / source).is_file()
    assert len(index.named("script", "src")) == [name for name, _ in index.tags].count("script")
    properties = index.named("meta", "property")
    assert "og:image" in properties
    run("runs", "-o", "public")
    assert index_of(tmp_path).named("meta", "property") == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Name folders of reports"),
        (["nothing"], "is not there"),
        (["empty"], "No results.json lies in"),
        (["runs", "--number", "a..b"], "no name of a number"),
        (["runs", "-o", "taken"], "no site of reportgen's"),
        (["runs", "-o", "broken"], "cannot be read"),
        (["runs", "--rules", "none.toml"], "cannot be read"),
    ],
)
def test_bad_input_is_one_sentence(
    run: Run, runs: Path, tmp_path: Path, words: list[str], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    for name, file, text in (("taken", "index.html", "mine"), ("broken", LISTING, "{")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(text, encoding="utf-8")
    done = run(*words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert (tmp_path / "taken" / "index.html").read_text(encoding="utf-8") == "mine"


def test_a_listing_that_leads_elsewhere_is_refused(run: Run, runs: Path, tmp_path: Path) -> None:
    run("runs", "-o", "public")
    listing = tmp_path / "public" / LISTING
    plain = json.loads(listing.read_text(encoding="utf-8"))
    for files in (["../../precious"], ["/etc/precious"]):
        plain["entries"]["gone"] = {**plain["entries"]["runs-a"], "files": files}
        listing.write_text(json.dumps(plain), encoding="utf-8")
        assert run("runs", "-o", "public").exit_code == 2


@pytest.mark.parametrize("key", ["", "runs/a", "Runs"])
def test_a_listing_whose_folders_are_none_of_a_site_is_refused(
    run: Run, runs: Path, tmp_path: Path, key: str
) -> None:
    run("runs", "-o", "public")
    (tmp_path / "public" / "precious").write_text("mine")
    listing = tmp_path / "public" / LISTING
    plain = json.loads(listing.read_text(encoding="utf-8"))
    plain["entries"][key] = {**plain["entries"]["runs-a"], "files": ["precious"]}
    listing.write_text(json.dumps(plain), encoding="utf-8")
    assert run("runs", "-o", "public").exit_code == 2
    assert (tmp_path / "public" / "precious").exists()


def test_nothing_is_written_or_removed_behind_links_out_of_the_site(
    run: Run, runs: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "index.html").write_text("mine")
    run("runs", "-o", "public")
    listing = tmp_path / "public" / LISTING
    plain = json.loads(listing.read_text(encoding="utf-8"))
    plain["entries"]["gone"] = plain["entries"]["runs-a"]
    listing.write_text(json.dumps(plain), encoding="utf-8")
    (tmp_path / "public" / "gone").symlink_to(tmp_path / "elsewhere")
    assert run("runs", "-o", "public").exit_code == 0
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "runs-a").symlink_to(tmp_path / "elsewhere")
    done = run("runs", "-o", "other")
    assert done.exit_code == 2 and "leads out of it" in done.stderr
    assert (tmp_path / "elsewhere" / "index.html").read_text() == "mine"


@pytest.mark.parametrize("kind", ["pipe", "device", "loop", "too large"])
def test_results_that_are_no_file_are_not_waited_for(tmp_path: Path, runs: Path, kind: str) -> None:
    place = tmp_path / "runs" / "odd" / "results.json"
    place.parent.mkdir()
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "too large":
        with place.open("wb") as file:
            file.truncate(2**40)
    else:
        place.symlink_to("/dev/zero" if kind == "device" else place)
    assert len(find_reports([runs], tmp_path / "public")) == 3
    entry = read_entry(EntryRequest(place.parent, (), (), True, "file")).entry
    assert entry.error


@pytest.mark.slow
def test_folders_below_one_another_without_end_are_gone_through(tmp_path: Path) -> None:
    with deep_folders(tmp_path, 1500) as top:
        assert len(find_reports([top], tmp_path / "public")) == 1


def test_the_site_does_not_list_itself(runs: Path) -> None:
    assert len(find_reports([runs], runs / "public")) == 2
    assert [report.key for report in find_reports([runs, runs / "a"], runs / "deep")] == ["runs-a"]
    with pytest.raises(CollectionError, match="No results"):
        find_reports([runs], runs)


def test_an_index_of_a_thousand_reports_is_below_two_megabytes() -> None:
    number = Estimate(0.8251234, 0.7681418, 0.8729975)
    words = ("Partly to well, less well than PCA", "Mostly", "No", "9 of 10", "No to roughly")
    day, both = "2026-01-01", (number, number)
    entry = Entry("a model of some length", "model", "images", day, words, both, 3, 4)
    rows = [
        IndexedReport(f"runs-{k}", entry, f"runs-{k}/index.html", f"runs-{k}/preview.png")
        for k in range(1000)
    ]
    files = index_files(rows, "t", ("reconstruction.r2", "linearity.linear"), "date", "")
    assert sum(map(len, files.values())) < 2e6
    assert entry_of_plain(entry.as_plain()) == entry


@pytest.mark.confined
def test_a_confined_child_reads_the_same_entry(runs: Path) -> None:
    request = EntryRequest(runs / "a", ("reconstruction.r2",), (), False, "file")
    (child,) = result_jobs.entries([request])
    here = read_entry(request)
    assert child.entry == here.entry
    assert child.files == here.files
