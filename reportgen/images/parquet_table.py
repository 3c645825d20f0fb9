"""A parquet table whose column of paths says where the images are, as a CSV table's does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from reportgen.errors import DataError
from reportgen.images.arrow_columns import read_columns
from reportgen.images.arrow_shards import ParquetShard, ShardRows
from reportgen.images.table import Line, Table, cell_text, column_names, file_column, line_of
from reportgen.shown import shown


def parquet_table(source: Path | bytes, where: str) -> Table:
    """The table in a parquet file, or in its bytes. Raises DataError beginning with `where`."""
    return listed_table(ShardRows([ParquetShard(source, "", where)], where), where)


def listed_table(rows: ShardRows, where: str) -> Table:
    """Rows with a column of paths as a `Table`. Raises DataError where no column is text."""
    columns = read_columns(rows.schema, where)
    if not columns.paths:
        listed = ", ".join(shown(name) for name in columns.names)
        raise DataError(f"{where} has no column of images or of their paths; it has {listed}.")
    file = columns.paths[file_column(columns.paths)]
    facts = [name for name in columns.facts if name != file]

    def lines() -> Iterator[Line]:
        for number, (name, *values) in enumerate(rows.values([file, *facts]), 1):
            yield line_of(number, cell_text(name), columns.cells(facts, values), where)

    named = column_names(facts, where)
    return Table(where, named, lines, declared_classes(columns.class_names, facts, named))


def declared_classes(
    class_names: dict[str, tuple[str, ...]], facts: list[str], named: tuple[str, ...]
) -> str | None:
    """The name, as shown, of the first column that is declared to hold classes; None if none is."""
    return next((named[i] for i, name in enumerate(facts) if name in class_names), None)
