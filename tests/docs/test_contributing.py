"""CONTRIBUTING.md and the justfile name the same recipes, and each is a command that is there."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECIPE = re.compile(r"^(\w+)(?: [*+]\w+)?:\n((?: {4}.*\n)+)", re.M)


@pytest.fixture(scope="module")
def recipes() -> dict[str, str]:
    """The lines of each recipe by its name."""
    found = dict(RECIPE.findall((ROOT / "justfile").read_text(encoding="utf-8")))
    return {name: lines for name, lines in found.items() if name != "default"}


def test_contributing_names_every_recipe_and_no_other(recipes: dict[str, str]) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`just (\w+)", text)) == set(recipes)


def test_a_recipe_is_one_line(recipes: dict[str, str]) -> None:
    assert {name: lines for name, lines in recipes.items() if lines.count("\n") != 1} == {}


def test_modules_and_files_that_recipes_use_are_there(recipes: dict[str, str]) -> None:
    lines = "".join(recipes.values())
    modules = re.findall(r"python -m ([\w.]+)", lines)
    assert modules
    assert [module for module in modules if find_spec(module) is None] == []
    paths = re.findall(r"(?:> |bash |-c )(\S+)|pytest (tests/\S+)", lines)
    named = [first or second for first, second in paths]
    assert named
    assert [
        path for path in named if not (ROOT / path).is_file() and not (ROOT / path).is_dir()
    ] == []
