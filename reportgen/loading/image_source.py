"""The interface of a set of images as loading uses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

SAMPLED_ROWS = 64
FEWEST_ROWS = 8
# Models of large images are slow, and a few of those say as much about scaling.
SAMPLED_VALUES = 64 * 64 * 64 * 3


class ImageSource(Protocol):
    """The part of `reportgen.images.ImageSet` that loading uses."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image."""
        ...

    def __len__(self) -> int: ...

    def read(self, rows: Sequence[int]) -> np.ndarray:
        """Rows → (n, C, H, W) float32 on the data's pixel scale."""
        ...


def sample_rows(count: int, values: int, most: int = SAMPLED_ROWS) -> list[int]:
    """Up to `most` row numbers, evenly spaced over `count` images of `values` numbers."""
    wanted = min(most, max(FEWEST_ROWS, SAMPLED_VALUES // values))
    chosen = min(count, wanted)
    return sorted({round(row) for row in np.linspace(0, count - 1, chosen)})
