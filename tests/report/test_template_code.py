"""Compiled templates: kept where Python keeps its own code, and never instead of the templates."""

from __future__ import annotations

import sys
from pathlib import Path

import jinja2
import pytest

from reportgen.report.template_code import template_code


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "page.j2").write_text("{{ name }}")
    return tmp_path


def rendered(folder: Path, name: str) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        bytecode_cache=template_code(folder),
    )
    return environment.get_template("page.j2").render(name=name)


def kept(folder: Path) -> list[Path]:
    return sorted(folder.glob("__pycache__/*/*"))


def test_templates_are_compiled_once_for_all_builds(folder, monkeypatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    assert rendered(folder, "<a>") == "&lt;a&gt;"
    (compiled,) = kept(folder)
    with monkeypatch.context() as patched:
        patched.setattr(jinja2.Environment, "compile", lambda *_: pytest.fail("compiled again"))
        assert rendered(folder, "<b>") == "&lt;b&gt;"
    assert kept(folder) == [compiled]


def test_a_template_that_has_changed_is_compiled_again(folder, monkeypatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    rendered(folder, "a")
    (folder / "page.j2").write_text("new {{ name }}")
    assert rendered(folder, "a") == "new a"


def test_damaged_code_is_compiled_again(folder, monkeypatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    rendered(folder, "a")
    (compiled,) = kept(folder)
    compiled.write_bytes(compiled.read_bytes()[:-20])
    assert rendered(folder, "a") == "a"


def test_nothing_is_written_where_python_writes_no_code(folder, monkeypatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert rendered(folder, "a") == "a"
    assert not (folder / "__pycache__").exists()


def test_a_folder_that_cannot_be_written_is_no_error(folder, monkeypatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    # A file in the folder's place: who runs the tests may be root, whom no permission stops.
    (folder / "__pycache__").write_text("")
    assert rendered(folder, "a") == "a"
    assert (folder / "__pycache__").read_text() == ""
