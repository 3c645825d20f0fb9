"""Names of numbers, read: `units[3].damage`, `count(units.health, collapsed)`.

number := path | ("count" | "min" | "max" | "mean") "(" path ["," word] ")"
path   := name { "." name | "." quoted | "[" whole number "]" }
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reportgen.errors import NumberNameError
from reportgen.shown import quoted

Part = str | int
# By the name in "verdict.NAME": the section that its line of the verdict stands on.
VERDICT_SECTIONS = {
    "reconstructs": "reconstruction",
    "linear": "linearity",
    "additive": "additivity",
    "units": "units",
    "subtraction": "subtraction",
}
VERDICT = "verdict"
FUNCTIONS = "count", "min", "max", "mean"
NAME = re.compile(r"[A-Za-z_][\w-]*")
LONGEST = 500
_FUNCTION = re.compile(r"\s*([A-Za-z]+)\s*\(\s*(.*?)\s*\)\s*", re.DOTALL)
_PART = re.compile(r'(?:^|\.)([A-Za-z_][\w-]*)|\."([^"]*)"|\[(\d{1,9})\]')


@dataclass(frozen=True)
class NumberPath:
    """A number's name in parts.

    Attributes
    ----------
    parts : names of fields, and places in lists.
    function : "count", "min", "max" or "mean" of all that the path leads to; "" for the one number.
    word : that "count" looks for; "" for any.
    """

    parts: tuple[Part, ...]
    function: str = ""
    word: str = ""


def read_number(text: str) -> NumberPath:
    """A name in parts. Raises NumberNameError."""
    if len(text) > LONGEST:
        raise NumberNameError(f"A name of a number has at most {LONGEST} characters.")
    called = _FUNCTION.fullmatch(text)
    if called is None:
        return NumberPath(read_path(text.strip()))
    function, inside = called.groups()
    if function not in FUNCTIONS:
        raise NumberNameError(
            f"{quoted(function)} is no function of numbers; there are {', '.join(FUNCTIONS)}."
        )
    path, comma, word = inside.partition(",")
    word = word.strip().strip('"')
    if comma and (function != "count" or not word):
        raise NumberNameError(
            f"{quoted(text.strip())}: a word behind a comma stands in count(PATH, WORD) alone."
        )
    return NumberPath(read_path(path.strip()), function, word)


def read_path(text: str) -> tuple[Part, ...]:
    """A path in parts. Raises NumberNameError."""
    parts: list[Part] = []
    place = 0
    while place < len(text):
        found = _PART.match(text, place)
        if found is None or (place == 0 and not found[1]):
            break
        parts.append(int(found[3]) if found[3] else found[1] or found[2])
        place = found.end()
    if not parts or place < len(text):
        raise NumberNameError(
            f"{quoted(text)} is no name of a number; names are as reconstruction.r2.low or "
            "units[0].damage."
        )
    return tuple(parts)


def path_text(parts: tuple[Part, ...]) -> str:
    """The parts as a path again."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif NAME.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f'."{part}"'
    return text
