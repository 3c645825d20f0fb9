"""Images and differences of images in a figure's axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reportgen.figures.colours import around_grey, diverging

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GREY = 1


class PicturePainter:
    """Draws flat pictures of `shape` (C, h, w), images on the data's `pixel_range`."""

    def __init__(self, shape: tuple[int, int, int], pixel_range: tuple[float, float]) -> None:
        self._shape, self._range = shape, pixel_range

    def image(self, axes: Axes, picture: np.ndarray, title: str = "") -> None:
        """An image."""
        low, high = self._range
        unit = np.clip((self._arranged(picture) - low) / (high - low), 0, 1)
        _show(axes, unit, title)

    def difference(self, axes: Axes, picture: np.ndarray, limit: float, title: str = "") -> None:
        """A signed picture: blue to orange where images are grey, else around mid-grey."""
        signed = self._arranged(picture) / limit
        is_grey = signed.ndim == 2
        _show(axes, (diverging(signed) if is_grey else around_grey(signed)) / 255, title)

    def _arranged(self, picture: np.ndarray) -> np.ndarray:
        channels = np.asarray(picture, dtype=np.float64).reshape(self._shape)
        return channels[0] if len(channels) == GREY else channels[:3].transpose(1, 2, 0)


def _show(axes: Axes, picture: np.ndarray, title: str) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title, pad=2)


def limit_of(*pictures: np.ndarray) -> float:
    """The largest absolute value, the end of a signed scale; 1 where all are 0."""
    largest = max(float(np.abs(picture).max(initial=0)) for picture in pictures)
    return largest or 1.0
