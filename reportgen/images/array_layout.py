"""The meaning of an array's axes: images first, channels before or behind the pixels."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np

from reportgen.errors import DataError

CHANNELS = (1, 3, 4)


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


def find_layout(shape: tuple[int, ...], where: str) -> ArrayLayout:
    """The layout of an array of this shape. Raises DataError beginning with `where`."""
    if len(shape) == 4:
        _, first, middle, last = shape
        # PyTorch's own order wins where both would do.
        if first in CHANNELS:
            return ArrayLayout("N, C, H, W", (first, middle, last))
        if last in CHANNELS:
            return ArrayLayout("N, H, W, C", (last, first, middle), channels_last=True)
    elif len(shape) == 3:
        channels_last = shape[2] in CHANNELS and shape[1] != shape[2]
        if shape[0] in CHANNELS or channels_last:
            raise DataError(
                f"{where} has shape {_written(shape)}, which looks like one image; "
                "a report needs at least two, as (N, C, H, W) or (N, H, W, C)."
            )
        return ArrayLayout("N, H, W", (1, shape[1], shape[2]))
    elif len(shape) == 2 and shape[1] > 1 and isqrt(shape[1]) ** 2 == shape[1]:
        side = isqrt(shape[1])
        return ArrayLayout(f"N, {side}·{side}", (1, side, side))
    raise DataError(
        f"{where} has shape {_written(shape)}; images are (N, H, W), (N, H, W, C) or (N, C, H, W) "
        "with 1, 3 or 4 channels."
    )


def _written(shape: tuple[int, ...]) -> str:
    return f"({', '.join(str(size) for size in shape)}{',' if len(shape) == 1 else ''})"
