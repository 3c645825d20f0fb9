"""comparison.md, and the summary of a comparison: what differs, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from reportgen.comparison.comparison import Comparison, Pair
from reportgen.comparison.differences import Difference
from reportgen.report import numbers
from reportgen.report.markdown import address, comment, inert, table

MOST_BYTES, TABLE_BYTES, MOST_PAIRS = 60_000, 6_000, 3
NOISE = (
    "Intervals are over images and know nothing of retraining: two trainings of one recipe may "
    "differ as much. Only `--runs`, with three trainings or more of each recipe, can tell a change."
)


def comparison_markdown(comparison: Comparison, title: str, link: str = "") -> str:
    """The comparison in Markdown, at most 60,000 bytes; names in it are text."""
    blocks = [f"<!-- reportgen:{comment(title)} -->", f"## {inert(title)}"]
    if comparison.recipes:
        blocks += _trainings(comparison)
    for pair in comparison.pairs[:MOST_PAIRS]:
        blocks += _pair(pair)
    if len(comparison.pairs) > MOST_PAIRS:
        blocks.append(f"… and {len(comparison.pairs) - MOST_PAIRS} more reports")
    if not comparison.recipes:
        blocks.append(NOISE)
    if link:
        blocks.append(f"[The comparison](<{address(link)}>)")
    text = "\n\n".join(block.rstrip("\n") for block in blocks if block) + "\n"
    assert len(text.encode("utf-8")) <= MOST_BYTES, "its parts have less room"
    return text


def _trainings(comparison: Comparison) -> Iterator[str]:
    first, second = comparison.recipes
    yield f"### {first} trainings beside {second}"
    rows = (
        [
            inert(found.label),
            "**changed**" if found.changed else "not told apart",
            inert(numbers.with_plain_spaces(numbers.plain(found.difference, found.scale))),
        ]
        for found in comparison.trainings
    )
    yield table(("number", "", "difference"), rows, TABLE_BYTES)


def _pair(pair: Pair) -> Iterator[str]:
    yield f"### {inert(pair.second)} beside {inert(pair.first)}"
    yield "\n".join(
        f"- {inert(c.what)}: {inert(c.found)}; {inert(c.forbids)}."
        for c in pair.conditions
        if not c.same and c.forbids
    )
    rows = (
        [
            inert(answer.question),
            inert(answer.first_word),
            inert(answer.second_word),
            _difference(answer.difference),
        ]
        for answer in pair.verdict
    )
    yield table(
        ("question", inert(pair.first), inert(pair.second), "difference"), rows, TABLE_BYTES
    )
    more = ([inert(found.label), _difference(found)] for found in pair.differences)
    yield table(("number", "difference"), more, TABLE_BYTES)
    found = pair.replicated
    if found is not None:
        printed = numbers.with_plain_spaces(numbers.plain(found.difference, found.scale))
        word = "**changed**" if found.changed else "not told apart"
        one, two = len(found.first), len(found.second)
        yield f"R² over {one} and {two} trainings, the replicates: {word}, {inert(printed)}"
    yield inert(pair.units.says or f"Units were not matched: {pair.units.reason}.")


def _difference(found: Difference) -> str:
    if found.mark == "cannot be compared":
        return found.mark
    printed = numbers.with_plain_spaces(numbers.plain(found.difference, found.scale))
    return f"{found.mark}, {inert(printed)}"
