"""The same images in other channels, where nothing is lost by it: grey as colour, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from reportgen.autoencoder import Note
from reportgen.errors import DataError
from reportgen.images.image_set import ImageSet, PixelStore

COLOURS = 3
# A batch of this many numbers is looked through at once.
LOOKED_THROUGH = 2**22


@dataclass(frozen=True)
class FewerChannels:
    """Pixels of the first `count` channels of another store; see `PixelStore`."""

    pixels: PixelStore
    count: int

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(n,) row numbers → (n, count, H, W) float32."""
        return np.ascontiguousarray(self.pixels.read(rows)[:, : self.count])


@dataclass(frozen=True)
class RepeatedChannel:
    """Pixels of a grey store, the same in three channels; see `PixelStore`."""

    pixels: PixelStore

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(n,) row numbers → (n, 3, H, W) float32."""
        return np.repeat(self.pixels.read(rows), COLOURS, axis=1)


def in_all_channels(images: ImageSet) -> Iterator[ImageSet]:
    """Yield the images as they are, then in every other number of channels that loses nothing.

    Grey ones are repeated in three channels, as torchvision's `ImageFolder` does; of colours that
    are all grey one channel is kept; an alpha that is white throughout is left out, and one that a
    picture file has is kept as the fourth.
    """
    yield images
    if images.with_alpha is not None:
        yield images.with_alpha()
    channels = images.shape[0]
    if channels == 1:
        text = "The grey images were repeated in three channels, as the model takes colours."
        yield _changed(images, COLOURS, RepeatedChannel(images.pixels), text)
    if channels == COLOURS + 1 and _is_opaque(images):
        text = "All images are opaque: the fourth channel was left out, as the model takes none."
        images = _changed(images, COLOURS, FewerChannels(images.pixels, COLOURS), text)
        yield images
    if images.shape[0] == COLOURS and _is_grey(images):
        text = (
            "Red, green and blue are the same in all images: one channel was kept, as the model "
            "takes one."
        )
        yield _changed(images, 1, FewerChannels(images.pixels, 1), text)


def in_channels(images: ImageSet, count: int, where: str) -> ImageSet:
    """The images in so many channels. Raises DataError, beginning with `where`."""
    for each in in_all_channels(images):
        if each.shape[0] == count:
            return each
    raise DataError(
        f"{where}: its images have {images.shape[0]} channels, and those of DATA are given to the "
        f"model with {count}; convert them."
    )


def _changed(images: ImageSet, channels: int, pixels: PixelStore, text: str) -> ImageSet:
    return replace(
        images,
        shape=(channels, *images.shape[1:]),
        pixels=pixels,
        with_alpha=None,
        notes=(*images.notes, Note("channels", text)),
    )


def _is_opaque(images: ImageSet) -> bool:
    return all(bool((batch[:, COLOURS] == images.pixel_range[1]).all()) for batch in _all(images))


def _is_grey(images: ImageSet) -> bool:
    return all(bool((batch == batch[:, :1]).all()) for batch in _all(images))


def _all(images: ImageSet) -> Iterator[np.ndarray]:
    size = max(1, LOOKED_THROUGH // int(np.prod(images.shape)))
    return (batch for _, batch in images.batches(size))
