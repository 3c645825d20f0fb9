"""The options that several commands share, and what they say."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from reportgen.delivery.page_layout import LAYOUTS, PageLayout
from reportgen.errors import SettingsError
from reportgen.loading.options import LoadingOptions, Place, flag_of, options_at
from reportgen.settings import Settings, read_loading_table, read_settings

OTHER_SPELLINGS = {"max_page_megabytes": ("--max-size",)}


labels_option = click.option(
    "--labels",
    type=click.Path(path_type=Path),
    metavar="FILE[:COLUMN]",
    help="Classes or factors of DATA's images, a row an image: .csv, .tsv, .jsonl, .parquet, .npy, "
    ".npz or IDX.",
)


def setting_options(command: Any) -> Any:
    """One option for each setting that is a flag."""
    for knob in reversed(fields(Settings)):
        rule = knob.metadata
        if not rule["flag"]:
            continue
        if knob.type == "bool":
            dashed = knob.name.replace("_", "-")
            flags = f"--{dashed}/--no-{dashed}"
            default = " [default: on]" if knob.default else " [default: off]"
            command = click.option(flags, knob.name, default=None, help=rule["help"] + default)(
                command
            )
            continue
        kind = {"int": int, "float": float, "str": str}[str(knob.type).removesuffix(" | None")]
        option = click.option(
            "--" + knob.name.replace("_", "-"),
            *OTHER_SPELLINGS.get(knob.name, ()),
            knob.name,
            type=click.Choice(rule["choices"]) if rule["choices"] else kind,
            default=None,
            help=rule["help"] + ("" if knob.default is None else f" [default: {knob.default}]"),
        )
        command = option(command)
    return command


def loading_options(command: Any) -> Any:
    """One option for each way to say how the model is read, and the file that may say it too."""
    config = click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Settings file [default: reportgen.toml here, if there is one].",
    )
    command = config(command)
    for knob in reversed(options_at(Place.COMMAND)):
        option = click.option(
            flag_of(knob),
            knob.name,
            metavar=knob.metadata["placeholder"] or None,
            # Of what is said to be no flag click takes no value that looks like one, as -1,1.
            is_flag=knob.type == "bool" or None,
            help=knob.metadata["help"],
        )
        command = option(command)
    return command


def layout_option(command: Any) -> Any:
    """Add the option for one file or a folder."""
    layout = click.option(
        "--layout",
        type=click.Choice(LAYOUTS),
        default="file",
        show_default=True,
        help="One file, or a folder of index.html and assets/ for servers that forbid inline "
        "styles, as Jenkins does.",
    )
    return layout(command)


def page_options(name: str) -> Callable[[Any], Any]:
    """Add the options for the page's path, `name` where none is said, and for file or folder."""
    page = click.option(
        "-o",
        "page",
        type=click.Path(path_type=Path),
        help=f"Where the page goes [default: {name}.html, or the folder {name}].",
    )
    return lambda command: page(layout_option(command))


def page_path(page: Path | None, name: str, layout: PageLayout) -> Path:
    """The path of the page, the default of `page_options` where none is said."""
    return page or Path(f"{name}.html" if layout == "file" else name)


def results_option(names: str) -> Callable[[Any], Any]:
    """Add the option for the folder of the files with these names."""
    return click.option(
        "--results",
        "results_folder",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help=f"Also write {names} there.",
    )


def link_option(command: Any) -> Any:
    """Add the option for the link that a summary has."""
    link = click.option(
        "--link", default="", metavar="URL", help="Where the page is, for the summary's link."
    )
    return link(command)


def pdf_options(command: Any) -> Any:
    """Add the options for the page as PDF, its summary and all of it."""
    summary = click.option(
        "--pdf",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Also print a summary of four pages at most to FILE, with the Chromium or Chrome that "
        "is on PATH.",
    )
    everything = click.option(
        "--pdf-full",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The same with everything that is on the page.",
    )
    return summary(everything(command))


def summary_options(command: Any) -> Any:
    """Add the options for a report in short: Markdown, a link in it, and a picture."""
    preview = click.option(
        "--preview",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Also write a PNG picture of 1200 × 630 pixels with the verdict, for link previews.",
    )
    summary = click.option(
        "--summary",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Also write the report in short as Markdown, for a pull request or a job's summary; "
        "$GITHUB_STEP_SUMMARY is appended to.",
    )
    return summary(link_option(preview(command)))


def loading_flags(options: dict[str, Any]) -> dict[str, Any]:
    """Those of a command's options that say how the model is read, taken out."""
    return {option.name: options.pop(option.name) for option in options_at(Place.COMMAND)}


def halves_or_model(
    model: Path, data: Path | None, said: dict[str, Any]
) -> tuple[Path, Path | None]:
    """MODEL and DATA, where DATA may stand alone behind the files of an encoder and a decoder."""
    halves = [said.get("encoder"), said.get("decoder")]
    if data is None and all(half is not None and os.path.isfile(half) for half in halves):  # noqa: PTH113
        return Path(str(halves[0])), model
    return model, data


def read_options(
    flags: dict[str, Any], said: dict[str, Any], config: Path | None
) -> tuple[Settings, LoadingOptions]:
    """Read the settings and the loading options from the flags, and else from the settings file.

    A file that was only found may be a stranger's, as one beside a model may.
    """
    file = config_file(config)
    settings, loading = read_settings(flags, file), LoadingOptions.of_flags(said)
    if file is None:
        return settings, loading
    table = LoadingOptions.of(read_loading_table(file), f"{file}, [loading]", Place.BESIDE)
    if table.model_class and not (config or loading.model_class or loading.trust):
        raise SettingsError(
            f"{file} names code to import ({table.model_class}), and is used because it lies here; "
            f"say that you mean it with --config {file}, or name the code with --model-class."
        )
    return settings, loading.completed(table)[0]


def config_file(config: Path | None) -> Path | None:
    """The settings file that was named, else the one that lies here, if there is one."""
    found = Path("reportgen.toml")
    return config or (found if found.is_file() else None)
