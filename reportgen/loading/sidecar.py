"""Settings beside a model file: `model.toml`, and what Hugging Face folders say of their pixels.

A sidecar may come from the same stranger as the model, so it can say nothing that runs code:
`trust` is no key of it, and `model_class` counts only with --trust.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reportgen.errors import ModelError

SIZE_LIMIT = 1 << 18
# Dots in a line: for a key of n parts, the parser of TOML spends memory in n².
DOT_LIMIT = 200
_TEXT_KEYS = ("model_class", "encoder", "decoder", "bottleneck", "normalize", "output")
KEYS = (*_TEXT_KEYS, "model_args", "input_shape", "classes")


@dataclass(frozen=True)
class Sidecar:
    """What is said beside a model.

    Attributes
    ----------
    path : the file; None where there is none.
    options : keywords of `load_autoencoder`.
    """

    path: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def read_sidecar(model: Path) -> Sidecar:
    """The sidecar of a model file: NAME.toml, else model.toml, else preprocessor_config.json.

    Raises ModelError for files that are no TOML, unknown keys and values of the wrong kind.
    """
    folder = model if model.is_dir() else model.parent
    for path in dict.fromkeys((model.with_suffix(".toml"), folder / "model.toml")):
        if path.is_file() and path != model:
            return Sidecar(path, _read_toml(path))
    preprocessor = folder / "preprocessor_config.json"
    if preprocessor.is_file():
        normalize = _read_preprocessor(preprocessor)
        if normalize is not None:
            return Sidecar(preprocessor, {"normalize": normalize})
    return Sidecar()


def _read_text(path: Path) -> str:
    if path.stat().st_size > SIZE_LIMIT:
        raise ModelError(f"{path} is too large for a settings file; remove it.")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} cannot be read as text ({error}); mend or remove it.") from error


def _read_toml(path: Path) -> dict[str, Any]:
    content = _read_text(path)
    if any(line.count(".") > DOT_LIMIT for line in content.splitlines()):
        raise ModelError(f"{path} has more than {DOT_LIMIT} dots in a line; break the line.")
    try:
        found = tomllib.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is no valid TOML ({error}); mend or remove it.") from error
    unknown = sorted(found.keys() - set(KEYS))
    if unknown:
        raise ModelError(
            f"{path} has the unknown key {unknown[0]!r}; the keys are {', '.join(KEYS)}."
        )
    for key in _TEXT_KEYS:
        if key in found and not isinstance(found[key], str):
            raise ModelError(f"{path}: {key} must be a text in quotes.")
    if not isinstance(found.get("model_args", {}), dict):
        raise ModelError(f"{path}: model_args must be a table, such as {{ width = 32 }}.")
    if "classes" in found:
        found["classes"] = _classes(path, found["classes"])
    if "input_shape" in found:
        found["input_shape"] = _shape(path, found["input_shape"])
    return found


def _classes(path: Path, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ModelError(f'{path}: classes must be a list of names, such as ["cat", "dog"].')
    return tuple(value)


def _shape(path: Path, value: Any) -> tuple[int, int, int]:
    numbers = isinstance(value, list) and all(type(size) is int and size > 0 for size in value)
    if not numbers or len(value) != 3:
        raise ModelError(f"{path}: input_shape must be [channels, height, width].")
    return (value[0], value[1], value[2])


def _read_preprocessor(path: Path) -> str | None:
    """Mean and sd, as transformers and diffusers write them; None where they say nothing."""
    try:
        found = json.loads(_read_text(path))
        if not found.get("do_normalize", True):
            return None
        mean, sd = found.get("image_mean"), found.get("image_std")
        if mean is None or sd is None:
            return None
        numbers = [[float(number) for number in values] for values in (mean, sd)]
    except (ArithmeticError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path} is damaged ({error}); mend or remove it.") from error
    texts = [",".join(f"{number:g}" for number in values) for values in numbers]
    return f"mean={texts[0]} std={texts[1]}"
