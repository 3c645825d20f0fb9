import os
from dataclasses import fields
from pathlib import Path

import pytest

from reportgen.errors import SettingsError
from reportgen.settings import Settings, read_groups, read_settings


def test_flags_overrule_the_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "reportgen.toml"
    file.write_text("seed = 7\nsmall_gap = 0.1\n")
    settings = read_settings({"seed": 3, "rows": None}, file)
    assert (settings.seed, settings.small_gap, settings.rows) == (3, 0.1, None)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("sed = 1", "sed"),
        ("seed = 'one'", "seed"),
        ("seed = 1.5", "seed"),
        ("seed = true", "seed"),
        ("effort = 3", "effort"),
        ("seed = ", "TOML"),
        (f"seed = {'[' * 100_000}", "TOML"),
        ("seed = inf", "seed"),
        (f"{'a.' * 50_000}a = 1", "dots"),
        (f"# {'x' * 2**20}", "too large"),
    ],
)
def test_a_wrong_line_in_the_settings_file_is_named(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "reportgen.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=named) as error:
        read_settings({}, file)
    assert str(file) in str(error.value)


@pytest.mark.parametrize(
    "values",
    [
        *({"seed": -1}, {"rows": 1}, {"effort": "heroic"}, {"picture_rows": 65}),
        *({"memory": float("nan")}, {"memory": float("inf")}, {"max_seconds": float("inf")}),
        *({"seed": 10**400}, {"memory": 10**400}, {"small_gap": float("-inf")}),
    ],
)
def test_values_outside_their_range_are_refused(values: dict) -> None:
    with pytest.raises(SettingsError, match=next(iter(values))):
        Settings(**values)


NUMBERS = [knob for knob in fields(Settings) if str(knob.type).startswith(("int", "float"))]


@pytest.mark.parametrize("knob", NUMBERS, ids=lambda knob: knob.name)
def test_every_number_has_bounds_and_says_so(knob, tmp_path: Path) -> None:
    """Of a settings file, of a flag and from Python: one sentence that names the setting."""
    file = tmp_path / "reportgen.toml"
    low, high = knob.metadata["low"], knob.metadata["high"]
    for ends in (low, high):
        assert getattr(Settings(**{knob.name: ends}), knob.name) == ends
    for value, bound in ((1e30, "at most"), (10**400, "at most"), (-1, "at least")):
        file.write_text(f"{knob.name} = {value}\n")
        for asked in (({}, file), ({knob.name: value}, None)):
            with pytest.raises(SettingsError, match=rf"{knob.name} is .* {bound} ") as caught:
                read_settings(*asked)
            assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_every_setting_explains_itself_in_its_own_words() -> None:
    helps = [knob.metadata["help"] for knob in fields(Settings)]
    assert all(len(text) > 15 for text in helps)
    assert len(set(helps)) == len(helps)


def test_effort_multiplies_by_a_quarter_one_and_four() -> None:
    factors = [
        Settings(effort=effort).effort_factor for effort in ("quick", "standard", "thorough")
    ]
    assert factors == [0.25, 1, 4]


@pytest.mark.parametrize(
    ("text", "size"), [(None, None), ("64", (64, 64)), ("48, 64", (48, 64)), ("1,1", (1, 1))]
)
def test_resize_is_height_and_width_or_one_number(
    text: str | None, size: tuple[int, int] | None
) -> None:
    assert Settings(resize=text).image_size == size


@pytest.mark.parametrize("text", ["", "0", "64,", "64,0", "a", "-3", "1,2,3", "3.5", "123456"])
def test_resize_of_no_size_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="write HEIGHT,WIDTH"):
        Settings(resize=text)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("read", [read_groups, lambda file: read_settings({}, file)])
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path, read) -> None:
    file = tmp_path / "reportgen.toml"
    os.mkfifo(file)
    with pytest.raises(SettingsError, match="no regular file"):
        read(file)
