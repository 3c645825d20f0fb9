"""Labels and factors from a table beside the images, such as `labels.csv`: one line an image."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from reportgen.autoencoder import Note
from reportgen.errors import DataError
from reportgen.images.image_set import Factors
from reportgen.images.table import Table
from reportgen.shown import shown

# The second to fourth are the names of Hugging Face's image folders.
TABLE_NAMES = ("labels.csv", "metadata.csv", "metadata.jsonl", "metadata.parquet")
CLASS_COLUMNS = ("label", "class", "labels", "classes", "class_name", "target")
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


def match_labels(table: Table, names: Sequence[str]) -> LabelTable:
    """Match the lines of a table to images by path, or by file name where that is unique.

    `names` are paths relative to the table's folder. Raises DataError naming file and line.
    """
    rows = _by_image(table, names)
    cells = {name: [row[i] if row else "" for row in rows] for i, name in enumerate(table.columns)}
    by_name = (name for name in table.columns if name.lower() in CLASS_COLUMNS)
    class_column = next(by_name, table.class_column)
    classes = None
    if class_column is not None:
        classes = tuple(shown(cell) or "(no label)" for cell in cells.pop(class_column))
    factors: Factors = {name: _typed(column) for name, column in cells.items()}
    return LabelTable(factors, classes, _notes(table, rows))


def _by_image(table: Table, names: Sequence[str]) -> list[list[str] | None]:
    """The cells of each image; None where the table has no line for it."""
    place = {name: i for i, name in enumerate(names)}
    by_file_name: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        by_file_name.setdefault(PurePosixPath(name).name, []).append(i)
    found: list[list[str] | None] = [None] * len(names)
    for line in table.lines():
        matches = [place[line.file]] if line.file in place else by_file_name.get(line.file, [])
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
    if not any(cells is not None for cells in found):
        raise DataError(
            f"{table.where} names none of the images; its first column must hold file names such "
            f"as {shown(names[0])}."
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


def _notes(table: Table, rows: list[list[str] | None]) -> tuple[Note, ...]:
    text = f"{table.where} gives {', '.join(table.columns)} for each image"
    missing = rows.count(None)
    if missing:
        text += f"; {missing} of {len(rows)} images have no line in it"
    return (Note("labels", f"{text}."),)
