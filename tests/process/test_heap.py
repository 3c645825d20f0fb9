"""Freed memory is given back, where the system has a way to."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from reportgen.process import heap


@pytest.mark.parametrize(("platform", "asked"), [("linux", [0]), ("darwin", []), ("win32", [])])
def test_the_c_library_is_asked_for_all_that_is_free_where_it_can_be(
    monkeypatch, platform, asked
) -> None:
    trimmed: list[int] = []
    library = SimpleNamespace(malloc_trim=trimmed.append)
    monkeypatch.setattr(heap.sys, "platform", platform)
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda name: library)
    heap.return_freed_memory()
    assert trimmed == asked


def test_a_c_library_that_cannot_is_left_alone(monkeypatch) -> None:
    """Musl, of Alpine Linux."""
    monkeypatch.setattr(heap.sys, "platform", "linux")
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda name: SimpleNamespace())
    heap.return_freed_memory()
