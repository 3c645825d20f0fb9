"""Text from files as it may be printed: names, labels, messages of libraries, values of settings.

Such text is a stranger's. It may hold control characters that a terminal obeys, line breaks, marks
that turn the reading direction, bytes that are no UTF-8, or a megabyte of it.
"""

from __future__ import annotations

import unicodedata

MOST_CHARACTERS = 200
# The class of an image that has none, where others have one.
NO_LABEL = "(no label)"
_UNSHOWN = {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}


def shown(text: object, most: int = MOST_CHARACTERS) -> str:
    """The text on one line, without what cannot be shown; of a long one, its start and its end."""
    whole = _written(text)
    # What is left out need not be escaped first: a character never becomes shorter.
    if len(whole) > 2 * most:
        whole = f"{whole[:most]}{whole[-most:]}"
        return _shortened(escaped(whole), most)
    line = escaped(whole)
    return line if len(line) <= most else _shortened(line, most)


def quoted(text: object, most: int = MOST_CHARACTERS) -> str:
    """The text likewise, in quotation marks."""
    return f"'{shown(text, most - 2)}'"


def of_kind(value: object) -> str:
    """ "an int" or "a Net": the kind of value that somebody gave, for sentences."""
    name = shown(type(value).__name__)
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def encodable(text: str) -> str:
    """The text with bytes that are not UTF-8 escaped, as they stand in a file's name."""
    if text.isascii():
        return text
    encoded = _paired(text).encode("utf-8", "surrogateescape")
    return encoded.decode("utf-8", "backslashreplace")


def escaped(text: str) -> str:
    """The text with bytes that are not UTF-8, control and invisible characters escaped."""
    if text.isascii() and text.isprintable():
        return text
    readable = encodable(text)
    return "".join(_escape(c) if unicodedata.category(c) in _UNSHOWN else c for c in readable)


def _written(value: object) -> str:
    try:
        return str(value)
    except (RecursionError, ValueError):
        # Lists in lists in lists, or an integer of more digits than Python writes.
        return f"({type(value).__name__})"


def _shortened(line: str, most: int) -> str:
    start = most // 2
    return f"{line[:start]}…{line[start + 1 - most :]}"


def _paired(text: str) -> str:
    """The text without surrogates other than those that stand for a file name's bytes."""
    return "".join(
        _escape(c) if "\ud800" <= c < "\udc80" or "\udcff" < c <= "\udfff" else c for c in text
    )


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
