"""Templates are compiled once for all pages of the same results."""

from __future__ import annotations

import jinja2

from reportgen.questions import QUESTIONS
from reportgen.report.page import PageRenderer
from reportgen.report.thinning import WHOLE


def test_a_second_page_is_the_same_page_and_compiles_nothing(results, monkeypatch) -> None:
    renderer = PageRenderer(results, QUESTIONS, "file")
    expected = renderer.render(WHOLE)

    def refused(*arguments: object, **keywords: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(jinja2.Environment, "compile", refused)
    assert renderer.render(WHOLE) == expected
