"""A report in Markdown: for pull requests, job summaries and chats, 60,000 bytes at most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reportgen.checks.formats import count_line
from reportgen.checks.outcomes import Outcome
from reportgen.report import numbers
from reportgen.report.markdown import address, comment, inert, table
from reportgen.report.results import Results, VerdictLine

MOST_BYTES = 60_000
RULES_BYTES, TABLE_BYTES, UNITS_BYTES = 25_000, 6_000, 14_000
STRONGEST_UNITS, LONGEST_SENTENCE = 5, 900
RETRAINING = (
    "Intervals are over images and know nothing of retraining: two trainings of one recipe may "
    "differ as much."
)


def summary_of(
    results: Results,
    outcomes: Sequence[Outcome] | None = None,
    baseline: Results | None = None,
    *,
    link: str = "",
    strict: bool = False,
) -> str:
    """The verdict, the rules' outcomes, what differs from a baseline, and the strongest units.

    The first line is a comment with the report's title, by which a comment on a pull request finds
    itself again. `link` is where the page is.
    """
    blocks = [
        f"<!-- reportgen:{comment(results.title)} -->",
        f"## {inert(results.title)}",
        _about(results),
        _verdict(results),
    ]
    if outcomes is not None:
        blocks += [f"**{count_line(outcomes, strict=strict)}**", rules_table(outcomes)]
    if baseline is not None:
        blocks += ["### Beside the baseline", _beside(results, baseline), RETRAINING]
    blocks += _units(results)
    if link:
        blocks.append(f"[The report](<{address(link)}>)")
    blocks.append(_made_by(results))
    text = "\n\n".join(block.rstrip("\n") for block in blocks if block) + "\n"
    assert len(text.encode("utf-8")) <= MOST_BYTES, "its parts have less room"
    return text


def rules_table(outcomes: Sequence[Outcome]) -> str:
    """A row for each rule, broken ones first."""
    ordered = sorted(outcomes, key=lambda outcome: not outcome.broken)
    rows = (
        [_mark(o), inert(o.rule), f"{inert(o.said)} {inert(o.reason)}".strip()] for o in ordered
    )
    return table(("", "rule", "found"), rows, RULES_BYTES)


def _about(results: Results) -> str:
    provenance = results.provenance
    return (
        f"{inert(results.model_name)} on {numbers.count(provenance.images)} images from "
        f"{inert(results.data_name)}, {inert(provenance.date)}"
    )


def _verdict(results: Results) -> str:
    rows = ([inert(line.question), inert(line.word), _number(line)] for line in results.verdict)
    return table(("question", "answer", "number"), rows, TABLE_BYTES)


def _number(line: VerdictLine) -> str:
    if line.number is None:
        return inert(line.detail)
    printed = numbers.with_plain_spaces(numbers.plain(line.number, line.scale))
    return inert(f"{printed} {line.measure}")


def _beside(results: Results, baseline: Results) -> str:
    before = {line.question: line for line in baseline.verdict}
    rows = []
    for line in results.verdict:
        old = before.get(line.question)
        if old is not None:
            said = "same word" if old.word == line.word else f"{old.word} → {line.word}"
            rows.append([inert(line.question), inert(said), _plain(old), _plain(line)])
    return table(("question", "answer", "baseline", "now"), rows, TABLE_BYTES)


def _plain(line: VerdictLine) -> str:
    if line.number is None:
        return "no number"
    return inert(numbers.with_plain_spaces(numbers.plain(line.number, line.scale)))


def _units(results: Results) -> Iterator[str]:
    strongest = [unit for unit in results.units if unit.share is not None][:STRONGEST_UNITS]
    if strongest:
        yield f"### The strongest of {numbers.count(len(results.units))} units"
        lines, room = [], UNITS_BYTES
        for unit in strongest:
            line = f"- {inert(unit.sentence, LONGEST_SENTENCE)}"
            room -= len(line.encode("utf-8")) + 1
            if room >= 0:
                lines.append(line)
        yield "\n".join(lines)


def _made_by(results: Results) -> str:
    version = results.provenance.versions.get("reportgen", "")
    said = f"Made by reportgen {inert(version)}"
    return said if not results.failures else f"{said}; {len(results.failures)} sections failed."


def _mark(outcome: Outcome) -> str:
    if outcome.broken:
        return "warning" if outcome.severity == "warning" else f"**{outcome.result}**"
    return outcome.result
