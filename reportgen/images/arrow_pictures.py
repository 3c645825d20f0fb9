"""Rows that hold pictures' bytes, as Hugging Face writes them → `ImageSet`."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np

from reportgen.autoencoder import Note, SourceFile
from reportgen.errors import DataError
from reportgen.images.array_stream import choose_rows
from reportgen.images.arrow_columns import Columns, read_columns
from reportgen.images.arrow_shards import ShardRows
from reportgen.images.image_set import ImageSet
from reportgen.images.label_table import LabelTable, match_labels
from reportgen.images.names import Chosen
from reportgen.images.open_options import OpenOptions
from reportgen.images.parquet_table import declared_classes
from reportgen.images.picture import LARGEST_FILE, UnreadableImageError
from reportgen.images.picture_images import make_picture_images
from reportgen.images.places import Places
from reportgen.images.table import Line, Table, column_names
from reportgen.shown import shown

# Each has a name and a place in memory.
MOST_CHOSEN = 2**24


def open_rows(
    rows: ShardRows, where: str, options: OpenOptions, source: Callable[[], SourceFile]
) -> ImageSet:
    """The pictures in a column of rows, with the other columns as labels; see `open_images`."""
    columns = read_columns(rows.schema, where)
    column = columns.image_column(options.part, where)
    if not rows.count:
        raise DataError(f"{where} holds no images: it has no rows.")
    if min(options.limit or rows.count, rows.count) > MOST_CHOSEN:
        raise DataError(f"{where} has {rows.count} rows; use a --limit of at most {MOST_CHOSEN}.")
    chosen = choose_rows(rows.count, options.limit, options.seed).tolist()
    places = dict(zip(rows.names(chosen), chosen, strict=True))
    if len(places) < len(chosen):
        raise DataError(f"{where} holds two files of one name; give the folder of one of them.")
    facts = [name for name in columns.facts if name != column]
    table = _table(rows, places, columns, facts, where) if facts else None

    def labels(readable: tuple[str, ...]) -> LabelTable | None:
        return match_labels(table, readable) if table else None

    return make_picture_images(
        RowPictures(rows, places, column),
        Chosen(tuple(places), rows.count, ""),
        where,
        options,
        source=lambda checksum: source(),
        places=lambda names: Places(np.array([places[name] for name in names]), rows.count),
        table_for=labels,
        notes=[Note("layout", f"{where}: the images are the column {shown(column)}.")],
    )


class RowPictures:
    """Pictures in a column of rows by the row's name; see `PictureFiles`."""

    def __init__(self, rows: ShardRows, places: dict[str, int], column: str) -> None:
        self._places = places
        self._cursor = rows.cursor([column])

    def __contains__(self, name: str) -> bool:
        return name in self._places

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A cell's bytes. Raises UnreadableImageError where it has none."""
        (value,) = self._cursor.read(self._places[name])
        content = value.get("bytes") if isinstance(value, dict) else value
        if content is None:
            path = value.get("path") if isinstance(value, dict) else None
            if path is None:
                raise UnreadableImageError("the row holds no image")
            raise UnreadableImageError(
                f"the row holds only a path, {shown(str(path))}; save the data set with its images"
            )
        if len(content) > LARGEST_FILE:
            raise UnreadableImageError(f"{len(content)} bytes, more than are read")
        yield io.BytesIO(content)


def _table(
    rows: ShardRows, places: dict[str, int], columns: Columns, facts: list[str], where: str
) -> Table:
    def lines() -> Iterator[Line]:
        cursor = rows.cursor(facts)
        for name, row in places.items():
            yield Line(row, name, columns.cells(facts, cursor.read(row)))

    named = column_names(facts, where)
    return Table(where, named, lines, declared_classes(columns.class_names, facts, named))
