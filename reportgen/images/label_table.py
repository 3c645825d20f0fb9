"""Labels and factors from a table beside the images, such as `labels.csv`: one line an image."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from reportgen.autoencoder import Note
from reportgen.errors import DataError
from reportgen.images.image_set import Factors
from reportgen.images.name_matching import match_loosely
from reportgen.images.table import Line, Table
from reportgen.shown import NO_LABEL, shown

# The second to fourth are the names of Hugging Face's image folders.
TABLE_NAMES = ("labels.csv", "metadata.csv", "metadata.jsonl", "metadata.parquet")
CLASS_COLUMNS = ("label", "class", "labels", "classes", "class_name", "target")
# As pandas and `column_names` call a column that had no name.
INDEX_NAME = re.compile(r"column \d+|Unnamed: \d+|index|__index_level_\d+__", re.I)
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+(e[-+]?\d+)?", re.I)
THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")
MISSING_WORDS = frozenset(("", "na", "n/a", "nan", "null", "none", "?"))


@dataclass(frozen=True)
class LabelTable:
    """The labels and factors that a table gives the chosen images.

    Attributes
    ----------
    factors : columns by name, in the file's order; see `ImageSet.factors`.
    classes : (n,) the column called "label" or "class", which then is no factor; or None.
    notes : sentences on the columns found, and on images without a line.
    """

    factors: Factors
    classes: tuple[str, ...] | None
    notes: tuple[Note, ...]


def table_places(shared_folder: str) -> Iterator[tuple[str, str]]:
    """(folder, path) wherever a table may lie: at the root, or in the folder of all images."""
    for folder in dict.fromkeys(("", shared_folder)):
        for name in TABLE_NAMES:
            yield folder, f"{folder}{name}"


def match_labels(table: Table, names: Sequence[str], keep_index: bool = False) -> LabelTable:
    """Match the lines of a table to images by path, or by file name where that is unique.

    Images without a line get the one whose name is written otherwise (see `match_loosely`). A
    column that counts the lines, as pandas writes it, is no factor, unless it is to be kept.

    `names` are paths relative to the table's folder. Raises DataError naming file and line.
    """
    counting = _Counting(() if keep_index else table.columns)
    rows, otherwise = _by_image(table, names, counting)
    cells = {name: [row[i] if row else "" for row in rows] for i, name in enumerate(table.columns)}
    for name in counting.columns:
        del cells[name]
    by_name = (name for name in cells if name.lower() in CLASS_COLUMNS)
    class_column = next(by_name, table.class_column)
    classes = None
    if class_column is not None:
        classes = tuple(shown(cell) or NO_LABEL for cell in cells.pop(class_column))
    factors: Factors = {name: _typed(column) for name, column in cells.items()}
    return LabelTable(factors, classes, _notes(table, rows, counting.columns, otherwise))


class _Counting:
    """Finds the columns without a name of their own that number the lines: pandas' index."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._places = {
            name: place for place, name in enumerate(columns) if INDEX_NAME.fullmatch(name)
        }
        self._last: dict[str, int] = {}

    def see(self, cells: list[str]) -> None:
        for name, place in list(self._places.items()):
            cell = cells[place]
            number = int(cell) if cell.isascii() and cell.isdecimal() else None
            if number is None or number != self._last.get(name, number - 1) + 1:
                del self._places[name]
            else:
                self._last[name] = number

    @property
    def columns(self) -> list[str]:
        return list(self._places)


def _by_image(
    table: Table, names: Sequence[str], counting: _Counting
) -> tuple[list[list[str] | None], int]:
    """The cells of each image, None where it has no line; and how many are written otherwise."""
    place = {name: i for i, name in enumerate(names)}
    by_file_name: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        by_file_name.setdefault(PurePosixPath(name).name, []).append(i)

    def exact(line: Line) -> list[int]:
        return [place[line.file]] if line.file in place else by_file_name.get(line.file, [])

    found: list[list[str] | None] = [None] * len(names)
    for line in table.lines():
        counting.see(line.cells)
        matches = exact(line)
        if len(matches) > 1:
            raise DataError(
                f"{table.where}, line {line.number}: {len(matches)} images are called "
                f"{shown(line.file)}; write the path, for example {shown(names[matches[0]])}."
            )
        for image in matches:
            if found[image] is not None:
                raise DataError(
                    f"{table.where}, line {line.number}: a second line for {shown(line.file)}; "
                    "keep one of them."
                )
            found[image] = line.cells
    otherwise = 0
    if None in found:
        others = ((line.file, line.cells) for line in table.lines() if not exact(line))
        for image, cells in match_loosely(others, names).items():
            if found[image] is None:
                found[image] = cells
                otherwise += 1
    if not any(cells is not None for cells in found):
        raise DataError(
            f"{table.where} names none of the images; its first column must hold file names such "
            f"as {shown(names[0])}."
        )
    return found, otherwise


def _typed(column: list[str]) -> tuple[float, ...] | tuple[str, ...]:
    """Floats where every cell with content is a finite number, else the strings."""
    known = [cell for cell in column if cell.lower() not in MISSING_WORDS]
    # "1,500" alone may be a thousand and a half, or three digits behind the comma.
    has_decimal_commas = not any("." in cell for cell in known) and any(
        DECIMAL_COMMA.fullmatch(cell) and not THOUSANDS.fullmatch(cell) for cell in known
    )
    numbers = []
    for cell in column:
        if cell.lower() in MISSING_WORDS:
            numbers.append(math.nan)
            continue
        number = _finite_number(cell.replace(",", ".") if has_decimal_commas else cell)
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


def _notes(
    table: Table, rows: list[list[str] | None], counting: list[str], otherwise: int
) -> tuple[Note, ...]:
    columns = [name for name in table.columns if name not in counting]
    text = f"{table.where} gives {', '.join(columns) or 'nothing'} for each image"
    missing = rows.count(None)
    if missing:
        text += f"; {missing} of {len(rows)} images have no line in it"
    if otherwise:
        text += f"; {otherwise} of them are written otherwise in it (letters, suffix or folders)"
    if counting:
        text += f"; {', '.join(counting)} numbers its lines and was left out"
    return (Note("labels", f"{text}."),)
