"""The JSON Schema of results.json, derived from the results' types.

The package ships it as results.schema.json, and a test holds the two together.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import json
import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from reportgen.report.question import Question
from reportgen.report.results import SCHEMA_VERSION, Results
from reportgen.report.store import ANSWERS, EXTENSIONS
from reportgen.report.typed import IMAGES_KEY, is_image_array

SHIPPED = Path(__file__).parent / "results.schema.json"
NUMBER_OR_UNDEFINED = {"type": ["number", "null"]}


def shipped_schema() -> dict[str, Any]:
    """The schema in the package."""
    schema: dict[str, Any] = json.loads(SHIPPED.read_text(encoding="utf-8"))
    return schema


def derived_schema(questions: Iterable[Question]) -> dict[str, Any]:
    """The schema that the types of `Results` and of the questions' answers imply."""
    definitions: dict[str, Any] = {}
    hints = typing.get_type_hints(Results)
    properties: dict[str, Any] = {}
    for field in dataclasses.fields(Results):
        if field.name == ANSWERS:
            properties |= {
                question.name: _schema(typing.cast(Any, question.answer) | None, definitions)
                for question in questions
                if question.answer is not None
            }
        elif field.name == EXTENSIONS:
            properties[field.name] = {"type": "object"}
        else:
            properties[field.name] = _schema(hints[field.name], definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"reportgen results {SCHEMA_VERSION}",
        "description": inspect.cleandoc(Results.__doc__ or "").split("\n\n")[0],
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        "$defs": dict(sorted(definitions.items())),
    }


def _schema(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if is_image_array(hint):
        return {
            "type": "object",
            "properties": {IMAGES_KEY: {"type": "string"}, "shape": {"type": "array"}},
            "required": [IMAGES_KEY, "shape"],
            "additionalProperties": False,
        }
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        inner = next(a for a in arguments if a is not type(None))
        return {"anyOf": [_schema(inner, definitions), {"type": "null"}]}
    if dataclasses.is_dataclass(hint):
        return _object(typing.cast(type, hint), definitions)
    if hint is np.ndarray:
        return {"type": "array"}
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [member.value for member in hint]}
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return {"type": "array", "items": _schema(arguments[0], definitions)}
    if origin is tuple:
        items = [_schema(argument, definitions) for argument in arguments]
        return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1], definitions)}
    plain: dict[Any, dict[str, Any]] = {
        bool: {"type": "boolean"},
        int: {"type": "integer"},
        float: NUMBER_OR_UNDEFINED,
        str: {"type": "string"},
    }
    return dict(plain[hint])


def _object(hint: type, definitions: dict[str, Any]) -> dict[str, Any]:
    if hint.__name__ not in definitions:
        definitions[hint.__name__] = {}
        hints = typing.get_type_hints(hint, include_extras=True)
        fields = [field.name for field in dataclasses.fields(hint)]
        definitions[hint.__name__] = {
            "type": "object",
            "description": inspect.cleandoc(hint.__doc__ or "").split("\n\n")[0],
            "properties": {name: _schema(hints[name], definitions) for name in fields},
            "required": fields,
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{hint.__name__}"}
