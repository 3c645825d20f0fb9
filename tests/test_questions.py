"""The list of questions, and a question that an installed package adds without touching ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from reportgen import questions
from reportgen.errors import ExtensionError
from reportgen.questions import QUESTIONS, Question, all_questions, runs_of
from tests.oracles import decoders
from tests.report.parsed import parsed

EXTENSION = Path(__file__).parent / "extension"
REPOSITORY = Path(__file__).parents[1]


def entry_point(value: object) -> object:
    """An entry point of an installed package that holds `value`, or raises it."""

    class Package:
        name = "someones-package"

    class EntryPoint:
        name, dist = "theirs", Package()

        def load(self) -> object:
            if isinstance(value, Exception):
                raise value
            return value

    return EntryPoint()


def installed(monkeypatch: pytest.MonkeyPatch, value: object) -> None:
    found = [entry_point(value)]
    monkeypatch.setattr(questions.metadata, "entry_points", lambda group: found)


def test_names_are_told_apart_and_are_names_in_python() -> None:
    names = [question.name for question in QUESTIONS]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


def test_a_question_with_an_answer_has_the_function_that_gives_it_and_the_reverse() -> None:
    for question in QUESTIONS:
        assert (question.run is None) == (question.answer is None), question.name


def test_questions_are_asked_in_their_order_but_the_control_first() -> None:
    """Its peak of memory comes when nobody else keeps anything."""
    asked = [question.name for question in QUESTIONS if question.run is not None]
    others = [name for name in asked if name != "control"]
    assert list(runs_of(QUESTIONS)) == ["control", *others]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (ImportError("no module"), "cannot be loaded (ImportError: no module)"),
        ("a string", "is a str and has to be a reportgen.questions.Question"),
        (Question("trust", "Trust"), "needs a title, run, answer and template"),
        (
            Question("trust", "T", run=lambda study: 1, answer=int, template=Path(__file__)),
            "Two questions are named 'trust', by reportgen and by someones-package",
        ),
        (
            Question("other", "T", run=lambda study: 1, answer=int, template=Path("/no/file")),
            "its template is /no/file, and there is no such file",
        ),
    ],
)
def test_a_package_s_question_that_cannot_be_used_is_one_sentence_with_its_name(
    monkeypatch: pytest.MonkeyPatch, value: object, sentence: str
) -> None:
    installed(monkeypatch, value)
    with pytest.raises(ExtensionError) as raised:
        all_questions()
    assert sentence in str(raised.value)
    assert "someones-package" in str(raised.value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model and images, and the package of tests/extension, installed in `site`."""
    folder = tmp_path_factory.mktemp("extension")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "-q", "--target", folder / "site"]
    copy = folder / "source"
    subprocess.run(["cp", "-r", EXTENSION, copy], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", *options, copy], check=True)
    decode = torch.nn.Sequential(torch.nn.Linear(3, 64), torch.nn.Unflatten(1, (1, 8, 8)))
    encode = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
    torch.manual_seed(0)
    torch.save(torch.nn.Sequential(encode, decode), folder / "model.pt")
    np.save(folder / "images.npy", np.random.default_rng(0).random((80, 1, 8, 8), np.float32))
    return folder


def reportgen(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    paths = f"{folder / 'site'}{os.pathsep}{REPOSITORY}"
    return subprocess.run(
        [sys.executable, "-m", "reportgen", *map(str, words)],
        env=os.environ | {"PYTHONPATH": paths},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.slow
def test_an_installed_package_adds_a_question_to_results_page_and_rendered_page(
    folder: Path,
) -> None:
    words = ("--rows", "16", "--normalize", "0,1", "--results", "results")
    reportgen(folder, "build", "model.pt", "images.npy", *words, "-o", "built.html")
    plain = json.loads((folder / "results" / "results.json").read_text(encoding="utf-8"))
    answer = plain["extensions"]["unit_sparsity"]
    assert answer["rows"] == 40
    assert len(answer["sparseness"]) == 3
    assert plain["failures"] == {}
    page = (folder / "built.html").read_text(encoding="utf-8")
    document = parsed(page)
    section = document.one("section", id="unit_sparsity")
    assert document.one("h3", id="unit_sparsity-heading").text == "Unit sparsity"
    assert section in document.one("section", id="appendix").all("section")
    assert "Of 40 images one is a large part" in section.text
    assert "Unit sparsity" in document.one("nav", **{"class": "contents"}).text
    order = [s.attributes["id"] for s in document.one("main").all("section")]
    assert order.index("trust") < order.index("unit_sparsity") < order.index("control")
    reportgen(folder, "render", "results", "-o", "again.html")
    assert (folder / "again.html").read_text(encoding="utf-8") == page


def test_sparseness_is_1_for_one_image_alone_and_0_for_all_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(EXTENSION)
    from unit_sparsity import run

    codes = np.zeros((60, 2), np.float32)
    codes[:, 0] = np.where(np.arange(60) % 2, 1, -1)
    codes[7, 1] = 5
    centred = decoders.symmetric_codes(60, 2)
    result = run(decoders.carrying(decoders.linear(2), codes, fit_codes=centred))
    np.testing.assert_allclose(result.sparseness, [0, 1], atol=1e-6)
