"""The arguments of `build`: which are paths, how the model is read, the call as it is printed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from reportgen.delivery.page_layout import PageLayout
from reportgen.errors import SettingsError
from reportgen.loading.options import LoadingOptions, means_and_sds
from reportgen.report.numbers import words
from reportgen.request import command_line
from reportgen.settings import Settings, settings_of
from reportgen.shown import shown

Given = Literal["pixels", "model"]
LONGEST_VALUE = 60


@dataclass(frozen=True)
class Arguments:
    """The arguments of `build`; see there.

    Attributes
    ----------
    model, images, fit_images, replicates, groups : what is studied, and on what.
    fit_labels : classes of the images in `fit_images`.
    facts : what is said of each image: labels, factors, factor_names, names.
    given : whether images are pixels, or as the model takes them.
    page, results, layout : what is written.
    loading : how the model is read.
    settings : every knob; `said` those that were given.
    """

    model: Any
    images: Any
    page: Path | None
    results: Path | None
    layout: PageLayout
    given: Given
    facts: Mapping[str, Any]
    fit_images: Any
    replicates: Sequence[Any]
    groups: Any
    loading: LoadingOptions
    settings: Settings
    said: Mapping[str, Any] = field(default_factory=dict)
    fit_labels: Any = None

    @property
    def labels_file(self) -> Path | None:
        """The file of labels, where they were given by its path."""
        labels = self.facts["labels"]
        return Path(labels) if is_path(labels) else None

    @property
    def fit_labels_file(self) -> Path | None:
        """The file of the labels of `fit_images` likewise."""
        return Path(self.fit_labels) if is_path(self.fit_labels) else None

    @property
    def facts_in_memory(self) -> dict[str, Any]:
        """Facts without the labels that are in a file."""
        return {**self.facts, "labels": None} if self.labels_file else dict(self.facts)

    def command(self) -> str:
        """The command line that does the same; where none does, the call."""
        options = self._as_options()
        if options is None:
            return self._call()
        return command_line(Path(self.model), Path(self.images), self.loading, **options)

    def _as_options(self) -> dict[str, Any] | None:
        """The other words of the command line; None where it cannot say something."""
        paths = (self.model, self.images, *self.replicates)
        beside = (part for part in (self.fit_images, self.groups) if part is not None)
        flags = {knob.name for knob in fields(Settings) if knob.metadata["flag"]}
        is_sayable = (
            all(is_path(part) for part in (*paths, *beside))
            and (self.fit_labels is None or is_path(self.fit_labels))
            and all(fact is None for fact in self.facts_in_memory.values())
            and self.given == "pixels"
            and not self.loading.classes
            and set(self.said) <= flags
        )
        if not is_sayable:
            return None
        return {
            "fit_data": self.fit_images,
            "labels": self.labels_file,
            "fit_labels": self.fit_labels_file,
            "replicates": tuple(self.replicates),
            "groups": self.groups,
            **self.said,
        }

    def _call(self) -> str:
        """ "reportgen.build(model, images, seed=3)", with what is short written out."""
        said: dict[str, Any] = {name: fact for name, fact in self.facts.items() if fact is not None}
        if self.given != "pixels":
            said["given"] = self.given
        if self.fit_images is not None:
            said["fit_images"] = self.fit_images
        if self.fit_labels is not None:
            said["fit_labels"] = self.fit_labels
        if self.replicates:
            said["replicates"] = self.replicates
        if self.groups is not None:
            said["groups"] = self.groups
        said |= {name: value for name, value in self.loading.said().items() if name != "device"}
        said |= self.said
        positional = [
            repr(os.fspath(part)) if is_path(part) else name
            for name, part in (("model", self.model), ("images", self.images))
        ]
        named = [f"{name}={_written(name, value)}" for name, value in said.items()]
        return shown(f"reportgen.build({', '.join([*positional, *named])})", 2000)


def _written(name: str, value: Any) -> str:
    plain = isinstance(value, str | int | float | bool | dict | list | tuple)
    text = repr(os.fspath(value)) if is_path(value) else repr(value) if plain else "…"
    return text if len(text) <= LONGEST_VALUE else "…"


def is_path(value: Any) -> bool:
    """Tell whether a value names a file or folder."""
    return isinstance(value, str | os.PathLike)


def loading_options(said: dict[str, Any]) -> LoadingOptions:
    """Options of how the model is read; `normalize` may also be (means, sds).

    Raises SettingsError for a value of another kind.
    """
    normalize = said.get("normalize")
    if normalize is not None and not isinstance(normalize, str):
        said["normalize"] = _means_and_sds(normalize)
    if isinstance(said.get("input_shape"), Iterable):
        said["input_shape"] = tuple(said["input_shape"])
    for name in ("encoder", "decoder", "model_class"):
        if is_path(said.get(name)):
            said[name] = os.fspath(said[name])
    return LoadingOptions.of(said, "build", noun="option")


def build_settings(said: Mapping[str, Any], keywords: Iterable[str]) -> Settings:
    """Settings by their names. Raises SettingsError for an unknown one, with the nearest."""
    return settings_of(said, "build", also=keywords, noun="keyword")


def choice(name: str, value: Any, choices: Sequence[str]) -> Any:
    """The value, if it is one of these. Raises SettingsError."""
    if value not in choices:
        raise SettingsError(
            f"{words(name)} is {shown(repr(value))}; choose one of {', '.join(choices)}."
        )
    return value


def _means_and_sds(normalize: Any) -> str:
    try:
        means, sds = (_as_list(numbers) for numbers in normalize)
    except (TypeError, ValueError) as error:
        raise SettingsError(
            f"normalize is {shown(repr(normalize))}; give (means, standard deviations), as "
            "(0.5, 0.5), or a text such as '0,1' or 'imagenet'."
        ) from error
    return means_and_sds(means, sds)


def _as_list(numbers: Any) -> list[float]:
    return [float(number) for number in (numbers if hasattr(numbers, "__iter__") else [numbers])]
