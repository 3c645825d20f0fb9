"""Many picture files of one size: headers first, then each decoded once and kept while it fits."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import numpy as np

from reportgen.errors import DataError
from reportgen.images.checksum import FilesChecksum
from reportgen.images.image_set import SkippedImage
from reportgen.images.picture import (
    Header,
    UnreadableImageError,
    read_header,
    read_pixels,
    to_unit_interval,
    without_pillow_warnings,
)
from reportgen.images.pixel_scale import PixelScale, ValueSummary, find_scale
from reportgen.images.resizing import cover
from reportgen.shown import shown

KEPT_BYTES = 512 * 2**20


class SizesDifferError(DataError):
    """An error for images that are not all of one size."""


class PictureFiles(Protocol):
    """The place where picture files are: a folder, or an archive."""

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a file of this name."""
        ...

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """The file's bytes, seekable. Raises UnreadableImageError."""
        ...


class PictureStore:
    """Pixels of equally large pictures: those decoded first are in memory, the rest in files."""

    def __init__(
        self,
        files: PictureFiles,
        headers: Mapping[str, Header],
        kept: np.ndarray,
        names: Sequence[str],
        checksum: FilesChecksum,
        scale: PixelScale | None = None,
    ) -> None:
        self._files = files
        self._scale = scale
        self._headers = headers
        self._kept = kept
        self._names = names
        self._checksum = checksum

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(n,) row numbers → (n, C, H, W) float32 on the set's scale; see `PixelStore`."""
        images = self._unscaled(rows)
        return images if self._scale is None else self._scale.apply(images)

    def _unscaled(self, rows: np.ndarray) -> np.ndarray:
        in_memory = rows < len(self._kept)
        if in_memory.all():
            return to_unit_interval(self._kept[rows])
        images = np.empty((len(rows), *self._kept.shape[1:]), np.float32)
        images[in_memory] = to_unit_interval(self._kept[rows[in_memory]])
        with without_pillow_warnings():
            for place in np.flatnonzero(~in_memory):
                images[place] = to_unit_interval(self._decoded_again(self._names[rows[place]]))
        return images

    def _decoded_again(self, name: str) -> np.ndarray:
        try:
            with self._files.open(name) as stream:
                content = stream.read()
            if not self._checksum.matches(name, content):
                raise UnreadableImageError("its content is not what it was")
            return _decoded(content, self._headers[name], self._kept)
        except UnreadableImageError as error:
            raise DataError(
                f"{shown(name)} changed while the report was being made ({error}); start again."
            ) from error


@dataclass(frozen=True)
class PictureSet:
    """The pictures that can be used, in the order given.

    Attributes
    ----------
    shape : (C, H, W); C is 1 where every picture is greyscale, else 3.
    names, headers : (n,) file name and header of each picture that can be used.
    pixels : the store that reads their pixels.
    checksum : over the files of these pictures.
    skipped : the pictures that cannot be used, each with its reason.
    scale : the scale of floating-point pixels, as of an array's; None where there are others.
    """

    shape: tuple[int, int, int]
    names: tuple[str, ...]
    headers: tuple[Header, ...]
    pixels: PictureStore
    checksum: FilesChecksum
    skipped: tuple[SkippedImage, ...]
    scale: PixelScale | None = None


def read_picture_set(
    files: PictureFiles,
    names: Sequence[str],
    where: str,
    *,
    size: tuple[int, int] | None = None,
    alpha: bool = False,
    kept_bytes: int = KEPT_BYTES,
) -> PictureSet:
    """Read every header, then decode every file once, so that a damaged file is found now.

    With a `size`, (height, width), pictures of other sizes are scaled to cover it and cropped.
    With `alpha`, every picture has four channels.
    Raises DataError, beginning with `where`, if sizes differ (from headers alone) or fewer than two
    pictures can be read.
    """
    with without_pillow_warnings():
        headers, skipped = _read_headers(files, names)
        if size is None:
            _require_one_size(headers, where)
        kept = _room_for(headers.values(), size, alpha, kept_bytes)
        checksum = FilesChecksum()
        good: list[str] = []
        floats = _Floats(headers.values())
        for name, header in headers.items():
            try:
                with files.open(name) as stream:
                    content = stream.read()
                pixels = _decoded(content, header, kept)
                floats.see(pixels, header)
            except UnreadableImageError as error:
                skipped[name] = str(error)
                continue
            checksum.add(name, content)
            if len(good) < len(kept):
                kept[len(good)] = pixels
            good.append(name)
    if len(good) < 2:
        raise DataError(_too_few(good, skipped, where))
    scale = floats.scale()
    return PictureSet(
        shape=kept.shape[1:],
        names=tuple(good),
        headers=tuple(headers[name] for name in good),
        pixels=PictureStore(files, headers, kept[: len(good)], good, checksum, scale),
        checksum=checksum,
        skipped=tuple(
            SkippedImage(shown(name), skipped[name]) for name in names if name in skipped
        ),
        scale=scale,
    )


class _Floats:
    """The values of floating-point pictures, whose scale their files do not say."""

    def __init__(self, headers: Iterable[Header]) -> None:
        self._alone = all(header.dtype == np.float32 for header in headers)
        self._low, self._high, self._whole = np.inf, -np.inf, True

    def see(self, pixels: np.ndarray, header: Header) -> None:
        """Raises UnreadableImageError for one beyond [0, 1] among pictures of other depths."""
        if header.dtype != np.float32:
            return
        low, high = float(pixels.min()), float(pixels.max())
        if not self._alone and not (low >= 0 and high <= 1):
            raise UnreadableImageError(
                "its floating-point pixels are not all between 0 and 1, and other pictures have "
                "whole numbers"
            )
        self._low, self._high = min(self._low, low), max(self._high, high)
        self._whole = self._whole and bool((pixels == np.rint(pixels)).all())

    def scale(self) -> PixelScale | None:
        """The scale of all, as of an array of these values; None where others are among them."""
        if not self._alone:
            return None
        values = ValueSummary(self._low, self._high, self._whole)
        return find_scale(np.dtype(np.float32), values)


def _decoded(content: bytes, header: Header, like: np.ndarray) -> np.ndarray:
    pixels = read_pixels(io.BytesIO(content), header, like.shape[1], like.dtype)
    return cover(pixels, like.shape[2:])


def _read_headers(
    files: PictureFiles, names: Iterable[str]
) -> tuple[dict[str, Header], dict[str, str]]:
    headers, skipped = {}, {}
    # Most headers are alike, and a million of them are held once.
    known: dict[Header, Header] = {}
    for name in names:
        try:
            with files.open(name) as stream:
                header = read_header(stream)
            headers[name] = known.setdefault(header, header)
        except UnreadableImageError as error:
            skipped[name] = str(error)
    return headers, skipped


def _require_one_size(headers: Mapping[str, Header], where: str) -> None:
    sizes = {name: f"{header.width}×{header.height}" for name, header in headers.items()}
    counts = Counter(sizes.values())
    if len(counts) < 2:
        return
    (usual, count), *_ = counts.most_common()
    first = next(name for name, size in sizes.items() if size == usual)
    other = next(name for name, size in sizes.items() if size != usual)
    raise SizesDifferError(
        f"{where}: the images differ in size: {shown(other)} has {sizes[other]} pixels, "
        f"{shown(first)} has {usual}, as {count} of {len(sizes)} images have; resize them to one "
        "size, or say --resize HEIGHT,WIDTH."
    )


def _room_for(
    headers: Iterable[Header], size: tuple[int, int] | None, alpha: bool, kept_bytes: int
) -> np.ndarray:
    """An empty array for as many decoded pictures as `kept_bytes` hold, in their widest depth."""
    headers = list(headers)
    if not headers:
        return np.empty((0, 1, 1, 1), np.uint8)
    channels = 4 if alpha else max(header.channels for header in headers)
    dtype = max((header.dtype for header in headers), key=lambda dtype: dtype.itemsize)
    height, width = size or (headers[0].height, headers[0].width)
    count = min(len(headers), kept_bytes // (channels * height * width * dtype.itemsize))
    return np.empty((count, channels, height, width), dtype)


def _too_few(good: Sequence[str], skipped: Mapping[str, str], where: str) -> str:
    if not skipped:
        return f"{where}: one image is too few; a report needs at least two."
    name, reason = next(iter(skipped.items()))
    if good:
        many = f"only {shown(good[0])} can be read of {len(skipped) + 1} images, and a report needs"
        return f"{where}: {many} at least two; {shown(name)}: {reason}."
    if len(skipped) == 1:
        return f"{where}: the only image, {shown(name)}, cannot be read: {reason}."
    return f"{where}: none of the {len(skipped)} images can be read; {shown(name)}: {reason}."
