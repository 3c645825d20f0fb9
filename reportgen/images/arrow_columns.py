"""The meaning of an Arrow schema's columns: images, class labels, paths, other facts.

Hugging Face's `datasets` writes its features as JSON into the schema's metadata; without them,
names and types decide. Only pyarrow reads the files, never `datasets`, so that nothing beside
them is executed and nothing is fetched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from reportgen.errors import DataError
from reportgen.images.table import cell_text
from reportgen.shown import shown

if TYPE_CHECKING:
    import pyarrow as pa

INSTALL = "pip install 'reportgen[datasets]'"
IMAGE_COLUMNS = ("image", "img", "images", "picture")


@dataclass(frozen=True)
class Columns:
    """The columns of a table of images.

    Attributes
    ----------
    names : all columns.
    images : the columns that hold pictures' bytes.
    paths : the columns of text, any of which may hold paths.
    facts : the columns that may be labels or factors: numbers, truth values, text.
    class_names : for a column of classes, the names that its numbers stand for.
    """

    names: tuple[str, ...]
    images: tuple[str, ...]
    paths: tuple[str, ...]
    facts: tuple[str, ...]
    class_names: dict[str, tuple[str, ...]]

    def image_column(self, wanted: str | None, where: str) -> str:
        """The column of pictures: the one wanted, else one with a usual name, else the only one.

        Raises DataError beginning with `where`.
        """
        listed = ", ".join(shown(name) for name in self.images or self.names)
        if wanted is not None:
            if wanted not in self.images:
                raise DataError(
                    f"{where} has no column {shown(wanted)} of images; it has {listed}."
                )
            return wanted
        usual = [name for name in self.images if name.lower() in IMAGE_COLUMNS]
        if len(self.images) != 1 and not usual:
            if not self.images:
                raise DataError(
                    f"{where} has no column of images or of their paths; it has {listed}."
                )
            raise DataError(
                f"{where} has images in {listed}; name the column after a colon, as FILE:COLUMN."
            )
        return usual[0] if usual else self.images[0]

    def cells(self, columns: Sequence[str], values: Sequence[Any]) -> list[str]:
        """The values of one row as text, numbers of classes by their names."""
        return [self._cell(name, value) for name, value in zip(columns, values, strict=True)]

    def _cell(self, column: str, value: Any) -> str:
        names = self.class_names.get(column)
        if names is not None and isinstance(value, int) and 0 <= value < len(names):
            return names[value]
        # Hugging Face writes −1 where there is no label.
        return "" if names is not None and value == -1 else cell_text(value)


def read_columns(schema: pa.Schema, where: str) -> Columns:
    """Sort a schema's columns by their meaning. Raises DataError where two have one name."""
    # pyarrow decodes names and metadata only when they are asked for.
    with arrow_damage_is_a_sentence(where):
        return _columns_of(schema, where)


def _columns_of(schema: pa.Schema, where: str) -> Columns:
    import pyarrow.types as types

    names = tuple(schema.names)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{where} has two columns called {shown(twice)}; rename one.")
    text = tuple(field.name for field in schema if _is_text(field.type, types))
    plain = tuple(
        field.name
        for field in schema
        if types.is_integer(field.type)
        or types.is_floating(field.type)
        or types.is_boolean(field.type)
    )
    features = _features(schema)
    return Columns(
        names=names,
        images=tuple(field.name for field in schema if _holds_pictures(field.type, types)),
        paths=text,
        facts=tuple(name for name in names if name in text or name in plain),
        class_names={
            name: tuple(map(str, feature["names"]))
            for name, feature in features.items()
            if feature.get("_type") == "ClassLabel" and isinstance(feature.get("names"), list)
        },
    )


@contextmanager
def arrow_damage_is_a_sentence(where: str) -> Iterator[None]:
    """Raise DataError where pyarrow is not installed, or cannot read the file within the block."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise DataError(
            f"{where} cannot be read without pyarrow, which is not installed: {INSTALL}."
        ) from error
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, ValueError, KeyError, OverflowError) as error:
        # ValueError: text that is not UTF-8; OSError: what pyarrow makes of damaged metadata.
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise DataError(
            f"{where} is damaged or of an unsupported kind: {shown(reason)}."
        ) from error


def _is_text(kind: pa.DataType, types: ModuleType) -> bool:
    kind = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_bytes(kind: pa.DataType, types: ModuleType) -> bool:
    kind = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))


def _holds_pictures(kind: pa.DataType, types: ModuleType) -> bool:
    """Tell whether a type is bytes, or Hugging Face's struct of bytes and path."""
    if not types.is_struct(kind):
        return _is_bytes(kind, types)
    place = kind.get_field_index("bytes")
    return place >= 0 and _is_bytes(kind.field(place).type, types)


def _features(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """Hugging Face's features by column; nothing where there are none that can be understood."""
    try:
        described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = described["info"]["features"]
        return {name: each for name, each in features.items() if isinstance(each, dict)}
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return {}
