"""Memory that tests count is that of what they count it for."""

from __future__ import annotations

import sys

import numpy as np

from tests.peak_memory import peak_of

LARGE = 10**6


def test_what_is_allocated_every_time_counts() -> None:
    made, peak = peak_of(lambda: np.ones(LARGE), LARGE)
    assert made.nbytes <= peak < 1.1 * made.nbytes


def test_what_is_let_go_meanwhile_counts_too() -> None:
    _, peak = peak_of(lambda: len(np.ones(LARGE)), LARGE)
    assert peak >= 8 * LARGE


def test_a_table_of_the_interpreters_that_happens_to_double_does_not_count() -> None:
    """As in a test of zip archives, which failed whenever 699,050 strings were interned in it."""
    interned: list[str] = []

    def run() -> None:
        while not interned or len(interned) % 200_000:
            interned.append(sys.intern(f"a string {len(interned)}"))

    assert peak_of(run, LARGE)[1] < LARGE
    assert len(interned) == 200_000
