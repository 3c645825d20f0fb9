"""Templates, compiled once for all the pages that are rendered of the same results."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import jinja2
from jinja2.bccache import Bucket
from jinja2.ext import Extension

from reportgen.report import numbers, words
from reportgen.report.question import Question
from reportgen.report.template_folder import template_folder

FILTERS: dict[str, Callable[..., Any]] = {
    "number": numbers.number,
    "percent": numbers.percent,
    "percentage": numbers.percentage,
    "short": numbers.short,
    "signed": numbers.signed,
    "count": numbers.count,
    "bytes": numbers.bytes_,
    "in_scale": numbers.in_scale,
    "interval": numbers.interval,
    "plain": numbers.plain,
    "has_effect": numbers.has_effect,
    "words": numbers.words,
    "capitalise": numbers.capitalise,
    "states": words.states,
    "unbroken": numbers.unbroken,
}


class Unindented(Extension):
    """Templates without the indentation of their lines, which is 1 % of a page."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Return the source with every line at the margin; browsers show the same."""
        return re.sub(r"^[ \t]+", "", source, flags=re.MULTILINE)


class Templates:
    """The page's templates with their filters; each environment adds its own names to these.

    Questions from packages of the user's own bring the templates of their sections.
    """

    def __init__(self, questions: Iterable[Question] = ()) -> None:
        self._code = _Code()
        self._brought = {
            question.template_name: question.template.read_text(encoding="utf-8")
            for question in questions
            if question.template is not None
        }

    def environment(self) -> jinja2.Environment:
        """A new Jinja environment, which compiles only templates that no other has compiled."""
        environment = jinja2.Environment(
            loader=jinja2.ChoiceLoader(
                [jinja2.FileSystemLoader(template_folder()), jinja2.DictLoader(self._brought)]
            ),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            bytecode_cache=self._code,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            extensions=[Unindented],
        )
        environment.filters.update(FILTERS)
        return environment


def framed(page: str, title: str) -> str:
    """A page, in one file, as an element that shows it inside another page."""
    template = Templates().environment().get_template("frame.html.j2")
    return template.render(page=page, title=title)


class _Code(jinja2.BytecodeCache):
    """Compiled templates, kept in memory; Jinja's interface for that is called a bytecode cache."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket with what was kept under its key."""
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the compiled template in the bucket."""
        self._code[bucket.key] = bucket.bytecode_to_string()
