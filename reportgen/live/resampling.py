"""Resizing, pooling and padding as one linear map of rows and one of columns, found by probing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

TOLERANCE = 1e-5


@dataclass(frozen=True)
class Taps:
    """The lines of the input that each line of the result is a weighted sum of.

    Attributes
    ----------
    counts : for each line of the result, the number of lines that it is made of.
    places, factors : the place and the weight of each of these, one line of the result after
        the other.
    """

    counts: tuple[int, ...]
    places: tuple[int, ...]
    factors: tuple[float, ...]


def separable_weights(
    run: Callable[[Tensor], Tensor], height: int, width: int
) -> tuple[Taps, Taps] | None:
    """Return the taps of rows R and of columns C with run(x) = R x Cᵀ for planes x (n, 1, H, W).

    None where there are none, as where padding adds a number other than zero.
    """
    ones = run(torch.ones(1, 1, height, width))[0, 0]
    flat = int(ones.abs().argmax())
    row, column = divmod(flat, ones.shape[1])
    if ones[row, column] == 0:
        return None
    rows = torch.zeros(height, 1, height, width)
    rows[torch.arange(height), 0, torch.arange(height)] = 1
    columns = torch.zeros(width, 1, height, width)
    columns[torch.arange(width), 0, :, torch.arange(width)] = 1
    from_rows = run(rows)[:, 0, :, column].T
    from_columns = run(columns)[:, 0, row].T / ones[row, column]
    test = torch.rand(1, 1, height, width, generator=torch.Generator().manual_seed(0))
    if run(test).shape[1] != 1:
        return None
    made = from_rows @ test[0, 0] @ from_columns.T
    if not torch.allclose(made, run(test)[0, 0], atol=TOLERANCE, rtol=TOLERANCE):
        return None
    return _taps(from_rows), _taps(from_columns)


def _taps(matrix: Tensor) -> Taps:
    counts, places, factors = [], [], []
    for line in matrix.tolist():
        # Probing leaves rounding where there is nothing.
        used = [(place, value) for place, value in enumerate(line) if abs(value) > 1e-7]
        counts.append(len(used))
        places += [place for place, _ in used]
        factors += [value for _, value in used]
    return Taps(tuple(counts), tuple(places), tuple(factors))
