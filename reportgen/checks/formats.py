"""Outcomes of rules as text, as GitHub's annotations, as JUnit's XML, and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Literal, get_args
from xml.etree import ElementTree

from reportgen.checks.outcomes import Outcome, as_plain, broken_of
from reportgen.shown import shown

CheckFormat = Literal["text", "github", "junit", "json", "markdown"]
FORMATS: tuple[CheckFormat, ...] = get_args(CheckFormat)
# Characters that no XML may hold, escaped or not.
NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MOST_CHARACTERS = 400


def text_of(outcomes: Sequence[Outcome], *, strict: bool) -> str:
    """A line for each rule, and how many are kept."""
    lines = []
    for outcome in outcomes:
        lines.append(f"{_word(outcome, strict):<8} {_line(outcome.rule)}")
        lines.append(f"{'':<8} {_line(outcome.said)}{_reason(outcome)}")
    return "\n".join([*lines, count_line(outcomes, strict=strict)]) + "\n"


def count_line(outcomes: Sequence[Outcome], *, strict: bool) -> str:
    """Count the rules, and what became of them: "3 rules: 2 kept, 1 broken"."""
    broken = len(broken_of(outcomes, strict=strict))
    warned = sum(outcome.broken for outcome in outcomes) - broken
    unknown = sum(outcome.result == "unknown" and not outcome.broken for outcome in outcomes)
    kept = len(outcomes) - broken - warned - unknown
    parts = [f"{kept} kept"]
    parts += [f"{broken} broken"] if broken else []
    parts += [f"{warned} warned of"] if warned else []
    parts += [f"{unknown} not measured"] if unknown else []
    return f"{len(outcomes)} {'rule' if len(outcomes) == 1 else 'rules'}: {', '.join(parts)}"


def github_of(outcomes: Sequence[Outcome], *, strict: bool) -> str:
    """Workflow commands that annotate a run: one for each broken rule; then how many are kept."""
    lines = []
    for outcome in outcomes:
        if outcome.broken:
            kind = "error" if outcome in broken_of(outcomes, strict=strict) else "warning"
            title = _property(f"reportgen: {_line(outcome.rule)}")
            lines.append(f"::{kind} title={title}::{_data(_line(outcome.said) + _reason(outcome))}")
    return "\n".join([*lines, count_line(outcomes, strict=strict)]) + "\n"


def junit_of(outcomes: Sequence[Outcome], title: str, *, strict: bool) -> bytes:
    """JUnit's XML: a test case for each rule."""
    broken = broken_of(outcomes, strict=strict)
    skipped = [outcome for outcome in outcomes if _is_skipped(outcome)]
    counts = {"tests": len(outcomes), "failures": len(broken), "skipped": len(skipped), "errors": 0}
    attributes = {name: str(count) for name, count in counts.items()}
    suites = ElementTree.Element("testsuites", attributes)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": "reportgen", **attributes})
    for outcome in outcomes:
        named = {"classname": _xml(f"reportgen.{title}"), "name": _xml(outcome.rule)}
        case = ElementTree.SubElement(suite, "testcase", named)
        said = _xml(_line(outcome.said) + _reason(outcome))
        if outcome in broken:
            failure = {"message": said, "type": outcome.result}
            ElementTree.SubElement(case, "failure", failure).text = said
        elif _is_skipped(outcome):
            ElementTree.SubElement(case, "skipped", {"message": said})
        else:
            ElementTree.SubElement(case, "system-out").text = said
    ElementTree.indent(suites)
    written: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def json_of(outcomes: Sequence[Outcome]) -> str:
    """A list of objects, one for each rule."""
    plain = [as_plain(outcome) for outcome in outcomes]
    return json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _is_skipped(outcome: Outcome) -> bool:
    return outcome.result == "unknown" and not outcome.broken


def _word(outcome: Outcome, strict: bool) -> str:
    if not outcome.broken:
        return outcome.result
    if outcome.severity == "warning" and not strict:
        return "warning"
    return {"fail": "FAIL", "unknown": "UNKNOWN", "pass": "pass"}[outcome.result]


def _reason(outcome: Outcome) -> str:
    return f" ({_line(outcome.reason)})" if outcome.reason else ""


def _line(text: str) -> str:
    return shown(text, MOST_CHARACTERS)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _xml(text: str) -> str:
    return NOT_IN_XML.sub("", text)
