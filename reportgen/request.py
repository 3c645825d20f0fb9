"""The request for a build: what to report on, where it goes, and every file that it reads."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from reportgen.delivery.collisions import Input
from reportgen.delivery.delivery import Destination
from reportgen.delivery.page_layout import PageLayout
from reportgen.loading.options import LoadingOptions, flag_of, options_at, places_beside
from reportgen.settings import Settings


@dataclass(frozen=True)
class BuildRequest:
    """Inputs of a build, where its files go, and how the model is read.

    Attributes
    ----------
    model, data : file or folder each; `fit_data` optional images that statistics are fitted on.
    replicates : files of other trainings of the model, read as the model is.
    labels, fit_labels : a file of classes and factors of DATA's images, a column named behind a
        colon, and one of `fit_data`'s; or None.
    groups : a TOML file, name = [units], of units that move together.
    output : the page's path, a folder's in the layout "folder"; `layout` that or "file".
    pdf, pdf_full : files that its summary and all of it are also printed to, or None.
    cache : a folder where codes are kept from one build to the next, or None.
    results_folder : the folder of results.json and results.npz, or None.
    loading : how the model, and its replicates, are read.
    config : the settings file that was read, or None.
    command : the command line, as printed in the report.
    codes : whether results.npz holds the units' values of test images, for `reportgen compare`.
    rules : held against the numbers, as for `reportgen check`.
    summary, preview : where the report in short goes, as Markdown and as a picture, or None;
        `link` is the page's address in it.
    """

    model: Path
    data: Path
    output: Path
    fit_data: Path | None = None
    replicates: tuple[Path, ...] = ()
    labels: Path | None = None
    fit_labels: Path | None = None
    groups: Path | None = None
    results_folder: Path | None = None
    layout: PageLayout = "file"
    pdf: Path | None = None
    pdf_full: Path | None = None
    cache: Path | None = None
    loading: LoadingOptions = field(default_factory=LoadingOptions)
    config: Path | None = None
    command: str = ""
    codes: bool = True
    rules: tuple[str, ...] = ()
    summary: Path | None = None
    link: str = ""
    preview: Path | None = None

    @property
    def destination(self) -> Destination:
        """Return the paths of all files that are to be written."""
        return Destination(
            self.output,
            self.layout,
            self.results_folder,
            self.pdf,
            pdf_full=self.pdf_full,
            cache=self.cache,
            summary=self.summary,
            preview=self.preview,
        )

    def inputs(self) -> tuple[Input, ...]:
        """Every file and folder that the user named, or that stands beside them, and is read."""
        return tuple(self._inputs())

    def _inputs(self) -> Iterator[Input]:
        models = [("MODEL", self.model), *(("--replicates", path) for path in self.replicates)]
        for flag, spec in models:
            for path in named_in(spec):
                yield Input(flag, path)
                for beside in places_beside(path):
                    yield Input(f"the settings file beside {flag}", beside)
        of_data = (("DATA", self.data), ("--labels", self.labels))
        of_fit_data = (("--fit-data", self.fit_data), ("--fit-labels", self.fit_labels))
        for flag, given in (*of_data, *of_fit_data):
            if given is not None:
                yield from (Input(flag, path) for path in named_in(given))
        for flag, file in (("--groups", self.groups), ("--config", self.config)):
            if file is not None:
                yield Input(flag, file)
        for option in options_at(None):
            value = getattr(self.loading, option.name)
            # --model-class file.py:Class, and whatever else is read where it names a file.
            if isinstance(value, str):
                flag = flag_of(option)
                places = (*named_in(Path(value)), *_module_files(value))
                yield from (Input(flag, path) for path in places if path.is_file())


def named_in(spec: Path) -> Iterator[Path]:
    """The file or folder that is there, with what is named behind a colon cut off."""
    text = str(spec)
    while text:
        if os.path.lexists(text):
            yield Path(text)
            return
        text = text.rpartition(":")[0]


def _module_files(value: str) -> Iterator[Path]:
    """Files here that package.module:Class may be in."""
    module = Path(*value.partition(":")[0].split("."))
    if module.name:
        yield from (module.with_suffix(".py"), module / "__init__.py")


def command_line(model: Path, data: Path, loading: LoadingOptions, **options: Any) -> str:
    """The command line that gives the same numbers again; where it writes to is left out."""
    words = ["reportgen", "build", str(model), str(data), *loading.as_flags()]
    settings = {knob.name for knob in fields(Settings)}
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            words.append(flag)
        elif value is False and name in settings:
            words.append(f"--no-{flag.removeprefix('--')}")
        elif isinstance(value, tuple):
            words += [word for entry in value for word in (flag, str(entry))]
        elif value not in (None, False):
            words += [flag, str(value)]
    return shlex.join(words)
