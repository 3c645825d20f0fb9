"""TIFF files of several pages or many channels, read by tifffile a page at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reportgen.errors import DataError
from reportgen.images.array_layout import MOST_CHANNELS
from reportgen.images.complaints import complaints_of
from reportgen.images.file_rows import Pages
from reportgen.images.picture import LARGEST_FILE, LARGEST_PICTURE, UnreadableImageError
from reportgen.images.within_file import WithinFile
from reportgen.shown import shown

if TYPE_CHECKING:
    import tifffile

INSTALL = "pip install 'reportgen[tiff]'"
# Axes as tifffile names them: channels and samples of a pixel make up one image.
CHANNEL_AXES, PIXEL_AXES = "CS", "YX"
WHITE_IS_ZERO, PALETTE = 0, 3
MOST_PAGES = 2**20
# Kinds of samples beside the colours: alpha that they were multiplied with, or not.
ALPHA = (1, 2)
# What tifffile says where it goes on without a part of the file.
DAMAGE = re.compile(r"invalid page offset|corrupt|truncat|missing|failed to reshape", re.I)


def is_installed() -> bool:
    """Tell whether tifffile can be imported."""
    from importlib.util import find_spec

    return find_spec("tifffile") is not None


class TiffFiles:
    """TIFF files whose pages are images; see `PageFormat`.

    Pages, planes, slices and times are images; channels and samples are channels of one image.
    """

    name = "TIFF file"
    suffixes = frozenset((".tif", ".tiff"))
    holds_one = False

    def pages(self, path: Path) -> Pages:
        """See `PageFormat`; every page is read once, to find damage."""
        with _opened(path) as series:
            layout = _layout(series)
            for row in range(layout.count):
                _image(series, layout, row)
            return Pages(layout.count, layout.shape, np.dtype(series.dtype))

    def read(self, path: Path, places: np.ndarray) -> np.ndarray:
        """See `PageFormat`."""
        with _opened(path) as series:
            layout = _layout(series)
            if len(places) and int(places.max()) >= layout.count:
                raise UnreadableImageError("it has fewer pages than it had")
            return np.stack([_image(series, layout, int(place)) for place in places])


def holds_stack(path: Path) -> bool:
    """Tell whether a TIFF file is more than a grey or colour picture: several pages, or channels.

    False where it cannot be read, which is said when it is read as a picture.
    """
    try:
        with _opened(path) as series:
            layout = _layout(series)
            beside = tuple(series.keyframe.extrasamples)
    except UnreadableImageError:
        return False
    if layout.count > 1 or len(layout.shape) == 2:
        return layout.count > 1
    has_alpha = any(kind in ALPHA for kind in beside)
    return layout.shape[0] not in ((1, 2, 3, 4) if has_alpha else (1, 3, 4))


@dataclass(frozen=True)
class _Layout:
    """The images of a series.

    Attributes
    ----------
    pages : (images, pages of one) the numbers of the pages that hold each image's channels.
    page_axes : the axes of one page.
    shape : of an image: (H, W), or (C, H, W).
    """

    pages: np.ndarray
    page_axes: str
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """The number of images."""
        return len(self.pages)


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffPageSeries]:
    """The first series of a file: the pages of one size, as the file or its metadata says."""
    try:
        import tifffile
    except ImportError as error:
        raise DataError(
            f"{shown(str(path))} is a TIFF file of several pages or channels, which is not read "
            f"without tifffile: {INSTALL}."
        ) from error
    try:
        with (
            complaints_of("tifffile") as complaints,
            WithinFile(path) as stream,
            tifffile.TiffFile(stream, name=path.name) as file,
        ):
            series = file.series[0]
            # Else pages that are not there would be left out without a word.
            for said in complaints:
                if DAMAGE.search(said):
                    raise UnreadableImageError(f"damaged: {said[:160]}")
            yield series
    except (UnreadableImageError, MemoryError):
        raise
    except Exception as error:
        # tifffile raises almost any kind on damaged files; the file is named with the reason.
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        if "imagecodecs" in reason:
            reason = "its compression needs imagecodecs: pip install imagecodecs"
            raise UnreadableImageError(reason) from error
        raise UnreadableImageError(f"damaged: {reason}") from error


def _layout(series: tifffile.TiffPageSeries) -> _Layout:
    """Raises UnreadableImageError for what is no stack of images."""
    axes, lengths = series.axes, tuple(int(n) for n in series.shape)
    inner = len(series.keyframe.shape)
    if "Y" not in axes or "X" not in axes or len(axes) != len(lengths) or inner > len(axes):
        raise UnreadableImageError(f"its axes are {axes}, without Y and X")
    by_axis = dict(zip(axes, lengths, strict=True))
    channels = prod(by_axis[axis] for axis in CHANNEL_AXES if axis in by_axis)
    height, width = by_axis["Y"], by_axis["X"]
    if height * width > LARGEST_PICTURE or channels > MOST_CHANNELS:
        raise UnreadableImageError(
            f"{width}×{height} pixels of {channels} channels, more than are read"
        )
    if series.keyframe.photometric == PALETTE:
        raise UnreadableImageError("its pages have palettes; save them as colours")
    if prod(lengths[: len(axes) - inner]) > MOST_PAGES:
        raise UnreadableImageError("it claims more pages than are read")
    outer, outer_axes = lengths[: len(axes) - inner], axes[: len(axes) - inner]
    page_axes = axes[len(axes) - inner :]
    if any(axis not in PIXEL_AXES + CHANNEL_AXES for axis in page_axes):
        raise UnreadableImageError(f"its pages have the axes {page_axes}")
    has_channels = any(axis in axes for axis in CHANNEL_AXES)
    shape = (channels, height, width) if has_channels else (height, width)
    numbers = np.arange(prod(outer)).reshape(outer)
    of_one = [i for i, axis in enumerate(outer_axes) if axis in CHANNEL_AXES]
    others = [i for i in range(len(outer)) if i not in of_one]
    count = prod(outer[i] for i in others)
    pages = numbers.transpose(*others, *of_one).reshape(count, -1)
    return _Layout(pages, page_axes, shape)


def _image(series: tifffile.TiffPageSeries, layout: _Layout, row: int) -> np.ndarray:
    """One image, of the layout's shape."""
    planes = [_page(series, layout, page) for page in layout.pages[row].tolist()]
    image = np.concatenate(planes) if len(layout.shape) == 3 else planes[0][0]
    if image.shape != layout.shape:
        raise UnreadableImageError("a page has another size than the others")
    return image


def _page(series: tifffile.TiffPageSeries, layout: _Layout, number: int) -> np.ndarray:
    """A page as (channels of it, H, W); white is its highest number."""
    if len(series.pages) == layout.pages.size:
        page = series.pages[number]
        values = None if page is None else page.asarray()
    elif series.size * series.dtype.itemsize <= LARGEST_FILE:
        # One description for all pages, as ImageJ writes large stacks.
        values = series.asarray().reshape(-1, *series.keyframe.shape)[number]
    else:
        raise UnreadableImageError("its pages cannot be read one by one, and are too large")
    if values is None or values.ndim != len(layout.page_axes):
        raise UnreadableImageError("a page is missing, or has other axes than the first")
    order = [layout.page_axes.index(axis) for axis in layout.page_axes if axis in CHANNEL_AXES]
    order += [layout.page_axes.index(axis) for axis in PIXEL_AXES]
    planes = values.transpose(order).reshape(-1, *values.transpose(order).shape[-2:])
    if series.keyframe.photometric == WHITE_IS_ZERO and planes.dtype.kind == "u":
        planes = np.iinfo(planes.dtype).max - planes
    return planes
