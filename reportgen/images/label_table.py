"""Tables of what is known of each image, such as `labels.csv`: one line an image."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from reportgen.autoencoder import Note
from reportgen.errors import DataError
from reportgen.images.image_set import Factors
from reportgen.images.names import shown

FILE_NAME = "labels.csv"
FILE_COLUMNS = ("file", "path", "filename", "file_name", "filepath", "file_path", "image_path")
CLASS_COLUMNS = ("label", "class", "labels", "classes", "class_name", "target")
MISSING_WORDS = frozenset(("", "na", "n/a", "nan", "null", "none", "?"))


@dataclass(frozen=True)
class LabelTable:
    """What a table says of the chosen images.

    Attributes
    ----------
    factors : columns by name, in the file's order; see `ImageSet.factors`.
    classes : (n,) the column called "label" or "class", which then is no factor; or None.
    notes : which columns were found, and how many images have no line.
    """

    factors: Factors
    classes: tuple[str, ...] | None
    notes: tuple[Note, ...]


def read_label_table(content: bytes, where: str, names: Sequence[str]) -> LabelTable:
    """Match the lines of a table to images by path, or by file name where that is unique.

    The file name is the column called "file", "path" or the like, else the first. `names` are
    paths relative to the table's folder. Raises DataError naming file and line.
    """
    header, lines = _parse(content, where)
    rows = _by_image(lines, where, names)
    cells = {name: [row[i] if row else "" for row in rows] for i, name in enumerate(header)}
    class_column = next((name for name in header if name.lower() in CLASS_COLUMNS), None)
    classes = None
    if class_column is not None:
        classes = tuple(shown(cell) or "(no label)" for cell in cells.pop(class_column))
    factors: Factors = {name: _typed(column) for name, column in cells.items()}
    return LabelTable(factors, classes, _notes(where, header, rows))


def read_file_names(content: bytes, where: str) -> list[str]:
    """The paths in a table's column of files. Raises DataError naming file and line."""
    _, lines = _parse(content, where)
    return [line.file for line in lines]


@dataclass(frozen=True)
class _Line:
    number: int
    file: str
    cells: list[str]


def _parse(content: bytes, where: str) -> tuple[list[str], list[_Line]]:
    """Names of the columns other than the files', and the lines with content."""
    try:
        text = content.decode("utf-8-sig")
        delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is not UTF-8 text; save it as UTF-8.") from error
    except csv.Error as error:
        raise DataError(f"{where}, line {reader.line_num}: {error}.") from error
    if len(rows) < 2 or len(rows[0][1]) < 2:
        raise DataError(
            f"{where} needs a line of column names, the file name first, and a line an image."
        )
    header = [shown(cell.strip()) or f"column {i}" for i, cell in enumerate(rows[0][1], 1)]
    column = next((i for i, name in enumerate(header) if name.lower() in FILE_COLUMNS), 0)
    del header[column]
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise DataError(f"{where} has two columns called {twice!r}; rename one.")
    return header, [_line(number, row, column, len(header) + 1, where) for number, row in rows[1:]]


def _line(number: int, row: list[str], column: int, width: int, where: str) -> _Line:
    if len(row) != width:
        raise DataError(
            f"{where}, line {number}: {len(row)} cells, but the first line has {width}."
        )
    cells = [cell.strip() for cell in row]
    file = cells.pop(column).replace("\\", "/").removeprefix("./")
    if not file:
        raise DataError(f"{where}, line {number}: no file name.")
    return _Line(number, file, cells)


def _by_image(lines: list[_Line], where: str, names: Sequence[str]) -> list[list[str] | None]:
    """The cells of each image; None where the table has no line for it."""
    place = {name: i for i, name in enumerate(names)}
    by_file_name: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        by_file_name.setdefault(PurePosixPath(name).name, []).append(i)
    found: list[list[str] | None] = [None] * len(names)
    for line in lines:
        matches = [place[line.file]] if line.file in place else by_file_name.get(line.file, [])
        if len(matches) > 1:
            raise DataError(
                f"{where}, line {line.number}: {len(matches)} images are called {shown(line.file)};"
                f" write the path, for example {shown(names[matches[0]])}."
            )
        for image in matches:
            if found[image] is not None:
                raise DataError(
                    f"{where}, line {line.number}: a second line for {shown(line.file)}."
                )
            found[image] = line.cells
    if not any(found):
        raise DataError(
            f"{where} names none of the images; its first column must hold file names such as "
            f"{shown(names[0])}."
        )
    return found


def _typed(column: list[str]) -> tuple[float, ...] | tuple[str, ...]:
    """Floats where every cell with content is a finite number, else the strings."""
    numbers = []
    for cell in column:
        if cell.lower() in MISSING_WORDS:
            numbers.append(math.nan)
            continue
        number = _finite_number(cell)
        if number is None:
            return tuple(shown(text) for text in column)
        numbers.append(number)
    return tuple(numbers)


def _finite_number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _notes(where: str, header: list[str], rows: list[list[str] | None]) -> tuple[Note, ...]:
    text = f"{where} gives {', '.join(header)} for each image"
    missing = rows.count(None)
    if missing:
        text += f"; {missing} of {len(rows)} images have no line in it"
    return (Note("labels", f"{text}."),)
