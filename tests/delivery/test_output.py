"""Writing: whole or not at all, and refused before the work starts."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from reportgen.delivery import target as target_module
from reportgen.delivery.output import Output
from reportgen.errors import OutputError

IMAGES = b"an archive"


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_page_is_written_where_it_was_asked_for(tmp_path: Path) -> None:
    Output(tmp_path / "r.html").write("<p>Grüße</p>", "", b"")
    assert listing(tmp_path) == ["r.html"]
    assert (tmp_path / "r.html").read_text(encoding="utf-8") == "<p>Grüße</p>"
    assert (tmp_path / "r.html").stat().st_mode & 0o777 == 0o644


def test_results_are_written_beside_it_in_a_folder_that_is_made(tmp_path: Path) -> None:
    Output(tmp_path / "r.html", tmp_path / "x" / "y").write("<p>", "{}", IMAGES)
    assert listing(tmp_path) == ["r.html", "x", "x/y", "x/y/results.json", "x/y/results.npz"]
    assert (tmp_path / "x" / "y" / "results.npz").read_bytes() == IMAGES


def test_an_earlier_report_is_replaced(tmp_path: Path) -> None:
    for text in ("first", "second"):
        Output(tmp_path / "r.html").write(text, "", b"")
    assert (tmp_path / "r.html").read_text() == "second"
    assert listing(tmp_path) == ["r.html"]


def full_disk(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def break_writing(monkeypatch: pytest.MonkeyPatch, where: str, after: int) -> None:
    """The disk is full at the `after`-th call of one of the steps of writing."""
    count = {"calls": 0}

    def guard(genuine):
        def call(*arguments, **keywords):
            count["calls"] += 1
            if count["calls"] > after:
                full_disk()
            return genuine(*arguments, **keywords)

        return call

    if where == "fsync":
        monkeypatch.setattr(os, "fsync", guard(os.fsync))
    elif where == "make":
        monkeypatch.setattr(
            target_module.tempfile, "mkstemp", guard(target_module.tempfile.mkstemp)
        )
    elif where == "write":
        genuine = os.fdopen

        def fdopen(*arguments, **keywords):
            file = genuine(*arguments, **keywords)
            return WithWrite(file, guard(file.write))

        monkeypatch.setattr(os, "fdopen", fdopen)
    else:
        monkeypatch.setattr(Path, "replace", guard(Path.replace))


class WithWrite:
    """A file whose `write` is another."""

    def __init__(self, file, write) -> None:
        self._file, self.write = file, write

    def __getattr__(self, name: str):
        return getattr(self._file, name)

    def __enter__(self):
        self._file.__enter__()
        return self

    def __exit__(self, *error):
        return self._file.__exit__(*error)


@pytest.mark.parametrize("after", [0, 1, 2])
@pytest.mark.parametrize("where", ["make", "write", "fsync"])
def test_a_full_disk_leaves_nothing_and_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, after: int
) -> None:
    (tmp_path / "results").mkdir()
    target = Output(tmp_path / "r.html", tmp_path / "results")
    break_writing(monkeypatch, where, after)
    with pytest.raises(OutputError, match="No space left") as caught:
        target.write("<p>", "{}", IMAGES)
    assert "\n" not in str(caught.value)
    assert listing(tmp_path) == ["results"]


def test_a_full_disk_leaves_an_earlier_report_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "r.html").write_text("earlier")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OutputError):
        Output(tmp_path / "r.html").write("later", "", b"")
    assert (tmp_path / "r.html").read_text() == "earlier"
    assert listing(tmp_path) == ["r.html"]


def test_a_full_disk_does_not_leave_the_folder_that_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Output(tmp_path / "r.html", tmp_path / "new" / "results")
    break_writing(monkeypatch, "fsync", after=1)
    with pytest.raises(OutputError):
        target.write("<p>", "{}", IMAGES)
    assert listing(tmp_path) == []


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_rename_that_fails_leaves_no_part_of_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    (tmp_path / "results").mkdir()
    target = Output(tmp_path / "r.html", tmp_path / "results")
    break_writing(monkeypatch, "rename", after)
    with pytest.raises(OutputError):
        target.write("<p>", "{}", IMAGES)
    assert listing(tmp_path) == ["results"]


def test_a_folder_in_a_file_s_place_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "results" / "results.json").mkdir(parents=True)
    with pytest.raises(OutputError):
        Output(tmp_path / "r.html", tmp_path / "results").write("<p>", "{}", IMAGES)
    assert listing(tmp_path) == ["results", "results/results.json"]


@pytest.mark.parametrize("stopped_by", [KeyboardInterrupt, SystemExit, MemoryError])
def test_an_interrupted_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_by: type[BaseException]
) -> None:
    def stop(handle: int) -> None:
        raise stopped_by

    target = Output(tmp_path / "r.html")
    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(stopped_by):
        target.write("<p>", "", b"")
    assert listing(tmp_path) == []


def test_a_missing_folder_is_named_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nowhere"):
        Output(tmp_path / "nowhere" / "r.html")
    assert listing(tmp_path) == []


def test_a_folder_as_the_page_s_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        Output(tmp_path)


def test_a_file_in_the_results_folder_s_place_is_refused_as_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(OutputError) as caught:
        Output(tmp_path / "r.html", tmp_path / "results")
    assert "does not exist" not in str(caught.value)


def test_a_folder_that_cannot_be_written_to_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*arguments: object, **keywords: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(target_module.tempfile, "TemporaryFile", denied)
    with pytest.raises(OutputError, match="Permission denied"):
        Output(tmp_path / "r.html")


def test_checking_a_place_leaves_no_trace(tmp_path: Path) -> None:
    Output(tmp_path / "r.html", tmp_path / "a" / "b")
    assert listing(tmp_path) == []
