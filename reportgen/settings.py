"""Every knob once: name, default, help and range, from flags or from `reportgen.toml`.

`Settings` holds what a user may turn and what METHODS fixes; the report prints all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from reportgen.errors import SettingsError, nearest
from reportgen.shown import shown

# As many images, seconds, gigabytes or times as a threshold as nobody has.
LARGEST = 10**9
LARGEST_FILE = 2**20
MOST_DOTS = 200
# Tables of reportgen.toml that other commands read.
OTHER_TABLES = "check", "compare", "site"
WANTED = {"int": "a whole number", "float": "a number", "str": "a text", "bool": "true or false"}
EFFORT_FACTORS = {"quick": 0.25, "standard": 1.0, "thorough": 4.0}


def _knob(
    default: Any,
    help: str,
    *,
    low: float = 0,
    high: float = LARGEST,
    choices: tuple[str, ...] | None = None,
    flag: bool = False,
) -> Any:
    metadata = {"help": help, "low": low, "high": high, "choices": choices, "flag": flag}
    return field(default=default, metadata=metadata)


def _steps(default: int, help: str) -> Any:
    return _knob(default, help, low=1, high=1024)


@dataclass(frozen=True)
class Settings:
    """Choices of a build, apart from where its files are.

    Fields marked as flags are the command's options; all of them may stand in `reportgen.toml`.
    Raises SettingsError, naming the field, where a value is outside its range.
    """

    seed: int = _knob(0, "Seed of every random choice.", low=0, high=2**31 - 1, flag=True)
    rows: int | None = _knob(
        None,
        "Test images behind each statistic [default: 20000/(2K+1), between 32 and 256].",
        low=2,
        flag=True,
    )
    effort: str = _knob(
        "standard",
        "Multiplies the number of images behind each statistic by 1/4, 1 or 4.",
        choices=tuple(EFFORT_FACTORS),
        flag=True,
    )
    max_seconds: float | None = _knob(
        None,
        "Seconds that the whole build may take; where they are too few, numbers come from fewer "
        "images and less important questions are not asked, which the report says.",
        low=1,
        flag=True,
    )
    limit: int | None = _knob(
        20_000, "Read at most this many images of DATA, chosen at random.", low=2, flag=True
    )
    memory: float = _knob(
        2.0,
        "Gigabytes that images and what is computed from them may take; where they would "
        "take more, fewer images are kept and sums of squares come from a linear sketch.",
        low=0.25,
        flag=True,
    )
    resize: str | None = _knob(
        None,
        "HEIGHT,WIDTH, or one number for squares: scale the images until they cover it and crop "
        "them around the centre [default: only to the size that MODEL fixes].",
        flag=True,
    )
    device: str = _knob("cpu", "Where the model runs: cpu, cuda, cuda:1, mps, auto.", flag=True)
    title: str | None = _knob(
        None, "Heading of the report [default: the model's file name].", flag=True
    )
    live: bool = _knob(
        True, "Carry a decoder below 1 MB in the page, so that its traversal is live.", flag=True
    )
    live_encoder: bool = _knob(True, "Carry the encoder too, below 1.5 MB in all.", flag=True)
    gallery: int = _knob(1000, "Test images a live page explains.", low=0, high=1000, flag=True)

    picture_rows: int = _knob(8, "Test images shown as pictures.", low=1, high=64)
    table_rows: int = _knob(32, "Test images behind the coalition table.", low=2)
    drawn_rows: int = _knob(
        32, "Test images that are also moved from other mean codes, for intervals.", low=2
    )
    walk_rows: int = _knob(4, "Test images each unit is moved from in traversals.", low=1, high=8)
    walk_units: int = _knob(16, "Units with a traversal, in order of share.", low=1)
    walk_frames: int = _knob(11, "Frames of one traversal.", low=3, high=41)
    path_steps: int = _steps(16, "Steps of a contribution path for the picture rows.")
    pooled_path_steps: int = _steps(
        2, "Steps of a contribution path for shares, doubled until no share moves."
    )
    miss_path_steps: int = _steps(
        4, "Steps of a path that ablations are held against, doubled until the miss stays."
    )
    most_path_steps: int = _steps(32, "Steps beyond which they are not doubled.")
    settled_share: float = _knob(0.005, "Move of a share up to which its path has enough steps.")
    settled_miss: float = _knob(0.02, "The same for a miss, as a part of itself.")
    path_players: int = _knob(32, "Units on a path before the weakest are grouped.", low=2)
    table_players: int = _knob(
        10, "Players of the coalition table; 2 to this power codes.", low=2, high=16
    )
    bootstrap_resamples: int = _knob(
        1000, "Bootstrap resamples of each interval.", low=100, high=100_000
    )
    off_data_sample: int = _knob(
        256, "Codes of a panel that are checked for being off data.", low=1
    )
    max_page_megabytes: float | None = _knob(
        None,
        "Megabytes that the page may have; pictures are left out to stay below, and the page says "
        "which [default: pictures are left out from 5 on, and 25 are never passed].",
        low=0.1,
        flag=True,
    )

    well_reconstructed: float = _knob(0.8, "R² from which a model reconstructs 'well'.")
    partly_reconstructed: float = _knob(0.5, "R² from which a model reconstructs 'partly'.")
    linear_share: float = _knob(0.95, "Linear share from which a model is called 'linear'.")
    mostly_linear_share: float = _knob(0.8, "Linear share of a 'mostly linear' model.")
    partly_linear_share: float = _knob(0.5, "Linear share of a 'partly linear' model.")
    like_pca: float = _knob(0.01, "Difference in R² below which a model does 'about as' PCA.")
    small_gap: float = _knob(0.05, "Gap or miss below which effects are called additive or valid.")
    medium_gap: float = _knob(0.25, "Gap or miss below which they are called roughly so.")
    judged_off_data: float = _knob(
        0.25, "Share of codes off data above which a gap from the mean code cannot be judged."
    )
    off_data_factor: float = _knob(
        3.0, "Times as often as real codes that zeroed ones may be flagged without a word."
    )
    ignored_effect: float = _knob(0.01, "A unit is ignored when both effects are below this / K.")
    constant_deviation: float = _knob(1e-6, "sd / max|z| up to which a unit is constant.")
    collapsed_divergence: float = _knob(0.01, "KL in nat below which a VAE's unit is collapsed.")
    atom_share: float = _knob(0.5, "Share of rows on one value above which a unit has an atom.")
    duplicate_correlation: float = _knob(0.95, "|r| above which two units are duplicates.")
    correlated_units: float = _knob(0.7, "|r| above which an ablation carries a warning.")
    tracked_correlation: float = _knob(0.5, "Weaker end of |r| above which a factor is named.")
    drawn_deviations: float = _knob(
        0.2, "Weaker end of what one sd of a unit moves a measure by, in its sd, to be 'drawn'."
    )
    same_picture: float = _knob(
        0.9, "Weaker end of ρ in context from which a unit is 'the same picture' everywhere."
    )
    tracked_auc: float = _knob(0.85, "Weaker end of the AUC above which a class is named.")
    bottleneck_tolerance: float = _knob(
        1e-4, "Largest |g(E(x)) − model(x)| / range for 'complete'."
    )

    def __post_init__(self) -> None:
        for knob in fields(self):
            _check(knob.name, getattr(self, knob.name), dict(knob.metadata))
        if self.resize is not None:
            parse_size(self.resize)

    @property
    def memory_bytes(self) -> int:
        """`memory` in bytes."""
        return int(self.memory * 1e9)

    @property
    def image_size(self) -> tuple[int, int] | None:
        """`resize` as (height, width)."""
        return None if self.resize is None else parse_size(self.resize)

    @property
    def effort_factor(self) -> float:
        """The factor that `effort` multiplies row counts by."""
        return EFFORT_FACTORS[self.effort]


def parse_size(text: str) -> tuple[int, int]:
    """Read "48,64", or "64" for squares, as (height, width). Raises SettingsError."""
    sides = [side.strip() for side in text.split(",")]
    sound = len(sides) <= 2 and all(side.isdecimal() and len(side) <= 5 for side in sides)
    if not sound or "0" in {side.lstrip("0") or "0" for side in sides}:
        raise SettingsError(
            f"resize is {shown(repr(text))}; write HEIGHT,WIDTH as 48,64, or one number."
        )
    return int(sides[0]), int(sides[-1])


def _check(name: str, value: Any, rule: dict[str, Any]) -> None:
    if value is None:
        return
    if rule["choices"] is not None and value not in rule["choices"]:
        raise SettingsError(
            f"{name} is {shown(repr(value))}; choose one of {', '.join(rule['choices'])}."
        )
    if isinstance(value, str | bool):
        return
    if not value >= rule["low"]:
        raise SettingsError(f"{name} is {shown(value)}; it must be at least {rule['low']:,g}.")
    if value > rule["high"]:
        raise SettingsError(f"{name} is {shown(value)}; it must be at most {rule['high']:,d}.")


def read_settings(flags: dict[str, Any], file: Path | None = None) -> Settings:
    """Settings from `reportgen.toml`, overruled by the flags that were given (not None).

    Raises SettingsError for an unreadable file, an unknown name, or a value of the wrong type.
    """
    values = _read_file(file) if file is not None else {}
    values.update({name: value for name, value in flags.items() if value is not None})
    return Settings(**values)


def read_loading_table(file: Path) -> dict[str, Any]:
    """The table [loading] of `reportgen.toml`, as it stands there; empty where there is none."""
    table = read_toml(file).get("loading", {})
    if not isinstance(table, dict):
        raise SettingsError(
            f"{shown(file)} sets loading to {shown(repr(table))}; write a table, [loading]."
        )
    return table


def read_groups(file: Path) -> dict[str, tuple[int, ...]]:
    """Groups of units from a TOML file of lines such as `colour = [0, 3]`.

    Raises SettingsError for an unreadable file, or a line that is no list of whole numbers.
    """
    groups: dict[str, tuple[int, ...]] = {}
    for name, units in read_toml(file).items():
        whole = isinstance(units, list) and all(type(unit) is int for unit in units)
        if not whole:
            raise SettingsError(
                f"{shown(file)} sets {shown(name)} to {shown(repr(units))}; write a list as [0, 3]."
            )
        groups[name] = tuple(units)
    return groups


def read_toml(file: Path) -> dict[str, Any]:
    """The content of a TOML file of the user's. Raises SettingsError."""
    import tomllib

    content = _read_text(file)
    # For a key of n parts, the parser spends memory in n².
    if any(line.count(".") > MOST_DOTS for line in content.splitlines()):
        raise SettingsError(
            f"{shown(file)} has more than {MOST_DOTS} dots in a line; break the line."
        )
    try:
        return tomllib.loads(content)
    except RecursionError as error:
        raise SettingsError(
            f"{shown(file)} cannot be read as TOML: it is nested too deeply."
        ) from error
    except ValueError as error:
        raise SettingsError(f"{shown(file)} cannot be read as TOML: {shown(error)}.") from error


def _read_text(file: Path) -> str:
    """A settings file's text, of a size that one may have; nothing that has no end is read."""
    try:
        # Opening a FIFO waits for whoever writes into it.
        if file.exists() and not file.is_file():
            raise SettingsError(f"{shown(file)} is no regular file; copy the settings to one.")
        with file.open("rb") as opened:
            content = opened.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise SettingsError(f"{shown(file)} is too large for a settings file; name another.")
        return content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{shown(file)} cannot be read: {shown(error)}.") from error


def settings_of(
    values: Mapping[str, Any], where: str, also: Iterable[str] = (), noun: str = "setting"
) -> Settings:
    """Settings by their names, which stand at `where`; None counts as not said.

    Raises SettingsError for an unknown name, with the nearest of these and of those in `also`, and
    for a value of the wrong type or outside its range.
    """
    return Settings(**_checked(values, where, also, noun))


def _read_file(file: Path) -> dict[str, Any]:
    values = read_toml(file)
    for table in ("loading", *OTHER_TABLES):
        values.pop(table, None)
    return _checked(values, shown(file))


def _checked(
    values: Mapping[str, Any], where: str, also: Iterable[str] = (), noun: str = "setting"
) -> dict[str, Any]:
    """Those of the values that are said, if all of them are settings of the right type."""
    known = {knob.name: knob for knob in fields(Settings)}
    for name, value in values.items():
        if name not in known:
            meant = nearest(name, [*known, *also])
            raise SettingsError(
                f"{where} sets {shown(repr(name))}{meant}, which is no {noun} of reportgen."
            )
        if value is not None:
            _check_type(where, name, value, known[name])
    return {name: value for name, value in values.items() if value is not None}


def _check_type(where: str, name: str, value: Any, knob: Any) -> None:
    wanted = str(knob.type).removesuffix(" | None")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "int": number and (isinstance(value, int) or value.is_integer()),
        "float": number,
        "str": isinstance(value, str),
        "bool": isinstance(value, bool),
    }[wanted]
    if not fits:
        found = shown(repr(value))
        raise SettingsError(f"{where} sets {name} to {found}; it must be {WANTED[wanted]}.")
    assert knob.default is not MISSING
