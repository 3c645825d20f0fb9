"""Outcomes as text, annotations, JUnit's XML, JSON and Markdown, also of hostile names."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from junitparser import Failure, JUnitXml
from markdown_it import MarkdownIt

from reportgen.checks import formats
from reportgen.checks.outcomes import Checker, Outcome
from reportgen.checks.rules import read_rule
from reportgen.checks.summary import MOST_BYTES, rules_table, summary_of
from reportgen.questions import QUESTIONS
from reportgen.report.markdown import ZERO_WIDTH_SPACE, inert
from reportgen.report.results import Results
from reportgen.statistics.bootstrap import Estimate

NAN = float("nan")
HOSTILE = (
    "@everyone #12 | `x` <img src=x onerror=y> https://a.b www.x.y [l](u) ![i](u) GH-12 a@b.c "
    "**b** _e_ ~~s~~ $x$ :smile: !5 %3 &4 &amp; <!-- --> \\| x\n# heading\r\n::error::no \x1b[31m "
    "\u202e\u2028"
)


def an_outcome(**changed: object) -> Outcome:
    kept = Outcome("a >= 1", "pass", "It is 1.", Estimate(1.0, 0.5, 2.0), 1.0, "error", "", False)
    return replace(kept, **changed)


OUTCOMES = (
    an_outcome(),
    an_outcome(rule=f"b >= 1 {HOSTILE}", result="fail", broken=True, reason="100 %, a: b\nc"),
    an_outcome(rule="c >= 1", result="fail", broken=True, severity="warning"),
    an_outcome(rule="d >= 1", result="unknown", number=Estimate(NAN, NAN, NAN), limit=NAN),
)


class Text(HTMLParser):
    """The text of HTML, and its tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags, self.comments = "", set[str](), list[str]()
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.add(tag)
        assert tag == "a" or not attrs

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def rendered(markdown: str) -> Text:
    renderer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return Text(renderer.render(markdown))


def test_text_has_two_lines_a_rule_and_counts() -> None:
    text = formats.text_of(OUTCOMES, strict=False)
    lines = text.splitlines()
    assert len(lines) == 2 * len(OUTCOMES) + 1
    assert [line.split()[0] for line in lines[:-1:2]] == ["pass", "FAIL", "warning", "unknown"]
    assert lines[-1] == "4 rules: 1 kept, 1 broken, 1 warned of, 1 not measured"
    assert "\x1b" not in text
    strict = formats.text_of(OUTCOMES, strict=True).splitlines()
    assert strict[-1] == "4 rules: 1 kept, 2 broken, 1 not measured"


def test_annotations_are_one_line_each_and_nothing_in_them_is_a_command() -> None:
    lines = formats.github_of(OUTCOMES, strict=False).splitlines()
    assert [line[: line.index(" ")] for line in lines[:-1]] == ["::error", "::warning"]
    command = re.fullmatch(r"::error title=([^:,]*)::(.*)", lines[0])
    assert command is not None
    assert "100 %25, a: b" in command[2]


def test_junit_is_xml_with_a_case_for_each_rule() -> None:
    written = formats.junit_of(OUTCOMES, f"title {HOSTILE}\x00\ud800", strict=False)
    suites = ElementTree.fromstring(written)
    cases = suites.findall("testsuite/testcase")
    assert [len(case.findall("failure")) for case in cases] == [0, 1, 0, 0]
    assert [len(case.findall("skipped")) for case in cases] == [0, 0, 0, 1]
    assert suites.get("tests") == "4"
    assert suites.get("failures") == "1"
    assert cases[0].get("name") == "a >= 1"
    assert str(cases[0].get("classname")).startswith("reportgen.title @everyone")
    strict = ElementTree.fromstring(formats.junit_of(OUTCOMES, "t", strict=True))
    assert strict.get("failures") == "2"


def test_junitparser_reads_every_case_and_its_failure() -> None:
    written = formats.junit_of(OUTCOMES, f"title {HOSTILE}\x00\ud800", strict=False)
    (suite,) = JUnitXml.fromstring(written)
    assert (suite.tests, suite.failures, suite.skipped) == (4, 1, 1)
    cases = list(suite)
    assert cases[0].name == "a >= 1" and cases[0].is_passed
    (failure,) = cases[1].result
    assert isinstance(failure, Failure) and "b >= 1" in f"{cases[1].name} {failure.text}"


def test_json_is_a_list_of_objects() -> None:
    plain = json.loads(formats.json_of(OUTCOMES))
    assert [entry["result"] for entry in plain] == ["pass", "fail", "fail", "unknown"]
    assert plain[0]["low"] == 0.5
    assert plain[3]["value"] is None


def test_no_text_in_markdown_is_more_than_text() -> None:
    found = rendered(f"| x |\n| --- |\n| {inert(HOSTILE)} |\n")
    assert found.tags <= {"table", "thead", "tbody", "tr", "th", "td"}
    assert not found.comments
    said = found.text.replace(ZERO_WIDTH_SPACE, "")
    assert "@everyone #12 | `x` <img src=x onerror=y> https://a.b" in said
    # GitHub looks for these in what is shown.
    references = r"@\w|#\d|\bGH-\d|https?://|www\.|:\w+:|!\d|%\d|&\d|\$\w"
    assert re.search(references, found.text) is None


def test_a_table_of_rules_holds_each_on_one_row_broken_ones_first() -> None:
    found = rendered(rules_table(OUTCOMES))
    assert rules_table(OUTCOMES).count("\n") == len(OUTCOMES) + 2
    assert found.text.index("b >= 1") < found.text.index("a >= 1")


@pytest.fixture(scope="module")
def hostile(results: Results) -> Results:
    units = tuple(replace(unit, sentence=f"{HOSTILE} {'x' * 5000}") for unit in results.units)
    lines = tuple(replace(line, word=HOSTILE, detail=HOSTILE) for line in results.verdict)
    return replace(results, title=HOSTILE, data_name=HOSTILE, units=units, verdict=lines)


def test_a_summary_begins_with_the_comment_that_finds_it_again(results: Results) -> None:
    summary = summary_of(results, link="https://example.org/a|b>")
    assert summary.splitlines()[0] == "<!-- reportgen:example -->"
    found = rendered(summary)
    assert [line.question for line in results.verdict if line.question not in found.text] == []
    assert results.units[0].sentence[:30] in found.text.replace(ZERO_WIDTH_SPACE, "")
    assert "a" in found.tags


def test_a_summary_tells_the_rules_and_the_baseline(results: Results) -> None:
    outcome = Checker(results, QUESTIONS, results).check(read_rule("reconstruction.r2 >= 0.99"))
    found = rendered(summary_of(results, [outcome], results))
    assert "1 rule: 0 kept, 1 broken" in found.text
    assert "is not at least 0.99" in found.text
    assert "two trainings of one recipe may differ as much" in found.text


def test_a_summary_of_hostile_names_is_text_and_stays_below_its_size(hostile: Results) -> None:
    many = [an_outcome(rule=f"a{k} {HOSTILE * 3}") for k in range(900)]
    summary = summary_of(hostile, many, hostile)
    assert len(summary.encode("utf-8")) <= MOST_BYTES
    assert "more |" in summary
    found = rendered(summary)
    assert found.tags <= {
        *["h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "strong"]
    }
    assert len(found.comments) == 1


def test_numbers_that_are_not_there_are_not_printed() -> None:
    assert math.isnan(OUTCOMES[3].limit)
    assert "nan" not in formats.text_of(OUTCOMES, strict=False)
    assert "nan" not in formats.json_of(OUTCOMES).lower()
