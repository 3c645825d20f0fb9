"""Rules, read from one line each. Nothing in a line is run.

    rule  := (number op value | "verdict." name ("is" | "in") word {"," word}) ["if measured"]
    op    := ">=" | "<=" | ">" | "<" | "==" | "!="
    value := digits ["%"] | "true" | "false"
           | "baseline" ["." ("value" | "low" | "high")] [("+" | "-" | "*") digits]

A number is named as in docs/numbers.md. `baseline` is the same number of another report.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from reportgen.errors import CheckError, NumberNameError, nearest
from reportgen.report.name_path import VERDICT, VERDICT_SECTIONS, NumberPath, read_number
from reportgen.shown import quoted

Severity = Literal["error", "warning"]
Comparison = Literal[">=", "<=", ">", "<", "==", "!="]
LONGEST_RULE = 1000
IF_MEASURED = re.compile(r"\s+if\s+measured\s*$")
_VERDICT = re.compile(r"\s*verdict\.(\w+)\s+(is|in)\s+(.*?)\s*", re.DOTALL)
_COMPARED = re.compile(r'((?:"[^"]*"|[^"<>=!])+)(>=|<=|==|!=|>|<)(.*)', re.DOTALL)
_DIGITS = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_NUMBER = re.compile(rf"({_DIGITS})\s*(%?)")
_BASELINE = re.compile(rf"baseline(?:\.(value|low|high))?(?:\s*([+*-])\s*({_DIGITS})\s*(%?))?")


@dataclass(frozen=True)
class Limit:
    """The right side of a comparison.

    Attributes
    ----------
    number : the limit; with `of_baseline` what is added to the baseline's number, or multiplied.
    truth : true or false where the limit is one of them, else None.
    of_baseline : "value", "low" or "high" of the baseline's number; "" without a baseline.
    times : whether the baseline's number is multiplied.
    """

    number: float = 0.0
    truth: bool | None = None
    of_baseline: str = ""
    times: bool = False

    def beside(self, baseline: float) -> float:
        """The limit that follows from the baseline's number."""
        return baseline * self.number if self.times else baseline + self.number


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes
    ----------
    text : the rule as it was written.
    number : the number that is compared, with `comparison` and `limit`; None for a rule on words.
    verdict : of a rule on words, the line of the verdict; `words` are those that are allowed.
    if_measured : whether a number that was not measured keeps the rule.
    severity, reason : whether breaking it is an error or a warning, and why it is there.
    """

    text: str
    number: NumberPath | None = None
    comparison: Comparison = ">="
    limit: Limit = Limit()
    verdict: str = ""
    words: tuple[str, ...] = ()
    if_measured: bool = False
    severity: Severity = "error"
    reason: str = ""


def read_rule(text: str, severity: Severity = "error", reason: str = "") -> Rule:
    """A rule from its text. Raises CheckError, which quotes it."""
    if len(text) > LONGEST_RULE:
        raise CheckError(f"A rule has at most {LONGEST_RULE} characters.")
    line = " ".join(text.split())
    bare = IF_MEASURED.sub("", line)
    asked = {"if_measured": bare != line, "severity": severity, "reason": reason}
    if said := _VERDICT.fullmatch(bare):
        return Rule(line, verdict=_line(line, said[1]), words=_words(line, said[3]), **asked)  # type: ignore[arg-type]
    compared = _COMPARED.fullmatch(bare)
    if compared is None:
        raise CheckError(
            f"{quoted(line)} is no rule; write one as 'reconstruction.r2.low >= 0.8' or "
            "'verdict.additive in yes, roughly'."
        )
    try:
        number = read_number(compared[1])
    except NumberNameError as error:
        raise CheckError(f"The rule {quoted(line)}: {error}") from error
    limit = _limit(line, compared[3].strip())
    return Rule(line, number, compared[2], limit, **asked)  # type: ignore[arg-type]


def _line(rule: str, name: str) -> str:
    if name not in VERDICT_SECTIONS:
        known = ", ".join(f"{VERDICT}.{known}" for known in VERDICT_SECTIONS)
        raise CheckError(
            f"The rule {quoted(rule)}: the verdict has no line {quoted(name)}"
            f"{nearest(name, VERDICT_SECTIONS)}; there are {known}."
        )
    if name == "units":
        raise CheckError(
            f"The rule {quoted(rule)}: that line of the verdict has a number and no words; compare "
            "verdict.units, or count(units.health)."
        )
    return name


def _words(rule: str, listed: str) -> tuple[str, ...]:
    from reportgen.report.words import Word

    known = [str(word) for word in Word]
    words = tuple(word.strip().strip('"').lower() for word in listed.split(","))
    for word in words:
        if word not in known:
            raise CheckError(
                f"The rule {quoted(rule)}: the verdict has no word {quoted(word)}"
                f"{nearest(word, known)}; there are {', '.join(known)}."
            )
    return words


def _limit(rule: str, text: str) -> Limit:
    if text in ("true", "false"):
        return Limit(truth=text == "true")
    if found := _NUMBER.fullmatch(text):
        return Limit(_finite(rule, _number(found[1], found[2])))
    if found := _BASELINE.fullmatch(text):
        part, sign, digits, percent = found.groups()
        if sign is None:
            return Limit(of_baseline=part or "value")
        number = _finite(rule, _number(digits, percent))
        return Limit(
            -number if sign == "-" else number, of_baseline=part or "value", times=sign == "*"
        )
    raise CheckError(
        f"The rule {quoted(rule)}: {quoted(text)} is no limit; write a number as 0.8 or 80%, true, "
        "false, or the baseline's as baseline.low - 0.01."
    )


def _finite(rule: str, number: float) -> float:
    if not math.isfinite(number):
        raise CheckError(f"The rule {quoted(rule)}: its limit is larger than any number here.")
    return number


def _number(digits: str, percent: str) -> float:
    return float(digits) / 100 if percent else float(digits)
