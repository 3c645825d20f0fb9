"""Templates that were compiled while the model was at work."""

from __future__ import annotations

import threading

import jinja2
import pytest

from reportgen.questions import QUESTIONS
from reportgen.report.page import PageRenderer
from reportgen.report.templates import Templates
from reportgen.report.thinning import WHOLE


@pytest.fixture
def compiled() -> Templates:
    templates = Templates()
    before = set(threading.enumerate())
    templates.compile_aside()
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=60)
    return templates


def test_a_page_of_them_is_the_same_page_and_compiles_nothing(
    results, compiled, monkeypatch
) -> None:
    expected = PageRenderer(results, QUESTIONS, "file").render(WHOLE)

    def refused(*arguments: object, **keywords: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(jinja2.Environment, "compile", refused)
    assert PageRenderer(results, QUESTIONS, "file", compiled).render(WHOLE) == expected
