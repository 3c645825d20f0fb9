"""Settings beside a model file: `model.toml`, and what Hugging Face folders say of their pixels.

A sidecar may come from the same stranger as the model, so it can say nothing that runs code:
`trust` is no key of it, and `model_class` counts only with --trust.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from reportgen.autoencoder import Note
from reportgen.errors import ModelError, SettingsError
from reportgen.loading.options import LoadingOptions, Place, means_and_sds, places_beside
from reportgen.loading.sentences import refusing

SIZE_LIMIT = 1 << 18
# Dots in a line: for a key of n parts, the parser of TOML spends memory in n².
DOT_LIMIT = 200


def with_sidecar(model: Path, options: LoadingOptions) -> tuple[LoadingOptions, tuple[Note, ...]]:
    """Complete what the user says of a model by the settings beside its file, with a note of it.

    They stand in NAME.toml, else model.toml, else preprocessor_config.json. Raises ModelError for
    files that are no TOML, unknown keys, values of the wrong kind and, without --trust, for a file
    that names code.
    """
    *settings, preprocessor = places_beside(model)
    for path in dict.fromkeys(settings):
        if path.is_file() and path != model:
            said = _read_toml(path)
            if said.model_class and not (options.model_class or options.trust):
                raise ModelError(
                    f"{path} names code to import ({said.model_class}), which a stranger's file "
                    "may not do; say it yourself with --model-class, or pass --trust."
                )
            return completed(options, said, f"{path.name} beside the model")
    if preprocessor.is_file():
        said = LoadingOptions(normalize=_read_preprocessor(preprocessor))
        return completed(options, said, f"{preprocessor.name} beside the model")
    return options, ()


def completed(
    options: LoadingOptions, said: LoadingOptions, where: str
) -> tuple[LoadingOptions, tuple[Note, ...]]:
    """Options, and where they say nothing what is said elsewhere; with a note of that."""
    options, used = options.completed(said)
    return options, (Note("settings", f"From {where}: {', '.join(used)}."),) if used else ()


def _read_text(path: Path) -> str:
    if path.stat().st_size > SIZE_LIMIT:
        raise ModelError(f"{path} is too large for a settings file; remove it.")
    with refusing(
        (OSError, UnicodeDecodeError),
        f"{path} cannot be read as text (<reason>); mend or remove it.",
    ):
        return path.read_text(encoding="utf-8")


def _read_toml(path: Path) -> LoadingOptions:
    content = _read_text(path)
    if any(line.count(".") > DOT_LIMIT for line in content.splitlines()):
        raise ModelError(f"{path} has more than {DOT_LIMIT} dots in a line; break the line.")
    with refusing(
        (ValueError, RecursionError), f"{path} is no valid TOML (<reason>); mend or remove it."
    ):
        found = tomllib.loads(content)
    try:
        return LoadingOptions.of(found, str(path), Place.BESIDE)
    except SettingsError as error:
        raise ModelError(str(error)) from error


def _read_preprocessor(path: Path) -> str | None:
    """Mean and sd, as transformers and diffusers write them; None where they say nothing."""
    with refusing(
        (ArithmeticError, ValueError, TypeError, AttributeError, RecursionError),
        f"{path} is damaged (<reason>); mend or remove it.",
    ):
        found = json.loads(_read_text(path))
        if not found.get("do_normalize", True):
            return None
        mean, sd = found.get("image_mean"), found.get("image_std")
        if mean is None or sd is None:
            return None
        return means_and_sds(mean, sd)
