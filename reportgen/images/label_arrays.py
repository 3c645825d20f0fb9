"""Labels and factors from an array file of their own: `.npy`, `.npz` or IDX, a row an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reportgen.errors import DataError
from reportgen.images.array_facts import ArrayFacts, NamedArrays, facts_of, facts_of_array
from reportgen.images.array_stream import RowsOnDisk, read_rows, require_complete
from reportgen.images.idx_file import idx_array, is_zipped
from reportgen.images.label_rows import require_count
from reportgen.images.numpy_file import npz_arrays, read_header
from reportgen.images.places import Places
from reportgen.shown import shown

MOST_LISTED = 8


@dataclass(frozen=True)
class OneArray:
    """The only array of a file; see `NamedArrays`."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[np.ndarray], np.ndarray]

    @property
    def names(self) -> list[str]:
        """Its name."""
        return [self.name]

    def kind_of(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        """See `NamedArrays`."""
        return self.shape, self.dtype

    def rows_of(self, name: str, rows: np.ndarray) -> np.ndarray:
        """See `NamedArrays`."""
        return self.read(rows)


def npy_facts(path: Path, places: Places, data: str) -> ArrayFacts:
    """The labels in a `.npy` file. Raises DataError, also for another number than the images."""
    where = shown(str(path))
    with path.open("rb") as stream:
        header = read_header(stream, where)
    require_complete(header, path.stat().st_size, where)
    rows = RowsOnDisk(path, header)
    array = OneArray(path.stem, header.shape, header.dtype, rows.__getitem__)
    return facts_in(array, path.stem, places, where, data)


def npz_facts(path: Path, wanted: str | None, places: Places, data: str) -> ArrayFacts:
    """The labels in a `.npz` file: the array that is wanted, else as beside images.

    Raises as `npy_facts`, and where no array is wanted and several could be the labels.
    """
    with npz_arrays(path) as arrays:
        return facts_in(arrays, wanted, places, arrays.name, data)


def idx_facts(path: Path, places: Places, data: str) -> ArrayFacts:
    """The labels in an IDX file, plain or gzipped; raises as `npy_facts`."""
    with idx_array(path) as (stream, header, where):

        def read(rows: np.ndarray) -> np.ndarray:
            if is_zipped(path):
                return read_rows(stream, header, rows, where)
            require_complete(header, path.stat().st_size, where)
            return RowsOnDisk(path, header)[rows]

        array = OneArray("labels", header.shape, header.dtype, read)
        return facts_in(array, "labels", places, where, data)


def facts_in(
    arrays: NamedArrays, wanted: str | None, places: Places, where: str, data: str
) -> ArrayFacts:
    """The labels and factors of images at their places, from a file's arrays.

    Without a wanted one, those with usual names, else the only array that has a row an image.
    Raises DataError beginning with `where`.
    """
    order = np.argsort(places.rows, kind="stable")
    rows = places.rows[order]
    if wanted is None:
        facts = facts_of(arrays, "", places.count, rows, where)
        if facts.labels is not None or facts.factors is not None:
            return facts.reordered(order)
        wanted = _only_candidate(arrays, places.count, where, data)
    elif wanted not in arrays.names:
        raise DataError(f"{where} has no array {shown(wanted)}; it holds {_listed(arrays)}.")
    kind = arrays.kind_of(wanted)
    described = where if len(list(arrays.names)) == 1 else f"{where}, {shown(wanted)}"
    if kind is not None and kind[0]:
        require_count(kind[0][0], places.count, described, data)
    return facts_of_array(arrays, wanted, places.count, rows, described).reordered(order)


def _only_candidate(arrays: NamedArrays, count: int, where: str, data: str) -> str:
    kinds = {name: arrays.kind_of(name) for name in arrays.names}
    candidates = [
        name
        for name, kind in kinds.items()
        if kind is not None and len(kind[0]) in (1, 2) and kind[0][0] == count
    ]
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        listed = ", ".join(map(shown, candidates[:MOST_LISTED]))
        raise DataError(
            f"{where} has several arrays of {count} rows: {listed}; name one after a colon, as "
            "FILE:NAME."
        )
    if len(kinds) == 1:
        return next(iter(kinds))
    raise DataError(
        f"{where} has no array of one row for each of the {count} images in {data}; it holds "
        f"{_listed(arrays)}."
    )


def _listed(arrays: NamedArrays) -> str:
    def described(name: str) -> str:
        kind = arrays.kind_of(name)
        return shown(name) if kind is None else f"{shown(name)} {kind[0]}"

    names = sorted(arrays.names)
    more = len(names) - MOST_LISTED
    listed = ", ".join(map(described, names[:MOST_LISTED])) or "no arrays"
    return f"{listed} and {more} more" if more > 0 else listed
