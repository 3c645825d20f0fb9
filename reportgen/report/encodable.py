"""Results whose every text can be written: names of files may hold bytes that are not UTF-8."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from reportgen.shown import encodable
from reportgen.suite.answers import Answers

Value = TypeVar("Value")


def with_encodable_text(value: Value) -> Value:
    """The value, with what cannot be encoded escaped in every text of it; itself where all can."""
    readable: Value = _readable(value)
    return readable


def _readable(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else _text(value)
    if isinstance(value, np.ndarray | float | int | None):
        return value
    if isinstance(value, Answers):
        return _same_or(value, Answers, dict(value.items()))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
        changed = {name: new for name, old in named.items() if (new := _readable(old)) is not old}
        return dataclasses.replace(value, **changed) if changed else value
    if isinstance(value, tuple):
        entries = [_readable(entry) for entry in value]
        same = all(new is old for new, old in zip(entries, value, strict=True))
        return value if same else tuple(entries)
    if isinstance(value, Mapping):
        return _same_or(value, dict, value)
    return value


def _same_or(value: Any, kind: Any, entries: Mapping[Any, Any]) -> Any:
    read = {_readable(key): _readable(entry) for key, entry in entries.items()}
    same = all(key in read and read[key] is entry for key, entry in entries.items())
    return value if same else kind(read)


def _text(text: str) -> str:
    readable = encodable(text)
    # Words of an enumeration are texts too, and stay what they are.
    return text if readable == text else readable
