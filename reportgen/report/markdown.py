"""Markdown in which strangers' text is text: it mentions nobody, links nowhere, breaks no table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from reportgen.report import numbers
from reportgen.shown import shown

MOST_CHARACTERS = 300
ZERO_WIDTH_SPACE = "\u200b"
# What GitHub, GitLab or a chat turns into links, mentions and pictures where a word follows it, and
# also where it is written as an entity.
_REFERENCE = re.compile(r"([@#!&%$~^])(?=\w)|(?<=\w)(@)|(:)(?=[\w/+-])|\b(www|GH|gh)(?=[.-])")
_STRUCTURE = re.compile(r"[\\`*_\[\]<>#|~&$]")
_COMMENT = re.compile(r"[^\w .()+]|--")


def inert(text: object, most: int = MOST_CHARACTERS) -> str:
    """Any text, on one line, as Markdown that shows just that text."""
    apart = _REFERENCE.sub(lambda found: found[0] + ZERO_WIDTH_SPACE, shown(text, most))
    return _STRUCTURE.sub(lambda found: f"&#{ord(found[0])};", apart)


def comment(text: object) -> str:
    """Any text inside an HTML comment, without what could end the comment."""
    return _COMMENT.sub("_", shown(text))


def address(link: str) -> str:
    """An address that cannot leave the brackets of a link."""
    kept = "".join(c for c in link if c.isprintable() and c not in "<>\\ \u00a0")
    return kept.replace("|", "%7C")[:2000]


def table(head: Sequence[str], rows: Iterable[Sequence[str]], most_bytes: int) -> str:
    """A table of cells that are Markdown already; rows beyond `most_bytes` are counted."""
    lines = [_row(head), _row(["---"] * len(head))]
    listed = [_row(cells) for cells in rows]
    # Room for the last line.
    room = most_bytes - sum(len(line.encode()) + 1 for line in lines) - 60
    for place, line in enumerate(listed):
        room -= len(line.encode()) + 1
        if room < 0:
            more = f"… and {numbers.count(len(listed) - place)} more"
            return "\n".join([*lines, _row([more, *[""] * (len(head) - 1)])]) + "\n"
        lines.append(line)
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
