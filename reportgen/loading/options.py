"""Every option of how a model is read, once: flags, TOML, keywords and docs/models.md follow.

Nothing heavy is imported here: the command reads its flags from it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from enum import Enum, auto
from numbers import Integral
from pathlib import Path
from typing import Any

from reportgen.errors import SettingsError, nearest

# What a file that `save` wrote says of its model, besides the names of its classes.
DESCRIBED = ("normalize", "output", "bottleneck")


class Place(Enum):
    """Places an option may stand in, besides `load_autoencoder` and `inspect_model`."""

    COMMAND = auto()
    BESIDE = auto()  # In a file beside the model, and in the table [loading] of reportgen.toml.
    MODULE = auto()  # To `autoencoder_from_module`.
    SAVED = auto()  # To `save`.


@dataclass(frozen=True)
class Kind:
    """One sort of value.

    Attributes
    ----------
    wanted : what a value must be, in words.
    accepts : whether a value is that.
    parse : a flag and the text behind it → the value; raises SettingsError.
    write : the value → the text behind the flag.
    """

    wanted: str
    accepts: Callable[[Any], bool]
    parse: Callable[[str, Any], Any] = lambda flag, text: text
    write: Callable[[Any], str] = str


def _is_shape(value: Any) -> bool:
    return _is_list(value, Integral) and len(value) == 3 and all(size > 0 for size in value)


def _is_list(value: Any, of: type) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(entry, of) and not isinstance(entry, bool) for entry in value
    )


def _parse_shape(flag: str, text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if len(parts) != 3 or not all(part.strip().isdigit() and int(part) > 0 for part in parts):
        raise SettingsError(f"{flag} is {text!r}; write channels,height,width as 3,64,64.")
    return tuple(int(part) for part in parts)


def _parse_arguments(flag: str, text: str) -> dict[str, Any]:
    try:
        arguments = json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(f"{flag} is not JSON: {error}.") from error
    if not isinstance(arguments, dict):
        raise SettingsError(f'{flag} must be a JSON object, as {{"width": 32}}.')
    return arguments


TEXT = Kind("a text in quotes", lambda value: isinstance(value, str))
SWITCH = Kind("true or false", lambda value: isinstance(value, bool))
ARGUMENTS = Kind(
    "a table, such as { width = 32 }",
    lambda value: isinstance(value, Mapping),
    _parse_arguments,
    json.dumps,
)
SHAPE = Kind(
    "[channels, height, width]",
    _is_shape,
    _parse_shape,
    lambda shape: ",".join(map(str, shape)),
)
NAMES = Kind('a list of names, such as ["cat", "dog"]', lambda value: _is_list(value, str))


def _option(
    placeholder: str, help: str, *places: Place, kind: Kind = TEXT, default: Any = None
) -> Any:
    metadata = {"placeholder": placeholder, "help": help, "places": places, "kind": kind}
    if default is dict:
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class LoadingOptions:
    """All that is said of a model, by whoever says it; None, False or empty where nothing is.

    Raises SettingsError, naming the option, for a value of another kind.
    """

    model_class: str | None = _option(
        "WHERE:CLASS",
        "The class of a file that holds weights only: package.module:Class or file.py:Class. "
        "This runs that code.",
        *(Place.COMMAND, Place.BESIDE),
    )
    model_args: Mapping[str, Any] = _option(
        "JSON",
        "Keyword arguments of the class, as a JSON object.",
        *(Place.COMMAND, Place.BESIDE),
        kind=ARGUMENTS,
        default=dict,
    )
    weights: str | None = _option(
        "KEY",
        "The key of the file under which the weights are, where it has several "
        "[default: the first that fit].",
        *(Place.COMMAND, Place.BESIDE),
    )
    encoder: str | None = _option(
        "NAME",
        "The method or submodule that maps images to codes; with --decoder FILE, its file.",
        *Place,
    )
    decoder: str | None = _option(
        "NAME",
        "The method or submodule that maps codes to images; or the decoder's file, where MODEL "
        "or --encoder FILE is the encoder's.",
        *Place,
    )
    condition: str | None = _option(
        "labels",
        "Feed a conditional model the classes of the images, as numbers or one-hot vectors.",
        *(Place.COMMAND, Place.BESIDE, Place.MODULE),
    )
    bottleneck: str | None = _option(
        "NAME", "The node or submodule whose output is the code.", *Place
    )
    input_shape: tuple[int, int, int] | None = _option(
        "C,H,W",
        "The image shape that MODEL was trained on, where it does not say.",
        *(Place.COMMAND, Place.BESIDE, Place.MODULE),
        kind=SHAPE,
    )
    normalize: str | None = _option(
        "HOW",
        "How pixels are scaled for MODEL: 0,1 or -1,1 or 0,255 or imagenet or dataset or 12-bit or "
        "max or 'mean=0.5 std=0.5' [default: found by reconstruction error].",
        *Place,
    )
    output: str | None = _option(
        "pixels|logits", "What the decoder gives [default: found].", *Place
    )
    trust: bool = _option(
        "",
        "Allow MODEL to run code of its own while it is loaded. Only for files you made.",
        Place.COMMAND,
        kind=SWITCH,
        default=False,
    )
    device: str = _option("", "A torch device, such as cpu or cuda.", Place.MODULE, default="cpu")
    classes: tuple[str, ...] = _option(
        "",
        "Names of the classes that the data numbers 0, 1, …",
        *(Place.BESIDE, Place.MODULE, Place.SAVED),
        kind=NAMES,
        default=(),
    )

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if value is None and option.default is None:
                continue
            kind = option.metadata["kind"]
            if not kind.accepts(value):
                raise SettingsError(f"{option.name} must be {kind.wanted}.")
            if option.name == "condition" and value != "labels":
                raise SettingsError(
                    f"condition is {value!r}; a model can be fed the images' classes: labels."
                )
            if isinstance(value, list):
                object.__setattr__(self, option.name, tuple(value))

    @classmethod
    def of(
        cls, values: Mapping[str, Any], where: str, place: Place | None = None, noun: str = "key"
    ) -> LoadingOptions:
        """Options by their names, which stand at `where`; only those that may be said there.

        Raises SettingsError for any other name, with the nearest, and for values of another kind.
        """
        known = [option.name for option in options_at(place)]
        for name in values:
            if name not in known:
                raise SettingsError(
                    f"{where} has the unknown {noun} {name!r}{nearest(name, known)}; the {noun}s "
                    f"are {', '.join(known)}."
                )
        try:
            return cls(**{name: value for name, value in values.items() if value is not None})
        except SettingsError as error:
            raise SettingsError(f"{where}: {error}") from error

    @classmethod
    def of_flags(cls, flags: Mapping[str, Any]) -> LoadingOptions:
        """Options as the command line gives them, None for those that were not."""
        given = {
            option.name: option.metadata["kind"].parse(flag_of(option), flags[option.name])
            for option in options_at(Place.COMMAND)
            if flags.get(option.name) is not None
        }
        return cls(**given)

    def as_flags(self) -> list[str]:
        """The words of a command line that say the same."""
        words = []
        for option in options_at(Place.COMMAND):
            value = getattr(self, option.name)
            if value:
                written = option.metadata["kind"].write(value)
                words += [flag_of(option)] if value is True else [flag_of(option), written]
        return words

    def said(self) -> dict[str, Any]:
        """Options by name, without those of which nothing is said."""
        values = {option.name: getattr(self, option.name) for option in fields(self)}
        return {name: value for name, value in values.items() if value}

    def completed(self, other: LoadingOptions) -> tuple[LoadingOptions, tuple[str, ...]]:
        """These options, and where they say nothing the other's; with the names of those."""
        used = {name: value for name, value in other.said().items() if not getattr(self, name)}
        return replace(self, **used), tuple(sorted(used))


def options_at(place: Place | None) -> list[Field[Any]]:
    """The options that may be said at a place; all of them, of None."""
    options = fields(LoadingOptions)
    return [option for option in options if place is None or place in option.metadata["places"]]


def places_beside(model: Path) -> tuple[Path, ...]:
    """List the files beside a model that may hold settings: the first that is there counts."""
    folder = model if model.is_dir() else model.parent
    named = model.with_suffix(".toml") if model.name else folder / "model.toml"
    return named, folder / "model.toml", folder / "preprocessor_config.json"


def flag_of(option: Field[Any]) -> str:
    """ "--model-class" for model_class."""
    return "--" + option.name.replace("_", "-")


def means_and_sds(means: Iterable[float], sds: Iterable[float]) -> str:
    """Pixels' means and standard deviations as `normalize` says them."""
    texts = [",".join(f"{float(number):.8g}" for number in numbers) for numbers in (means, sds)]
    return f"mean={texts[0]} std={texts[1]}"
