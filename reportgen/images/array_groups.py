"""Named arrays in groups, as HDF5 and Zarr keep them → `ImageSet`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reportgen.autoencoder import SourceFile
from reportgen.errors import DataError
from reportgen.images.array_facts import facts_of
from reportgen.images.array_layout import find_layout
from reportgen.images.array_names import IMAGE_ARRAYS
from reportgen.images.array_set import ArrayRows, make_array_set, require_images
from reportgen.images.array_stream import choose_rows
from reportgen.images.image_set import ImageSet
from reportgen.images.open_options import OpenOptions
from reportgen.images.sliced_rows import Sliceable, SlicedRows
from reportgen.shown import shown

MOST_LISTED = 8
# Each has a name and a place in memory.
MOST_CHOSEN = 2**24
IMAGE_AXES = (3, 4)


@dataclass(frozen=True)
class StoredArray:
    """An array of a file that is opened when it is needed.

    Attributes
    ----------
    shape : the length of each axis, as the file claims.
    dtype : of numbers or words; None for anything else.
    open : function that opens it.
    chunk_rows : rows of each block that it is stored in; None where the array itself says.
    """

    shape: tuple[int, ...]
    dtype: np.dtype | None
    open: Callable[[], Sliceable]
    chunk_rows: int | None = None


class GroupArrays:
    """The arrays of one group, by their names in it; see `NamedArrays`."""

    def __init__(
        self,
        arrays: Mapping[str, StoredArray],
        where: str,
        reading: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._arrays, self._where, self._reading = arrays, where, reading

    @property
    def names(self) -> list[str]:
        """The names of all arrays."""
        return list(self._arrays)

    def kind_of(self, name: str) -> tuple[tuple[int, ...], np.dtype] | None:
        """See `NamedArrays`."""
        array = self._arrays[name]
        return None if array.dtype is None else (array.shape, array.dtype)

    def rows_of(self, name: str, rows: np.ndarray) -> np.ndarray:
        """See `NamedArrays`."""
        return self.sliced(name)[rows]

    def sliced(self, name: str) -> SlicedRows:
        """An array, of which nothing is read yet. Raises DataError."""
        array = self._arrays[name]
        with self._reading():
            opened = array.open()
        where = f"{self._where}, {shown(name)}" if name else self._where
        return SlicedRows(opened, where, array.chunk_rows, self._reading)

    def group_of(self, name: str) -> GroupArrays:
        """The arrays that stand beside one, by their own names."""
        group = f"{name.rpartition('/')[0]}/" if "/" in name else ""
        beside = {
            each[len(group) :]: array
            for each, array in self._arrays.items()
            if each.startswith(group) and "/" not in each[len(group) :]
        }
        return GroupArrays(beside, self._where, self._reading)


def open_grouped(
    path: Path,
    arrays: GroupArrays,
    options: OpenOptions,
    where: str,
    source: Callable[[], SourceFile],
) -> ImageSet:
    """The images in one array of a file, with the labels and factors beside it.

    Raises DataError beginning with `where`.
    """
    name = find_image_array(arrays, where, options.part)
    described = f"{where}, {shown(name)}" if name else where
    kind = arrays.kind_of(name)
    if kind is None:
        raise DataError(f"{described} holds no numbers; images are whole or real numbers.")
    layout = require_images(*kind, described)
    values = arrays.sliced(name)
    count = kind[0][0]
    if min(options.limit or count, count) > MOST_CHOSEN:
        raise DataError(f"{where} has {count} images; use a --limit of at most {MOST_CHOSEN}.")
    rows = choose_rows(count, options.limit, options.seed)
    beside = arrays.group_of(name)
    facts = facts_of(beside, name.rpartition("/")[2], count, rows, where)
    array = ArrayRows(values, rows, rows, count, described, facts)
    return make_array_set(path, array, layout, options, source)


def find_image_array(arrays: GroupArrays, where: str, wanted: str | None) -> str:
    """The array of images: the one wanted, or in the group wanted; else by name, else by shape.

    Raises DataError that lists the arrays where several could be the images, or none.
    """
    names = arrays.names
    if wanted is not None:
        wanted = wanted.strip("/")
        if wanted in names:
            return wanted
        names = [name for name in names if name.startswith(f"{wanted}/")]
        if not names:
            raise DataError(
                f"{where} has no array {shown(wanted)}; it holds {_listed(arrays, arrays.names)}."
            )
    fitting = [name for name in names if _holds_images(arrays, name)]
    candidates = [name for name in fitting if len(_shape(arrays, name)) in IMAGE_AXES] or fitting
    for usual in IMAGE_ARRAYS:
        found = [name for name in candidates if name.rpartition("/")[2].lower() == usual]
        if len(found) == 1:
            return found[0]
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise DataError(
            f"{where} holds no array of the shape of images, (N, H, W), (N, H, W, C) or "
            f"(N, C, H, W); it holds {_listed(arrays, names)}."
        )
    raise DataError(
        f"{where} holds {_listed(arrays, candidates)}; name the array of images after a colon, as "
        "FILE:NAME."
    )


def _shape(arrays: GroupArrays, name: str) -> tuple[int, ...]:
    kind = arrays.kind_of(name)
    return () if kind is None else kind[0]


def _holds_images(arrays: GroupArrays, name: str) -> bool:
    kind = arrays.kind_of(name)
    if kind is None or kind[1].kind not in "buif" or kind[0][:1] < (2,) or 0 in kind[0]:
        return False
    try:
        find_layout(kind[0], name)
    except DataError:
        return False
    return True


def _listed(arrays: GroupArrays, names: list[str]) -> str:
    ordered = sorted(names)
    listed = ", ".join(f"{shown(name)} {_shape(arrays, name)}" for name in ordered[:MOST_LISTED])
    more = len(ordered) - MOST_LISTED
    return (listed or "no arrays") + (f" and {more} more" if more > 0 else "")
