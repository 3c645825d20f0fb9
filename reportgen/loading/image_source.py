"""What loading needs of a set of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

SAMPLED_ROWS = 64


class ImageSource(Protocol):
    """The part of `reportgen.images.ImageSet` that loading uses."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """One name for each image."""
        ...

    def __len__(self) -> int: ...

    def read(self, rows: Sequence[int]) -> np.ndarray:
        """Rows → (n, C, H, W) float32 on the data's pixel scale."""
        ...


def sample_rows(count: int) -> list[int]:
    """At most SAMPLED_ROWS row numbers, evenly spaced over all `count`."""
    chosen = min(count, SAMPLED_ROWS)
    return sorted({round(row) for row in np.linspace(0, count - 1, chosen)})
