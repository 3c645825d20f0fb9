"""How a model is read, as options of the command: their names, help and values."""

from __future__ import annotations

import json
from typing import Any

from reportgen.errors import SettingsError

# How MODEL is read: option, placeholder (None for a switch) and help.
LOADING_OPTIONS: dict[str, tuple[str | None, str]] = {
    "model_class": (
        "WHERE:CLASS",
        "The class of a file that holds weights only: package.module:Class or file.py:Class. "
        "This runs that code.",
    ),
    "model_args": ("JSON", "Keyword arguments of the class, as a JSON object."),
    "encoder": ("NAME", "The method or submodule that maps images to codes."),
    "decoder": ("NAME", "The method or submodule that maps codes to images."),
    "bottleneck": ("NAME", "The node or submodule whose output is the code."),
    "input_shape": ("C,H,W", "The image shape that MODEL was trained on, where it does not say."),
    "normalize": (
        "HOW",
        "How pixels are scaled for MODEL: 0,1 or -1,1 or 0,255 or imagenet or dataset or "
        "'mean=0.5 std=0.5' [default: found by reconstruction error].",
    ),
    "output": ("pixels|logits", "What the decoder gives [default: found]."),
    "trust": (
        None,
        "Allow MODEL to run code of its own while it is loaded. Only for files you made.",
    ),
}


def parse_loading(loading: dict[str, Any]) -> dict[str, Any]:
    """The loading options as `load_autoencoder` takes them."""
    return loading | {
        "model_args": _parse_model_args(loading["model_args"]),
        "input_shape": _parse_shape(loading["input_shape"]),
    }


def _parse_shape(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 3 or not all(part.strip().isdigit() and int(part) > 0 for part in parts):
        raise SettingsError(f"--input-shape is {text!r}; write channels,height,width as 3,64,64.")
    return tuple(int(part) for part in parts)


def _parse_model_args(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        arguments = json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(f"--model-args is not JSON: {error}.") from error
    if not isinstance(arguments, dict):
        raise SettingsError('--model-args must be a JSON object, as {"width": 32}.')
    return arguments
