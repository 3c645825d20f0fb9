"""The table of what became of mutants, as it stands in SECURITY.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tests.fuzz.nursery import OUTCOMES
from tests.fuzz.reading import SUBJECTS

HEADINGS = {
    "read": "read",
    "refused": "one sentence",
    "memory": "too much memory",
    "crashed": "signal",
    "slow": "> 10 s",
    "traceback": "traceback",
    "reached": "reached out",
}


def table_of(counts: Mapping[str, Counter[str]]) -> str:
    """Formats × outcomes, in Markdown, with their sums."""
    lines = [f"| format | mutants | {' | '.join(HEADINGS[kind] for kind in OUTCOMES)} |"]
    lines.append("|---|" + "---:|" * (1 + len(OUTCOMES)))
    rows = [(SUBJECTS[name].said, found) for name, found in counts.items() if found.total()]
    for said, found in [*rows, ("**together**", sum((found for _, found in rows), Counter()))]:
        numbers = [found.total(), *(found[kind] for kind in OUTCOMES)]
        lines.append(f"| {said} | {' | '.join(f'{number:,}' for number in numbers)} |")
    return "\n".join(lines)
