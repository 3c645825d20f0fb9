"""Checks of results wherever they are kept, and the command `reportgen check`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reportgen.checks.checking import CheckRequest, check_results
from reportgen.checks.rules import read_rule
from reportgen.command.cli import main
from reportgen.confined import result_jobs
from reportgen.delivery.files import STEP_SUMMARY
from reportgen.errors import ResultsError
from reportgen.questions import QUESTIONS
from reportgen.report.reading import read_numbers, read_report
from reportgen.report.results import Results

RULE = "reconstruction.r2 >= 0.5"
Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """The command in a folder of its own, with results read in this process."""
    monkeypatch.setattr(result_jobs, "check", check_results)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(STEP_SUMMARY, raising=False)
    return lambda *words: CliRunner().invoke(main, ["check", *map(str, words)])


@pytest.mark.parametrize("name", ["", "results.json", "page.html"])
def test_results_are_read_from_a_folder_its_json_or_a_page(
    folder: Path, results: Results, name: str
) -> None:
    read = read_numbers(folder / name, QUESTIONS)
    assert read.verdict == results.verdict
    assert read.units == results.units
    again, arrays = read_report(folder / name, QUESTIONS)
    assert again.units == results.units
    assert bool(arrays) == (name != "page.html")


def test_images_that_are_not_read_take_no_memory(folder: Path, results: Results) -> None:
    pictures = read_numbers(folder, QUESTIONS).answers["contributions"].pictures
    assert pictures.shape == results.answers["contributions"].pictures.shape
    assert pictures.strides == (0,) * pictures.ndim


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.html", None, "holds no readable results"),
        ("page.html", b"<!doctype html><p>hello", "a page without results"),
        (
            "bomb.html",
            b'<!doctype html><script type="application/gzip" id="results">AAAA</script>',
            "holds no readable results",
        ),
        ("r.json", b"{", "holds no readable results"),
        ("r.json", b"[" * 100_000, "nested too deeply"),
        ("r.json", b'{"a": NaN}', "no number in JSON"),
        ("r.json", b'{"schema_version": "99.0"}', "a newer reportgen (schema 99.0)"),
        ("r.json", b'{"schema_version": "1.0"}', "build the report again"),
        ("r.json", b"\xff", "holds no readable results"),
    ],
)
def test_what_holds_no_results_is_one_sentence(
    tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ResultsError) as refused:
        read_numbers(tmp_path / name, QUESTIONS)
    assert said in str(refused.value)
    with pytest.raises(ResultsError, match=r"holds no results\.json"):
        read_numbers(tmp_path, QUESTIONS)


def test_exit_codes_tell_kept_broken_and_bad_input(run: Run, folder: Path) -> None:
    assert run(folder, RULE).exit_code == 0
    broken = run(folder, "reconstruction.r2 >= 0.99")
    assert broken.exit_code == 4
    assert "FAIL" in broken.stdout
    wrong = run(folder, "reconstrution.r2 >= 0")
    assert wrong.exit_code == 2
    assert "nearest name is 'reconstruction.r2'" in wrong.stderr
    assert run(folder, "reconstruction.r2 => 1").exit_code == 2
    assert run(folder / "nothing", RULE).exit_code == 2
    none = run(folder)
    assert none.exit_code == 2
    assert "There is no rule" in none.stderr


def test_rules_are_read_from_the_settings_file_that_lies_here(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    text = (
        "seed = 3\n[check]\nrules = ['reconstruction.r2 >= 0.5', "
        "{rule = 'reconstruction.r2 >= 0.99', severity = 'warning'}]"
    )
    (tmp_path / "reportgen.toml").write_text(text, encoding="utf-8")
    warned = run(folder)
    assert (warned.exit_code, "warning" in warned.stdout) == (0, True)
    assert run(folder, "--strict").exit_code == 4
    # What is said on the command line stands in the file's place.
    assert "1 rule: 1 kept" in run(folder, RULE).stdout


def test_a_preset_and_a_baseline(run: Run, folder: Path) -> None:
    done = run(folder, "--preset", "release", "--baseline", folder / "page.html")
    assert done.exit_code == 0, done.output
    assert "8 rules: 8 kept" in done.stdout


def test_formats_go_to_standard_output_or_a_file(run: Run, folder: Path, tmp_path: Path) -> None:
    assert json.loads(run(folder, RULE, "--format", "json").stdout)[0]["result"] == "pass"
    assert run(folder, RULE, "--format", "markdown").stdout.startswith("|")
    done = run(folder, RULE, "--format", "junit", "-o", "j.xml")
    assert "1 rule: 1 kept" in done.stdout
    assert (tmp_path / "j.xml").read_text(encoding="utf-8").startswith("<?xml")


def test_all_numbers_are_listed_with_their_values(run: Run, folder: Path) -> None:
    done = run(folder, "--list")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert len(lines) > 300
    assert any(re.match(r"reconstruction\.r2 +0\.\d+ \[0\.\d+, 0\.\d+\]$", line) for line in lines)
    assert any(re.match(r"control\.passed +true$", line) for line in lines)
    assert any(re.match(r"interactions\.matrix +4 × 4 numbers$", line) for line in lines)
    listed = json.loads(run(folder, "--list", "--format", "json").stdout)
    plain = {entry["name"]: entry for entry in listed}
    assert set(plain["reconstruction.r2"]) == {"name", "value", "low", "high"}
    assert plain["interactions.matrix"]["shape"] == [4, 4]


def test_a_summary_and_a_picture_are_written(run: Run, folder: Path, tmp_path: Path) -> None:
    done = run(folder, RULE, "--summary", "s.md", "--preview", "p.png", "--link", "https://e.org")
    assert done.exit_code == 0, done.output
    summary = (tmp_path / "s.md").read_text(encoding="utf-8")
    assert "https://e.org" in summary
    assert (tmp_path / "p.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    words_alone = run(folder / "page.html", RULE, "--preview", "q.png")
    assert words_alone.exit_code == 0
    assert (tmp_path / "q.png").stat().st_size < (tmp_path / "p.png").stat().st_size


def test_the_summary_of_a_github_job_is_appended_to(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected = tmp_path / "step.md"
    collected.write_text("# Earlier step\n", encoding="utf-8")
    monkeypatch.setenv(STEP_SUMMARY, str(collected))
    assert run(folder, RULE, "--summary", collected).exit_code == 0
    assert collected.read_text(encoding="utf-8").startswith("# Earlier step\n\n<!-- reportgen:")
    other = tmp_path / "s.md"
    other.write_text("old", encoding="utf-8")
    assert run(folder, RULE, "--summary", other).exit_code == 0
    assert other.read_text(encoding="utf-8").startswith("<!-- reportgen:")


def test_no_result_is_written_over(run: Run, folder: Path, tmp_path: Path) -> None:
    for name, words in (("r.toml", ("--rules", "r.toml")), ("reportgen.toml", ())):
        (tmp_path / name).write_text(f"[check]\nrules = ['{RULE}']\n", encoding="utf-8")
        done = run(folder, *words, "-o", name)
        assert done.exit_code == 2 and "is the file of rules" in done.stderr
        assert RULE in (tmp_path / name).read_text(encoding="utf-8")
    before = (folder / "results.json").read_bytes()
    for flag in ("-o", "--summary", "--preview"):
        done = run(folder, RULE, flag, folder / "results.json")
        assert done.exit_code == 2
        assert "would be written over" in done.stderr
    same = run(folder, RULE, "-o", "x", "--summary", "x")
    assert same.exit_code == 2
    assert "one place" in same.stderr
    assert (folder / "results.json").read_bytes() == before


@pytest.mark.confined
def test_a_confined_child_checks_the_same(folder: Path) -> None:
    request = CheckRequest(folder, (read_rule(RULE),), baseline=folder, lists=True, summary=True)
    child, here = result_jobs.check(request), check_results(request)
    assert child.outcomes[0].said == here.outcomes[0].said
    assert child.summary == here.summary
    assert len(child.numbers) == len(here.numbers)
    for one, other in zip(child.numbers, here.numbers, strict=True):
        assert (one.name, one.shape) == (other.name, other.shape)
        assert repr(one.estimate) == repr(other.estimate)
