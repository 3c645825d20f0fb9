"""Text from files as it may be printed: one line, nothing that a terminal obeys, no megabytes."""

from __future__ import annotations

import pytest

from reportgen.shown import encodable, quoted, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("Ünïts 左", "Ünïts 左"),
        ("a\nb\x1b[2J", "a\\nb\\x1b[2J"),
        ("na\udcffme", "na\\xffme"),
        ("lone \ud800", "lone \\ud800"),
        ("\u202egnp", "\\u202egnp"),
    ],
)
def test_text_is_one_line_of_what_can_be_shown(text: str, expected: str) -> None:
    assert shown(text) == expected
    assert quoted(text) == f"'{expected}'"


def test_a_long_text_keeps_its_start_and_its_end() -> None:
    for line in (shown("a" * 10**6 + "b"), quoted("a" * 10**6 + "b")):
        assert len(line) == 200 and line.strip("'").startswith("aaa") and line.strip("'")[-1] == "b"


@pytest.mark.parametrize("text", ["ascii", "Ünïts\n左", "a\u200db"])
def test_text_that_can_be_encoded_stays(text: str) -> None:
    assert encodable(text) == text


def test_bytes_and_surrogates_are_escaped_and_nothing_else() -> None:
    assert encodable("ü\n\udcff\ud800") == "ü\n\\xff\\ud800"
