"""Cases that take long, of tests that are quick in others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def slow_but(quick: Iterable[object], cases: Iterable[object]) -> list[Any]:
    """The cases as parameters of a test, slow but for those that are named as quick."""
    named, listed = list(quick), list(cases)
    assert all(case in listed for case in named), "a quick case is no case of this test"
    return [pytest.param(case, marks=() if case in named else pytest.mark.slow) for case in listed]
