"""Rules held against one report, and the outcome of each."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any, Literal

from reportgen.checks.rules import Limit, Rule, Severity
from reportgen.errors import CheckError, NumberNameError, nearest
from reportgen.report import numbers
from reportgen.report.name_path import NumberPath, path_text
from reportgen.report.number_names import Found, NumberNames
from reportgen.report.number_places import Number, as_estimate
from reportgen.report.question import Question
from reportgen.report.results import Results
from reportgen.shown import quoted, shown
from reportgen.statistics.bootstrap import Estimate

Result = Literal["pass", "fail", "unknown"]
SPOKEN = {
    ">=": "at least",
    "<=": "at most",
    ">": "more than",
    "<": "less than",
    "==": "equal to",
    "!=": "other than",
}
COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True)
class Outcome:
    """The outcome of one rule.

    Attributes
    ----------
    rule : its text.
    result : "unknown" where the number was not measured, or is undefined.
    said : what was found, as a sentence.
    number : the number with its interval; NaN for what there is none of.
    limit : what it was compared with; NaN for words, and where there is none.
    severity, reason : of the rule.
    broken : whether the rule is broken: it failed, or its number is unknown and it does not say
        "if measured".
    """

    rule: str
    result: Result
    said: str
    number: Estimate
    limit: float
    severity: Severity
    reason: str
    broken: bool


class Checker:
    """Holds rules against one report, and where they ask for it against a baseline.

    `other_images` allows a baseline that was made from other images. Raises CheckError where the
    baseline's images are others and that is not allowed.
    """

    def __init__(
        self,
        results: Results,
        questions: Iterable[Question],
        baseline: Results | None = None,
        *,
        other_images: bool = False,
    ) -> None:
        asked = tuple(questions)
        self._names = NumberNames(results, asked)
        self._baseline = None if baseline is None else NumberNames(baseline, asked)
        if baseline is not None and not other_images:
            _refuse_other_images(results, baseline)

    def check(self, rule: Rule) -> Outcome:
        """Hold a rule against the report.

        Raises CheckError for a number that there is not, or that cannot be compared so.
        """
        try:
            return self._of_words(rule) if rule.number is None else self._compared(rule)
        except NumberNameError as error:
            raise CheckError(f"The rule {quoted(rule.text)}: {error}") from error

    def check_or_say_why(self, rule: Rule) -> Outcome:
        """`check`; a rule that cannot be held is unknown, and the sentence says why."""
        try:
            return self.check(rule)
        except CheckError as error:
            return _outcome(rule, "unknown", str(error), as_estimate(None))

    def _of_words(self, rule: Rule) -> Outcome:
        words, printed, detail = self._names.words(rule.verdict)
        number = as_estimate(self._names.find(f"verdict.{rule.verdict}").value)
        if not words:
            return _outcome(rule, "unknown", f"{printed}: {detail}", number)
        kept = all(word in rule.words for word in words)
        return _outcome(rule, "pass" if kept else "fail", f"it is {quoted(printed)}", number)

    def _compared(self, rule: Rule) -> Outcome:
        assert rule.number is not None
        found = self._names.look_up(rule.number)
        if found.value is None:
            return _outcome(rule, "unknown", found.reason, as_estimate(None))
        number = as_estimate(found.value)
        if isinstance(found.value, bool) or rule.limit.truth is not None:
            return self._of_truth(rule, found.value)
        limit, reason = self._limit(rule)
        if reason:
            return _outcome(rule, "unknown", f"of the baseline, {reason}", number)
        kept = COMPARE[rule.comparison](number.value, limit)
        said = _said(rule, found, limit, kept)
        return _outcome(rule, "pass" if kept else "fail", said, number, limit)

    def _of_truth(self, rule: Rule, value: Number) -> Outcome:
        limit = rule.limit
        if not isinstance(value, bool) or (limit.truth is None and not limit.of_baseline):
            kinds = ("true or false", "a number")
            is_, asked = kinds if isinstance(value, bool) else kinds[::-1]
            raise CheckError(f"The rule {quoted(rule.text)}: what it names is {is_}, not {asked}.")
        if rule.comparison not in ("==", "!="):
            raise CheckError(
                f"The rule {quoted(rule.text)}: true and false are compared with == or !=."
            )
        truth, reason = (float(limit.truth), "") if limit.truth is not None else self._limit(rule)
        if reason:
            return _outcome(rule, "unknown", f"of the baseline, {reason}", as_estimate(value))
        kept = COMPARE[rule.comparison](float(value), truth)
        said = f"it is {'true' if value else 'false'}"
        return _outcome(rule, "pass" if kept else "fail", said, as_estimate(value))

    def _limit(self, rule: Rule) -> tuple[float, str]:
        """The number that a rule compares with, and why there is none."""
        limit = rule.limit
        if not limit.of_baseline:
            return limit.number, ""
        if self._baseline is None:
            raise CheckError(
                f"The rule {quoted(rule.text)} needs a baseline; name its results with --baseline."
            )
        assert rule.number is not None
        found = self._of_baseline(rule.number, limit)
        if found.value is None:
            return math.nan, found.reason
        value = as_estimate(found.value).value
        return limit.beside(value), "" if not math.isnan(value) else "it has no interval"

    def _of_baseline(self, number: NumberPath, limit: Limit) -> Found:
        """The baseline's number, or an end of its interval."""
        assert self._baseline is not None
        part, path = limit.of_baseline, number.parts
        if part == "value":
            return self._baseline.look_up(number)
        if number.function:
            raise NumberNameError(f"{number.function}() has no interval, so no baseline.{part}.")
        whole = path[:-1] if path[-1] in ("value", "low", "high") else path
        found = self._baseline.look_up(NumberPath(whole))
        if found.value is not None and not isinstance(found.value, Estimate):
            raise NumberNameError(f"{path_text(whole)} has no interval, so no baseline.{part}.")
        if found.value is None:
            return found
        return Found(getattr(found.value, part))


def refuse_unknown_questions(rules: Iterable[Rule], questions: Iterable[Question]) -> None:
    """Refuse rules that no report can keep, before the work for one starts. Raises CheckError."""
    known = [question.name for question in questions if question.answer is not None]
    known += [field.name for field in fields(Results)]
    for rule in rules:
        first = rule.number.parts[0] if rule.number else known[0]
        if first not in known:
            raise CheckError(
                f"The rule {quoted(rule.text)}: no number is named {quoted(first)}"
                f"{nearest(str(first), known)}; docs/numbers.md lists all names."
            )
        if rule.limit.of_baseline:
            raise CheckError(
                f"The rule {quoted(rule.text)} needs a baseline; hold it with reportgen check "
                "RESULTS --baseline RESULTS."
            )


def broken_of(outcomes: Iterable[Outcome], *, strict: bool = False) -> tuple[Outcome, ...]:
    """Outcomes for which a command fails: broken rules that are errors; with `strict` any."""
    return tuple(o for o in outcomes if o.broken and (strict or o.severity == "error"))


def _refuse_other_images(results: Results, baseline: Results) -> None:
    own, other = results.provenance.data, baseline.provenance.data
    if own is None or other is None or own.sha256 != other.sha256:
        raise CheckError(
            f"The baseline was made from other images ({shown(baseline.data_name)}, not "
            f"{shown(results.data_name)}); numbers of other images are not compared, unless "
            "--other-images says so."
        )


def _said(rule: Rule, found: Found, limit: float, kept: bool) -> str:
    number = as_estimate(found.value)
    text = _printed(number.value)
    limit_text = _printed(limit) if rule.limit.of_baseline else numbers.short(limit)
    if text == _printed(limit) and number.value != limit:
        text, limit_text = repr(number.value), repr(limit)
    ends = numbers.interval(number)
    verb = "is" if kept else "is not"
    said = f"{text} {ends}".strip() + f" {verb} {SPOKEN[rule.comparison]} {limit_text}"
    return said + (" (from the baseline)" if rule.limit.of_baseline else "")


def _printed(value: float) -> str:
    return numbers.count(int(value)) if value.is_integer() else numbers.number(value)


def _outcome(
    rule: Rule, result: Result, said: str, number: Estimate, limit: float = math.nan
) -> Outcome:
    broken = result == "fail" or (result == "unknown" and not rule.if_measured)
    return Outcome(
        rule=rule.text,
        result=result,
        said=numbers.with_plain_spaces(numbers.capitalise(said)).rstrip(".") + ".",
        number=number,
        limit=limit,
        severity=rule.severity,
        reason=rule.reason,
        broken=broken,
    )


def as_plain(outcome: Outcome) -> dict[str, object]:
    """An outcome as JSON has it; NaN as null."""
    ends = {name: getattr(outcome.number, name) for name in ("value", "low", "high")}
    found = {**ends, "limit": outcome.limit}
    plain = {name: None if math.isnan(number) else number for name, number in found.items()}
    return {
        "rule": outcome.rule,
        "result": outcome.result,
        **plain,
        "severity": outcome.severity,
        "reason": outcome.reason,
        "said": outcome.said,
        "broken": outcome.broken,
    }


def outcomes_of(plain: Any) -> tuple[Outcome, ...]:
    """Outcomes again from a list of what `as_plain` gave. Raises ValueError for anything else."""
    try:
        return tuple(_of_plain(outcome) for outcome in plain)
    except (KeyError, TypeError) as error:
        raise ValueError("these are no outcomes of rules") from error


def _of_plain(plain: dict[str, Any]) -> Outcome:

    def number(name: str) -> float:
        value = plain[name]
        if value is not None and type(value) not in (int, float):
            raise TypeError(name)
        return math.nan if value is None else float(value)

    result, severity = plain["result"], plain["severity"]
    if result not in ("pass", "fail", "unknown") or severity not in ("error", "warning"):
        raise ValueError("an outcome has another word")
    return Outcome(
        rule=str(plain["rule"]),
        result=result,
        said=str(plain["said"]),
        number=Estimate(number("value"), number("low"), number("high")),
        limit=number("limit"),
        severity=severity,
        reason=str(plain["reason"]),
        broken=plain["broken"] is True,
    )
