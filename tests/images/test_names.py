"""Order, display and choice of file names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reportgen.images.names import Chosen, choose, natural_order, shown
from tests.peak_memory import peak_of


def test_numbers_sort_by_value_folder_by_folder() -> None:
    ordered = ["a/2.png", "a/10.png", "a-b/1.png", "B/1.png", "x1y2.png", "x1y10.png", "x02y1.png"]
    backwards = ordered[::-1]
    assert sorted(backwards, key=natural_order) == ordered


def test_very_long_numbers_sort_too() -> None:
    # int() refuses more than 4300 digits.
    small, large = f"{'1' * 5000}.png", f"{'2' * 5000}.png"
    assert sorted([large, small], key=natural_order) == [small, large]


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), unique=True))
def test_the_order_of_any_names_is_total_and_does_not_depend_on_where_they_stood(
    names: list[str],
) -> None:
    backwards = names[::-1]
    once = sorted(names, key=natural_order)
    assert once == sorted(backwards, key=natural_order)
    assert sorted(once) == sorted(names)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("naïve 火 🙂 <b>.png", "naïve 火 🙂 <b>.png"),
        ("a\tb\n.png", "a\\tb\\n.png"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\udcff.png", "\\xff.png"),
        ("\x1b[31m.png", "\\x1b[31m.png"),
    ],
)
def test_what_cannot_be_shown_is_escaped(name: str, expected: str) -> None:
    assert shown(name) == expected


@pytest.mark.slow
def test_a_choice_among_many_names_takes_the_memory_of_the_chosen() -> None:
    def run() -> Chosen:
        return choose((f"folder{i % 1000}/{i}.png" for i in range(50_000)), 100, seed=0)

    # 50,000 names alone would be 3 MB.
    chosen, peak = peak_of(run, 300_000)
    assert len(chosen.names) == 100 and chosen.count == 50_000
    assert peak < 300_000


def test_one_more_name_changes_at_most_one_place() -> None:
    names = [f"{i}.png" for i in range(500)]
    before = set(choose(names, 50, seed=7).names)
    after = set(choose([*names, "new.png"], 50, seed=7).names)
    assert len(before - after) <= 1
