"""Reads a `Table` line by line: CSV, JSON lines and parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from reportgen.errors import DataError
from reportgen.images.table import (
    NESTED,
    Line,
    Table,
    cell_text,
    column_names,
    file_column,
    line_of,
)


def read_table(name: str, content: bytes, where: str) -> Table:
    """The table in a file, read as its suffix says: `.jsonl`, `.parquet`, and else as CSV.

    Raises DataError beginning with `where`.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".jsonl":
        return _json_lines_table(content, where)
    if suffix == ".parquet":
        from reportgen.images.parquet_table import parquet_table

        return parquet_table(content, where)
    return _csv_table(content, where)


def _csv_table(content: bytes, where: str) -> Table:
    first_rows = [row for _, row in islice(csv_rows(content, where), 2)]
    header = first_rows[0] if first_rows else []
    if len(header) < 2:
        raise DataError(_needs_lines(where))
    column = file_column([name.strip() for name in header], *first_rows[1:])
    named = column_names(header, where)

    def lines() -> Iterator[Line]:
        rows = csv_rows(content, where)
        next(rows)
        empty = True
        for number, row in rows:
            empty = False
            if len(row) != len(header):
                raise DataError(
                    f"{where}, line {number}: {len(row)} cells, but the first line has "
                    f"{len(header)}."
                )
            cells = [cell.strip() for cell in row]
            yield line_of(number, cells.pop(column), cells, where)
        if empty:
            raise DataError(_needs_lines(where))

    return Table(where, named[:column] + named[column + 1 :], lines)


def csv_rows(content: bytes, where: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) of the lines with content. Raises DataError."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    reader = None
    try:
        delimiter = max(",;\t", key=text.readline().count)
        text.seek(0)
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is not UTF-8 text; save it as UTF-8.") from error
    except csv.Error as error:
        number = reader.line_num if reader else 1
        raise DataError(f"{where}, line {number}: {error}.") from error


def _json_lines_table(content: bytes, where: str) -> Table:
    names = json_keys(content, where)
    file = names.pop(file_column(names)) if names else ""
    if not names:
        raise DataError(
            f"{where} needs an object a line, with file_name and what is known of the image."
        )

    def lines() -> Iterator[Line]:
        for number, entry in json_entries(content, where):
            cells = [cell_text(entry.get(name)) for name in names]
            yield line_of(number, cell_text(entry.get(file)), cells, where)

    return Table(where, column_names(names, where), lines)


def json_keys(content: bytes, where: str) -> list[str]:
    """The keys of JSON lines that anywhere hold a value; each may first appear in any line."""
    keys: dict[str, None] = {}
    for _, entry in json_entries(content, where):
        keys |= {key: None for key, value in entry.items() if not isinstance(value, NESTED)}
    return list(keys)


def json_entries(content: bytes, where: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object) of the lines with content. Raises DataError."""
    for number, line in enumerate(io.BytesIO(content), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}, line {number}: not JSON: {error}.") from error
        if not isinstance(entry, dict):
            raise DataError(f"{where}, line {number}: not a JSON object.")
        yield number, entry


def _needs_lines(where: str) -> str:
    return f"{where} needs a line of column names, the file name first, and a line an image."
