"""Heat maps as tables: each entry's level on the scale of the map's largest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEVELS = 10


@dataclass(frozen=True)
class Cell:
    """One entry: its number, and its level 0 … 10."""

    share: float
    level: int


def heat_cells(matrix: np.ndarray) -> tuple[tuple[Cell, ...], ...]:
    """Cells of a matrix of non-negative numbers; NaN and negative ones are at level 0."""
    known = np.nan_to_num(np.asarray(matrix, dtype=np.float64))
    largest = float(known.max()) if known.size and known.max() > 0 else 1.0
    return tuple(
        tuple(
            Cell(float(entry), round(LEVELS * max(0.0, level / largest)))
            for entry, level in zip(row, known_row, strict=True)
        )
        for row, known_row in zip(matrix, known, strict=True)
    )
