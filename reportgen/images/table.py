"""`Table`: labels and factors, one line for each image, with its names and cells tidied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from reportgen.errors import DataError
from reportgen.shown import shown

FILE_COLUMNS = ("file", "path", "filename", "file_name", "filepath", "file_path", "image_path")
NESTED = (dict, list, bytes)


@dataclass(frozen=True)
class Line:
    """The entries of a table for one image.

    Attributes
    ----------
    number : the number of its line or row, for sentences.
    file : the image's path relative to the table's folder, or its bare name.
    cells : text of the other columns; "" where nothing is known.
    """

    number: int
    file: str
    cells: list[str]


@dataclass(frozen=True)
class Table:
    """A table that is read line by line whenever it is needed, never held as a whole.

    Attributes
    ----------
    where : the file, for sentences.
    columns : names of the columns other than the files', as shown.
    lines : function that starts reading; the iterator raises DataError naming file and line.
    class_column : the column that the file itself declares to be classes, or None.
    """

    where: str
    columns: tuple[str, ...]
    lines: Callable[[], Iterator[Line]]
    class_column: str | None = None


def column_names(names: Sequence[str], where: str) -> tuple[str, ...]:
    """Column names as they are shown. Raises DataError where two are alike."""
    columns = tuple(shown(name.strip()) or f"column {i}" for i, name in enumerate(names, 1))
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise DataError(f"{where} has two columns called {twice!r}; rename one.")
    return columns


def file_column(names: Sequence[str], first_line: Sequence[str] = ()) -> int:
    """The place of the column that holds the files: by a usual name, else the first.

    A first column without a name that begins with a number is pandas' index: then the second.
    """
    has_name = bool(names) and names[0] != "" and not names[0].startswith("Unnamed: ")
    is_index = not has_name and bool(first_line) and first_line[0].strip().isdecimal()
    usual = int(is_index and len(names) > 1)
    return next((i for i, name in enumerate(names) if name.lower() in FILE_COLUMNS), usual)


def cell_text(value: Any) -> str:
    """A value as a cell of a CSV file would hold it."""
    if value is None or isinstance(value, NESTED):
        return ""
    return str(int(value)) if isinstance(value, bool) else str(value).strip()


def line_of(number: int, file: str, cells: list[str], where: str) -> Line:
    """A line with its path tidied. Raises DataError where it has no path."""
    file = file.strip().replace("\\", "/").removeprefix("./")
    if not file:
        raise DataError(f"{where}, line {number}: no file name.")
    return Line(number, file, cells)
