"""An array of images, from a file of any kind → `ImageSet`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

import numpy as np

from reportgen.autoencoder import Note, SourceFile
from reportgen.errors import DataError
from reportgen.images.array_facts import ArrayFacts
from reportgen.images.array_layout import ArrayLayout, find_layout
from reportgen.images.array_stream import (
    ArrayHeader,
    RowsOnDisk,
    choose_rows,
    read_rows,
    require_complete,
    rows_to_read,
)
from reportgen.images.checksum import file_source
from reportgen.images.image_set import ImageSet
from reportgen.images.open_options import OpenOptions
from reportgen.images.picture_notes import choice_note, class_note, size_notes
from reportgen.images.pixel_scale import PixelScale, find_scale, summarise
from reportgen.images.places import Places
from reportgen.images.resizing import cover
from reportgen.shown import shown

BLOCK_BYTES = 16 * 2**20


class AnyRows(Protocol):
    """Rows of an array that come into memory when they are asked for by their numbers."""

    @property
    def dtype(self) -> np.dtype:
        """Their type."""
        ...

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """(n,) row numbers → (n, …) values."""
        ...


@dataclass(frozen=True)
class ArrayRows:
    """Rows of an array of images.

    Attributes
    ----------
    values : (rows in the file or n, …) as stored, in memory or elsewhere.
    places : (n,) the place of each chosen image in `values`.
    rows : (n,) its row number in the file.
    count : number of rows in the file.
    facts : the class names and factors beside them.
    description : the array's name and its file's, for sentences.
    unreadable : how many more were chosen, and cannot be read.
    """

    values: np.ndarray | AnyRows
    places: np.ndarray
    rows: np.ndarray
    count: int
    description: str
    facts: ArrayFacts = field(default_factory=ArrayFacts)
    unreadable: int = 0

    @classmethod
    def chosen(
        cls,
        path: Path,
        header: ArrayHeader,
        options: OpenOptions,
        where: str,
        stream: IO[bytes] | None = None,
    ) -> ArrayRows:
        """The rows that were asked for: left on disk, or read out of a compressed stream.

        Raises DataError beginning with `where`.
        """
        count = header.shape[0]
        if stream is None:
            require_complete(header, path.stat().st_size, where)
            rows = choose_rows(count, options.limit, options.seed)
            return cls(RowsOnDisk(path, header), rows, rows, count, where)
        rows = rows_to_read(header, options, where)
        values = read_rows(stream, header, rows, where)
        return cls(values, np.arange(len(rows)), rows, count, where)


class ArrayStore:
    """Pixels of chosen rows; see `PixelStore`."""

    def __init__(
        self,
        array: ArrayRows,
        layout: ArrayLayout,
        scale: PixelScale,
        size: tuple[int, int] | None,
    ) -> None:
        self._array = array
        self._layout = layout
        self._scale = scale
        self._size = size

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(n,) row numbers → (n, C, H, W) float32."""
        stored = self._array.values[self._array.places[rows]]
        images = self._scale.apply(self._layout.to_images(stored))
        if self._size not in (None, images.shape[2:]):
            return np.stack([cover(image, self._size) for image in images])
        return np.ascontiguousarray(images)


def require_images(
    shape: tuple[int, ...], dtype: np.dtype, where: str, *, several: bool = False
) -> ArrayLayout:
    """The layout of an array that can hold images; see `find_layout`.

    Raises DataError beginning with `where`.
    """
    if dtype.kind not in "buif":
        raise DataError(f"{where} holds {dtype} values; images are whole or real numbers.")
    layout = find_layout(shape, where, several=several)
    if shape[0] < 2:
        raise DataError(f"{where} holds {_images(shape[0])}; a report needs at least two.")
    if 0 in shape:
        raise DataError(f"{where} has shape {shape}: its images have no pixels.")
    return layout


def make_array_set(
    path: Path,
    array: ArrayRows,
    layout: ArrayLayout,
    options: OpenOptions,
    source: Callable[[], SourceFile] | None = None,
) -> ImageSet:
    """Find the pixel scale, and refuse NaN and infinity, in one pass over the chosen rows.

    `source` tells what was read; by default, that is the file.
    """
    name = shown(path.name)
    return array_set_and_scale(
        array,
        layout,
        options,
        names=tuple(f"{name}[{row}]" for row in array.rows),
        source=source or (lambda: file_source(path)),
    )[0]


def array_set_and_scale(
    array: ArrayRows,
    layout: ArrayLayout,
    options: OpenOptions,
    *,
    names: tuple[str, ...],
    source: Callable[[], SourceFile],
    on_block: Callable[[np.ndarray], None] = lambda block: None,
    scale: PixelScale | None = None,
) -> tuple[ImageSet, PixelScale]:
    """An array as images on their pixel scale, which is found in one pass, or given as `scale`.

    `source` is called after that pass, in which `on_block` gets every block of rows. Raises
    DataError for NaN and infinity.
    """

    def bad_row(place: int) -> DataError:
        row = array.rows[place]
        return DataError(
            f"{array.description}: image {row} holds NaN or infinity; remove it or mend its pixels."
        )

    found = find_scale(array.values.dtype, summarise(_blocks(array, on_block), bad_row))
    scale = scale or found
    notes = [
        choice_note(
            array.count, len(array.rows) + array.unreadable, options.seed, array.unreadable
        ),
        Note("layout", f"{array.description}: read as {layout.name}."),
        Note("scaling", f"{array.values.dtype} {scale.sentence}"),
    ]
    if array.facts.labels is not None:
        notes.append(class_note(array.facts.labels, array.facts.origin))
    notes += array.facts.notes
    channels, height, width = layout.shape
    if options.size is not None:
        notes += size_notes({(height, width): len(array.rows)}, options.size)
        height, width = options.size
    images = ImageSet(
        shape=(channels, height, width),
        names=names,
        labels=array.facts.labels,
        factors=array.facts.factors,
        pixel_range=scale.pixel_range,
        source=source(),
        notes=tuple(notes),
        pixels=ArrayStore(array, layout, scale, options.size),
        places=lambda: Places(array.rows, array.count),
    )
    return images, scale


def _blocks(
    array: ArrayRows, on_block: Callable[[np.ndarray], None]
) -> Iterator[tuple[int, np.ndarray]]:
    row_bytes = array.values[array.places[:1]].nbytes
    step = max(1, BLOCK_BYTES // row_bytes)
    for start in range(0, len(array.places), step):
        block = array.values[array.places[start : start + step]]
        on_block(block)
        yield start, block


def _images(count: int) -> str:
    return "no images" if count == 0 else "one image"
