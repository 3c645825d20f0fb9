"""An array of images, from whatever file, → `ImageSet`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reportgen.autoencoder import Note
from reportgen.errors import DataError
from reportgen.images.array_layout import ArrayLayout, find_layout
from reportgen.images.checksum import file_source
from reportgen.images.image_set import ImageSet
from reportgen.images.names import shown
from reportgen.images.picture_notes import choice_note, class_note
from reportgen.images.pixel_scale import PixelScale, find_scale, summarise

BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True)
class ArrayRows:
    """Rows of an array of images.

    Attributes
    ----------
    values : (rows in the file or n, …) as stored, perhaps on disk.
    places : (n,) where each chosen image is in `values`.
    rows : (n,) its row number in the file.
    count : rows in the file.
    labels : (n,) class names, or None.
    description : which array of which file, for sentences.
    """

    values: np.ndarray
    places: np.ndarray
    rows: np.ndarray
    count: int
    labels: tuple[str, ...] | None
    description: str


class ArrayStore:
    """Pixels of chosen rows; see `PixelStore`."""

    def __init__(self, array: ArrayRows, layout: ArrayLayout, scale: PixelScale) -> None:
        self._array = array
        self._layout = layout
        self._scale = scale

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(n,) row numbers → (n, C, H, W) float32."""
        stored = self._array.values[self._array.places[rows]]
        return np.ascontiguousarray(self._scale.apply(self._layout.to_images(stored)))


def require_images(shape: tuple[int, ...], dtype: np.dtype, where: str) -> ArrayLayout:
    """The layout of an array that can hold images. Raises DataError beginning with `where`."""
    if dtype.kind not in "buif":
        raise DataError(f"{where} holds {dtype} values; images are whole or real numbers.")
    layout = find_layout(shape, where)
    if shape[0] < 2:
        raise DataError(f"{where} holds {_images(shape[0])}; a report needs at least two.")
    if 0 in shape:
        raise DataError(f"{where} has shape {shape}: its images have no pixels.")
    return layout


def make_array_set(path: Path, array: ArrayRows, layout: ArrayLayout, seed: int) -> ImageSet:
    """Find the pixel scale, and refuse NaN and infinity, in one pass over the chosen rows."""

    def bad_row(place: int) -> DataError:
        row = array.rows[place]
        return DataError(
            f"{array.description}: image {row} holds NaN or infinity; remove it or mend its pixels."
        )

    scale = find_scale(array.values.dtype, summarise(_blocks(array), bad_row))
    name = shown(path.name)
    notes = [
        choice_note(array.count, len(array.rows), seed),
        Note("layout", f"{array.description} was read as {layout.name}."),
        Note("scaling", f"{array.values.dtype} {scale.sentence}"),
    ]
    if array.labels is not None:
        notes.append(class_note(array.labels, "the file's labels"))
    return ImageSet(
        shape=layout.shape,
        names=tuple(f"{name}[{row}]" for row in array.rows),
        labels=array.labels,
        factors=None,
        pixel_range=scale.pixel_range,
        source=file_source(path),
        notes=tuple(notes),
        pixels=ArrayStore(array, layout, scale),
    )


def _blocks(array: ArrayRows) -> Iterator[tuple[int, np.ndarray]]:
    row_bytes = array.values[:1].nbytes
    step = max(1, BLOCK_BYTES // row_bytes)
    for start in range(0, len(array.places), step):
        yield start, array.values[array.places[start : start + step]]


def _images(count: int) -> str:
    return "no images" if count == 0 else "one image"
