"""The meaning of an array's axes: images first, channels before or behind the pixels."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np

from reportgen.errors import DataError

CHANNELS = (1, 3, 4)
MOST_CHANNELS = 64


@dataclass(frozen=True)
class ArrayLayout:
    """The order of an array's axes, by which its rows become images.

    Attributes
    ----------
    name : the axes as they lie in the file, such as "N, H, W, C".
    shape : (C, H, W) of one image.
    channels_last : whether the channels lie behind the pixels.
    """

    name: str
    shape: tuple[int, int, int]
    channels_last: bool = False

    def to_images(self, rows: np.ndarray) -> np.ndarray:
        """(n, …) rows as stored → (n, C, H, W), a view where possible."""
        if self.channels_last:
            return rows.transpose(0, 3, 1, 2)
        return rows.reshape(len(rows), *self.shape)


def find_layout(shape: tuple[int, ...], where: str, *, several: bool = False) -> ArrayLayout:
    """The layout of an array of this shape; with `several`, its first axis is known to be images.

    Raises DataError beginning with `where`.
    """
    if len(shape) == 4:
        _, first, middle, last = shape
        # PyTorch's own order wins where both would do.
        if first in CHANNELS:
            return ArrayLayout("N, C, H, W", (first, middle, last))
        if last in CHANNELS:
            return ArrayLayout("N, H, W, C", (last, first, middle), channels_last=True)
        # Other numbers of channels are told by being fewer than the pixels of either side.
        if 1 < first <= MOST_CHANNELS and first < min(middle, last):
            return ArrayLayout("N, C, H, W", (first, middle, last))
        if 1 < last <= MOST_CHANNELS and last < min(first, middle):
            return ArrayLayout("N, H, W, C", (last, first, middle), channels_last=True)
    elif len(shape) == 3:
        channels_last = shape[2] in CHANNELS and shape[1] != shape[2]
        if not several and (shape[0] in CHANNELS or channels_last):
            raise DataError(
                f"{where} has shape {_written(shape)}, which looks like one image; "
                "a report needs at least two, as (N, C, H, W) or (N, H, W, C)."
            )
        return ArrayLayout("N, H, W", (1, shape[1], shape[2]))
    elif len(shape) == 2 and shape[1] > 1:
        for channels, axes in ((1, ""), (3, "3·")):
            side = isqrt(shape[1] // channels)
            if channels * side**2 == shape[1]:
                return ArrayLayout(f"N, {axes}{side}·{side}", (channels, side, side))
        raise DataError(
            f"{where} has shape {_written(shape)}: flat images of {shape[1]} numbers are neither "
            "grey nor colour squares; save them as (N, H, W) or (N, C, H, W)."
        )
    raise DataError(
        f"{where} has shape {_written(shape)}; images are (N, H, W), (N, H, W, C) or (N, C, H, W) "
        f"with 1 to {MOST_CHANNELS} channels, fewer than the pixels of a side unless 1, 3 or 4."
    )


def _written(shape: tuple[int, ...]) -> str:
    return f"({', '.join(str(size) for size in shape)}{',' if len(shape) == 1 else ''})"
