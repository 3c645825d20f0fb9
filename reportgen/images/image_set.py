"""`ImageSet`: the images a model is studied on, read in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from reportgen.autoencoder import Note, SourceFile
from reportgen.images.places import Places

Factors = dict[str, tuple[float, ...] | tuple[str, ...]]


class PixelStore(Protocol):
    """The source of an `ImageSet`'s pixels: memory, picture files or an array on disk."""

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(n,) row numbers → (n, C, H, W) float32 pixels on the set's scale."""
        ...


@dataclass(frozen=True)
class SkippedImage:
    """An image that could not be read, with the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class ImageSet:
    """At least two images of one shape, with what is known of each.

    Attributes
    ----------
    shape : (C, H, W) of every image; C is 1, 3 or 4.
    names : (n,) paths relative to the folder, or "file.npy[17]" for row 17 of an array. Characters
        that cannot be shown are escaped.
    pixels : the store from which `read` takes its pixels.
    labels : (n,) class names, or None where no classes are known.
    factors : columns of `labels.csv`, of --labels, or of an array beside the images, each (n,):
        floats (NaN where a cell is empty or the image has no line) or, where a cell is no number,
        strings ("" likewise). None without any.
    pixel_range : (low, high) of the pixel scale, for display: (0, 1) for ordinary images.
    source : the folder or file; its size and SHA-256 cover what was read (see docs/data.md).
    notes : what was found and how it was read, for the report's provenance.
    skipped : images that could not be read, in the order of their names.
    places : function that says where the images stand among all of the data.
    with_alpha : function that reads the same pictures with their transparency as a fourth channel;
        None where there is none, or it is there already.
    """

    shape: tuple[int, int, int]
    names: tuple[str, ...]
    labels: tuple[str, ...] | None
    factors: Factors | None
    pixel_range: tuple[float, float]
    source: SourceFile
    notes: tuple[Note, ...] = ()
    skipped: tuple[SkippedImage, ...] = ()
    pixels: PixelStore = field(kw_only=True, repr=False)
    places: Callable[[], Places] | None = field(default=None, kw_only=True, repr=False)
    with_alpha: Callable[[], ImageSet] | None = field(default=None, kw_only=True, repr=False)

    def __len__(self) -> int:
        return len(self.names)

    def read(self, rows: Sequence[int] | np.ndarray | slice) -> np.ndarray:
        """Rows → (n, C, H, W) float32, on the scale of `pixel_range`.

        Raises DataError where a file has changed since it was opened.
        """
        return self.pixels.read(np.arange(len(self), dtype=np.intp)[rows])

    def batches(self, size: int) -> Iterator[tuple[range, np.ndarray]]:
        """All images in order, `size` at a time: (row numbers, (n, C, H, W) float32)."""
        for start in range(0, len(self), size):
            rows = range(start, min(start + size, len(self)))
            yield rows, self.read(slice(rows.start, rows.stop))
