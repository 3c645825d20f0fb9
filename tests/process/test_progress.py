"""Progress: what is left, and what a long build will take."""

from __future__ import annotations

from typing import Any

import pytest

from reportgen.confined.tasks import ToldProgress
from reportgen.process.progress import PlainProgress, QuietProgress, TerminalProgress


def test_the_line_of_a_step_shows_what_is_left() -> None:
    shown: list[str] = []

    class Status:
        def update(self, text: str) -> None:
            shown.append(text)

    progress = TerminalProgress()
    progress._status, progress._name = Status(), "additivity"
    progress.decoded(1000)
    progress.decoded(234, 61.4)
    assert shown == ["additivity  1,000 decodes", "additivity  1,234 decodes, about 61 s left"]


def test_a_long_build_is_announced_off_a_terminal_too_but_not_quietly(
    capsys: pytest.CaptureFixture[str],
) -> None:
    PlainProgress().planned("This report takes about 3 h.")
    PlainProgress().planned("")
    QuietProgress().planned("This report takes about 3 h.")
    assert capsys.readouterr().err == "This report takes about 3 h.\n"
    TerminalProgress().planned("It takes [bold]long.")
    assert "It takes [bold]long." in capsys.readouterr().err


def test_a_confined_build_tells_its_parent() -> None:
    sent: list[tuple[str, dict[str, Any]]] = []

    class Channel:
        def send(self, kind: str, parts: tuple[()] = (), **fields: Any) -> None:
            sent.append((kind, fields))

    progress = ToldProgress(Channel())  # type: ignore[arg-type]
    progress.decoded(3)
    progress.decoded(4, 2.5)
    progress.planned("It takes long.")
    assert sent == [
        ("decoded", {"count": 3, "left": None}),
        ("decoded", {"count": 4, "left": 2.5}),
        ("planned", {"sentence": "It takes long."}),
    ]
