"""Files that hold one image each, or several, as rows of one array: arrays, scans and stacks."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Protocol

import numpy as np

from reportgen.autoencoder import Note, SourceFile
from reportgen.errors import DataError
from reportgen.images.array_facts import ArrayFacts, picked
from reportgen.images.array_set import ArrayRows, make_array_set, require_images
from reportgen.images.array_stream import choose_rows
from reportgen.images.checksum import FilesChecksum, file_source
from reportgen.images.folder_files import FolderFiles
from reportgen.images.image_set import ImageSet, SkippedImage
from reportgen.images.label_table import LabelTable
from reportgen.images.listing import FolderWalk
from reportgen.images.names import Chosen, choose, class_folders, natural_order
from reportgen.images.open_options import OpenOptions
from reportgen.images.picture import UnreadableImageError
from reportgen.images.picture_images import label_table_beside
from reportgen.images.picture_notes import other_files_notes
from reportgen.images.picture_set import SizesDifferError
from reportgen.images.places import Places, places_in_natural_order
from reportgen.shown import shown


@dataclass(frozen=True)
class Pages:
    """The images that one file holds, all of one shape and type."""

    count: int
    shape: tuple[int, ...]
    dtype: np.dtype


class PageFormat(Protocol):
    """A kind of file that holds images.

    Attributes
    ----------
    name : as sentences call such a file.
    suffixes : of its files.
    holds_one : whether each file is one image.
    """

    name: str
    suffixes: frozenset[str]
    holds_one: bool

    def pages(self, path: Path) -> Pages:
        """Describe what a file holds. Raises UnreadableImageError."""
        ...

    def read(self, path: Path, places: np.ndarray) -> np.ndarray:
        """Some images of a file, (n, …). Raises UnreadableImageError."""
        ...


class FileRows:
    """Images of many files, row after row; see `ArrayRows.values`."""

    def __init__(
        self, root: Path, files: Mapping[str, Pages], form: PageFormat, dtype: np.dtype
    ) -> None:
        self._root, self._form = root, form
        self._names = list(files)
        self._ends = list(accumulate(pages.count for pages in files.values()))
        first = next(iter(files.values()))
        self.shape = (self._ends[-1], *first.shape)
        self.dtype = dtype

    def place(self, row: int) -> tuple[str, int]:
        """The file of a row, and the row's place in it."""
        file = bisect_right(self._ends, row)
        return self._names[file], row - (self._ends[file - 1] if file else 0)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """(n,) row numbers → (n, …) values. Raises DataError where a file has changed."""
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        by_file: dict[str, list[tuple[int, int]]] = {}
        for i, row in enumerate(np.asarray(rows).tolist()):
            name, place = self.place(row)
            by_file.setdefault(name, []).append((i, place))
        for name, wanted in by_file.items():
            places = np.array([place for _, place in wanted])
            try:
                values = self._form.read(self._root / name, places)
            except (UnreadableImageError, OSError) as error:
                raise DataError(f"{shown(name)} cannot be read: {error}.") from error
            if values.shape[1:] != self.shape[1:]:
                raise DataError(f"{shown(name)} changed while the report was being made.")
            found[[i for i, _ in wanted]] = values
        return found


def open_page_folder(root: Path, form: PageFormat, options: OpenOptions) -> ImageSet:
    """A folder of files that hold one image or several each; see `open_images`.

    Classes come from folders, labels from a table beside the files, as with pictures.
    """
    where = shown(str(root))
    options.refuse_part(where)
    walk = FolderWalk(root, form.suffixes)
    chosen = choose(walk.names(), options.limit if form.holds_one else None, options.seed)
    found = _PageFiles(root, form, options, where, chosen)
    checksum = FilesChecksum()
    for name in found.used:
        checksum.add_file(name, root / name)
    table = label_table_beside(
        FolderFiles(root, options), chosen.shared_folder, found.used, checksum, where
    )
    images = found.images(root, table, lambda: checksum.source(root))
    return replace(images, notes=(*images.notes, *other_files_notes(walk.other_files)))


def open_page_file(path: Path, form: PageFormat, options: OpenOptions) -> ImageSet:
    """One file that holds several images; see `open_images`."""
    where = shown(str(path))
    options.refuse_part(where)
    found = _PageFiles(path.parent, form, options, where, Chosen((path.name,), 1, ""))
    return found.images(path, None, lambda: file_source(path))


class _PageFiles:
    """The chosen images of some files.

    `used` are the names of the files that they are in. Raises DataError beginning with `where`.
    """

    def __init__(
        self, root: Path, form: PageFormat, options: OpenOptions, where: str, chosen: Chosen
    ) -> None:
        self._root, self._form, self._options = root, form, options
        self._where, self._chosen = where, chosen
        names = sorted(chosen.names, key=natural_order)
        self._files, self._skipped = _readable(root, names, form, options)
        if not self._files:
            name, reason = next(iter(self._skipped.items()))
            raise DataError(f"{where}: no {form.name} can be read; {shown(name)}: {reason}.")
        self._values = FileRows(root, self._files, form, _common_type(self._files, where))
        self._count = self._values.shape[0]
        self._rows = choose_rows(self._count, options.limit, options.seed)
        self._by_row = [self._values.place(row) for row in self._rows.tolist()]
        self.used = list(dict.fromkeys(name for name, _ in self._by_row))

    def images(
        self, path: Path, table: LabelTable | None, source: Callable[[], SourceFile]
    ) -> ImageSet:
        """The image set, with what the table says of its files."""
        one, skipped = self._form.holds_one, len(self._skipped)
        count, unreadable = (self._chosen.count, skipped) if one else (self._count, 0)
        of_row = [name for name, _ in self._by_row]
        facts, notes = _facts(table, self.used, of_row, self._chosen.shared_folder)
        values, rows = self._values, self._rows
        layout = require_images(values.shape, values.dtype, self._where, several=True)
        if skipped and not one:
            text = f"{skipped} of {len(self._chosen.names)} files could not be read."
            notes.append(Note("images", text))
        array = ArrayRows(values, rows, rows, count, self._where, facts, unreadable)
        images = make_array_set(path, array, layout, self._options, source)
        return replace(
            images,
            names=tuple(_row_name(n, place, self._files[n].count) for n, place in self._by_row),
            notes=(*images.notes, *notes),
            skipped=tuple(SkippedImage(shown(n), reason) for n, reason in self._skipped.items()),
            places=partial(self._places, of_row),
        )

    def _places(self, of_row: list[str]) -> Places:
        if self._form.holds_one:
            every_name = FolderWalk(self._root, self._form.suffixes).names()
            return places_in_natural_order(of_row, every_name)
        return Places(self._rows, self._count)


def _readable(
    root: Path, names: Sequence[str], form: PageFormat, options: OpenOptions
) -> tuple[dict[str, Pages], dict[str, str]]:
    """The files that can be read, and the reasons of the others.

    Raises DataError where images differ in size.
    """
    folder = FolderFiles(root, options)
    files: dict[str, Pages] = {}
    skipped: dict[str, str] = {}
    for name in names:
        try:
            # What is no regular file, or too large, or the report's own.
            with folder.open(name):
                files[name] = form.pages(root / name)
        except UnreadableImageError as error:
            skipped[name] = str(error)
    shapes = Counter(pages.shape for pages in files.values())
    if len(shapes) > 1:
        usual = shapes.most_common(1)[0][0]
        other = next(name for name, pages in files.items() if pages.shape != usual)
        raise SizesDifferError(
            f"{shown(str(root))}: the images differ in shape: {shown(other)} has "
            f"{files[other].shape}, {shapes[usual]} of {len(files)} files have {usual}; save them "
            "in one shape."
        )
    return files, skipped


def _common_type(files: Mapping[str, Pages], where: str) -> np.dtype:
    dtypes = {pages.dtype for pages in files.values()}
    if any(dtype.kind not in "buif" for dtype in dtypes):
        listed = ", ".join(sorted(map(str, dtypes)))
        raise DataError(f"{where} holds {listed} values; images are whole or real numbers.")
    return np.result_type(*dtypes)


def _facts(
    table: LabelTable | None, used: list[str], of_row: list[str], shared_folder: str
) -> tuple[ArrayFacts, list[Note]]:
    """Classes and factors of each row from its file's folder, and from the table's line for it."""
    place = {name: i for i, name in enumerate(used)}
    lines = [place[name] for name in of_row]
    factors = {
        name: picked(column, lines) for name, column in (table.factors if table else {}).items()
    }
    classes, origin = class_folders(of_row, shared_folder), "folders"
    if classes is None and table is not None and table.classes is not None:
        classes, origin = tuple(table.classes[line] for line in lines), "the label table"
    facts = ArrayFacts(classes, factors or None, origin=origin)
    return facts, list(table.notes) if table else []


def _row_name(name: str, place: int, count: int) -> str:
    return shown(name) if count == 1 else f"{shown(name)}[{place}]"
