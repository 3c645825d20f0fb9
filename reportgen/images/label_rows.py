"""The rows of a table of labels: CSV, JSON lines or parquet, with or without names of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath

from reportgen.errors import DataError
from reportgen.images.label_table import CLASS_COLUMNS
from reportgen.images.name_matching import folded
from reportgen.images.places import Places
from reportgen.images.table import FILE_COLUMNS, Line, Table, cell_text, column_names, line_of
from reportgen.images.table_reading import csv_rows, json_entries, json_keys
from reportgen.shown import shown

Row = tuple[int, list[str]]


@dataclass(frozen=True)
class LabelRows:
    """The rows of a table, read whenever they are needed.

    Attributes
    ----------
    where : the file, for sentences.
    columns : names of all columns, as shown.
    rows : function that yields (number of the line, text of the cells) of every row.
    classes : the columns that the file itself declares to be classes.
    """

    where: str
    columns: tuple[str, ...]
    rows: Callable[[], Iterator[Row]]
    classes: tuple[str, ...] = ()

    def picked(self, columns: Sequence[str]) -> LabelRows:
        """The same rows with these columns alone, in this order."""
        places = [self.columns.index(name) for name in columns]

        def rows() -> Iterator[Row]:
            return ((number, [cells[i] for i in places]) for number, cells in self.rows())

        return replace(self, columns=tuple(columns), rows=rows)


def csv_label_rows(content: bytes, count: int, where: str) -> LabelRows:
    """Rows of a CSV file, for `count` images; the first line names the columns, if any does.

    A first line of numbers, or the first of a single column, is a row like the others where there
    are as many lines as images. Raises DataError beginning with `where`.
    """
    first = next((row for _, row in csv_rows(content, where)), None)
    if first is None:
        raise DataError(f"{where} is empty; a label file has a row an image.")
    lines = sum(1 for _ in csv_rows(content, where))
    is_named = len(first) > 1 or first[0].strip().lower() in CLASS_COLUMNS
    has_names = lines != count or (is_named and not all(map(_is_number, first)))
    names = first if has_names else [""] * len(first)

    def rows() -> Iterator[Row]:
        for number, row in islice(csv_rows(content, where), int(has_names), None):
            if len(row) != len(first):
                raise DataError(
                    f"{where}, line {number}: {len(row)} cells, but the first line has "
                    f"{len(first)}."
                )
            yield number, [cell.strip() for cell in row]

    return LabelRows(where, column_names(names, where), rows)


def json_label_rows(content: bytes, where: str) -> LabelRows:
    """Rows of JSON lines; keys that only hold lists and objects are left out."""
    keys = json_keys(content, where)
    if not keys:
        raise DataError(f"{where} holds no labels; it needs a JSON object an image.")

    def rows() -> Iterator[Row]:
        for number, entry in json_entries(content, where):
            yield number, [cell_text(entry.get(key)) for key in keys]

    return LabelRows(where, column_names(keys, where), rows)


def parquet_label_rows(path: Path, where: str) -> LabelRows:
    """Rows of a parquet file: its columns of numbers, truth values and text."""
    from reportgen.images.arrow_columns import read_columns
    from reportgen.images.arrow_shards import ParquetShard, ShardRows

    table = ShardRows([ParquetShard(path, path.name, where)], where)
    columns = read_columns(table.schema, where)
    if not columns.facts:
        raise DataError(f"{where} has no column of numbers or text.")

    def rows() -> Iterator[Row]:
        for number, values in enumerate(table.values(columns.facts), 1):
            yield number, columns.cells(columns.facts, values)

    named = column_names(columns.facts, where)
    declared = (
        shown_name
        for shown_name, name in zip(named, columns.facts, strict=True)
        if name in columns.class_names
    )
    return LabelRows(where, named, rows, tuple(declared))


def pick_columns(rows: LabelRows, wanted: str) -> tuple[str, ...]:
    """The columns that are named behind the file's colon: one, or several with commas between.

    Raises DataError for one that is not there, or could be several.
    """
    return tuple(_column(rows, name) for name in _split_names(rows.columns, wanted))


def _split_names(columns: Sequence[str], wanted: str) -> list[str]:
    # A column's own name may have commas.
    return [wanted] if wanted in columns else [part.strip() for part in wanted.split(",")]


def _column(rows: LabelRows, wanted: str) -> str:
    if wanted in rows.columns:
        return wanted
    alike = [name for name in rows.columns if folded(name) == folded(wanted)]
    if len(alike) == 1:
        return alike[0]
    listed = ", ".join(alike or rows.columns)
    problem = f"several columns called {shown(wanted)}" if alike else f"no column {shown(wanted)}"
    raise DataError(f"{rows.where} has {problem}; name one of {listed}.")


def name_column(rows: LabelRows, places: Places) -> str | None:
    """The column that names the images, or None: by its own name, or by what it holds.

    A first column that is called otherwise counts where each of its cells stands there once, and
    at least one is the name of an image.
    """
    usual = next((name for name in rows.columns if name.lower() in FILE_COLUMNS), None)
    if usual is not None or len(rows.columns) < 2 or places.names is None:
        return usual
    known = set(_spellings(places.names))
    cells = Counter(cells[0] for _, cells in rows.rows())
    is_unique = max(cells.values(), default=2) == 1
    return rows.columns[0] if is_unique and known.intersection(_spellings(cells)) else None


def _spellings(names: Sequence[str] | Counter[str]) -> Iterator[str]:
    for name in names:
        path = PurePosixPath(folded(name.replace("\\", "/")))
        yield path.name
        yield path.stem


def as_table(rows: LabelRows, names: str | None, places: Places, data: str) -> Table:
    """A table whose lines name images: by the column `names`, or by the images' places.

    Lines name an image by its place, "0", "1", … where there is no such column. They raise
    DataError where there are more or fewer than images in `data`.
    """
    columns = [name for name in rows.columns if name != names]

    def by_name() -> Iterator[Line]:
        for number, (file, *cells) in rows.picked([str(names), *columns]).rows():
            yield line_of(number, file, cells, rows.where)

    def by_place() -> Iterator[Line]:
        count = 0
        for count, (number, cells) in enumerate(rows.picked(columns).rows(), 1):
            yield Line(number, str(count - 1), cells)
        require_count(count, places.count, rows.where, data)

    is_matched = names is not None and places.names is not None
    declared = next((name for name in columns if name in rows.classes), None)
    return Table(rows.where, tuple(columns), by_name if is_matched else by_place, declared)


def require_count(found: int, count: int, where: str, data: str) -> None:
    """Raise DataError where there is not one row an image."""
    if found != count:
        raise DataError(
            f"{where} has {found} rows and {data} has {count} images; row i must be that of image "
            "i, or a column called file must name the images."
        )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
