"""`--labels FILE[:COLUMN]`: classes and factors of the images from a file of the user's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from reportgen.autoencoder import Note
from reportgen.errors import DataError
from reportgen.images.array_facts import ArrayFacts, are_classes
from reportgen.images.checksum import file_source
from reportgen.images.folder_files import FolderFiles
from reportgen.images.idx_file import is_idx, unzipped_start
from reportgen.images.image_set import Factors, ImageSet
from reportgen.images.label_rows import (
    LabelRows,
    as_table,
    csv_label_rows,
    json_label_rows,
    name_column,
    parquet_label_rows,
    pick_columns,
)
from reportgen.images.label_table import CLASS_COLUMNS, match_labels
from reportgen.images.picture import UnreadableImageError
from reportgen.images.picture_notes import class_note
from reportgen.images.places import Places
from reportgen.shown import NO_LABEL, shown

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl")
FORMATS = "a .csv, .tsv, .jsonl, .parquet, .npy, .npz, HDF5 or IDX file"


@dataclass(frozen=True)
class LabelFile:
    """A file that says what is known of the images.

    Attributes
    ----------
    path : the file.
    part : the column or columns, or the array, that was named behind it; None for all.
    """

    path: Path
    part: str | None = None

    def facts(self, places: Places, data: str) -> ArrayFacts:
        """The labels and factors of images at these places of `data`.

        Raises DataError, one sentence that names the file.
        """
        where = shown(str(self.path))
        if not self.path.is_file():
            missing = "is no regular file" if self.path.exists() else "does not exist"
            raise DataError(f"{where} {missing}; give --labels {FORMATS}.")
        with self.path.open("rb") as stream:
            head = stream.read(8)
        if head.startswith(b"PK\x03\x04"):
            from reportgen.images.label_arrays import npz_facts

            return npz_facts(self.path, self.part, places, data)
        if head.startswith(b"\x89HDF"):
            from reportgen.images.hdf5_file import hdf5_arrays
            from reportgen.images.label_arrays import facts_in

            file, arrays = hdf5_arrays(self.path)
            with file:
                return facts_in(arrays, self.part, places, where, data)
        if head.startswith(b"\x93NUMPY") or is_idx(unzipped_start(self.path, where)):
            from reportgen.images.label_arrays import idx_facts, npy_facts

            if self.part is not None:
                raise DataError(f"{where} holds one array, and no part {shown(self.part)}.")
            reader = npy_facts if head.startswith(b"\x93NUMPY") else idx_facts
            return reader(self.path, places, data)
        return self._table_facts(head, places, data, where)

    def _table_facts(self, head: bytes, places: Places, data: str, where: str) -> ArrayFacts:
        rows = self._rows(head, places.count, where)
        names = name_column(rows, places)
        picked = () if self.part is None else pick_columns(rows, self.part)
        if picked:
            rows = rows.picked([*picked, *(() if names is None or names in picked else (names,))])
            names = None if names in picked else names
        table = as_table(rows, names, places, data)
        if not table.columns:
            raise DataError(f"{where} has no column besides {names}, the images' names.")
        is_named = names is not None and places.names is not None
        keys = places.names if is_named and places.names else [str(row) for row in places.rows]
        single = len(table.columns) == 1
        found = match_labels(table, keys, keep_index=single or bool(picked))
        note = Note("labels", _matched(where, names if is_named else None))
        # A table of names and one more column is read as labels.csv is.
        if single and found.classes is None and (picked or names is None):
            ((name, values),) = found.factors.items()
            if are_classes(values, always=name.lower() in CLASS_COLUMNS):
                return ArrayFacts(tuple(map(_word, values)), None, (*found.notes, note))
        return ArrayFacts(found.classes, found.factors or None, (*found.notes, note))

    def _rows(self, head: bytes, count: int, where: str) -> LabelRows:
        if head.startswith(b"PAR1"):
            return parquet_label_rows(self.path, where)
        if self.path.suffix.lower() not in TEXT_SUFFIXES:
            raise DataError(f"{where} is in no known format of labels; give {FORMATS}.")
        try:
            with FolderFiles(self.path.parent).open(self.path.name) as stream:
                content = stream.read()
        except UnreadableImageError as error:
            raise DataError(f"{where} cannot be read: {error}.") from error
        if self.path.suffix.lower() == ".jsonl":
            return json_label_rows(content, where)
        return csv_label_rows(content, count, where)


def with_labels(images: ImageSet, labels: LabelFile) -> ImageSet:
    """The same images with the labels and factors of a file, before those that they have.

    Raises DataError where the file does not go with the images.
    """
    if images.places is None:
        raise DataError("--labels needs images from files, whose order is known.")
    places = images.places()
    facts = labels.facts(places, images.source.name)
    name = shown(labels.path.name)
    source = file_source(labels.path)
    notes = [*facts.notes, Note("labels", f"{name} has the SHA-256 {source.sha256}.")]
    if facts.labels is not None:
        notes.append(class_note(facts.labels, f"--labels {name}"))
        if images.labels is not None:
            notes.append(Note("labels", "They take the place of the classes that the data has."))
    factors: Factors = {**(images.factors or {}), **(facts.factors or {})}
    with_alpha = images.with_alpha
    return replace(
        images,
        labels=images.labels if facts.labels is None else facts.labels,
        factors=factors or None,
        notes=(*images.notes, *notes),
        with_alpha=None if with_alpha is None else partial(_labelled, with_alpha, labels),
    )


def _labelled(images: Callable[[], ImageSet], labels: LabelFile) -> ImageSet:
    return with_labels(images(), labels)


def _word(value: float | str) -> str:
    """A class as it is printed; whole numbers without a point."""
    if isinstance(value, str):
        return value or NO_LABEL
    return NO_LABEL if math.isnan(value) else str(int(value))


def _matched(where: str, names: str | None) -> str:
    if names is None:
        return f"Row i of {where} was taken for image i, in the data's order."
    return f"Rows of {where} were matched to images by the column {names}."
