"""A decoder as a list of typed steps, and all else that a live walk needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import ImageArray


class NotLiveError(Exception):
    """An error for a decoder that the page cannot run; its sentence says why."""


@dataclass(frozen=True)
class Step:
    """One operation on arrays in row-major order, for one code.

    Attributes
    ----------
    operator : one of the names that `templates/assets/live.js` implements.
    inputs : earlier arrays by place: 0 is the code, n the result of step n − 1.
    shape : of the result, without the batch.
    numbers : the operator's settings, by name.
    weights : the operator's constants, by name: offset and count in `LiveDecoder.weights`.
    """

    operator: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    numbers: dict[str, tuple[float, ...]]
    weights: dict[str, tuple[int, int]]


@dataclass(frozen=True)
class LiveDecoder:
    """A decoder that the page can run; the last step's result is the image, flattened.

    Attributes
    ----------
    steps : in order.
    weights : (n,) float16, all constants one after the other.
    multiplications : of one image, in convolutions and linear layers.
    largest_error : largest |pixel with 16-bit weights − pixel| / pixel range, over `checked` codes
        of real images.
    """

    steps: tuple[Step, ...]
    weights: ImageArray
    multiplications: int
    largest_error: float
    checked: int


@dataclass(frozen=True)
class LiveWalk:
    """Everything that the live walk needs.

    Attributes
    ----------
    decoder : the decoder's steps and weights.
    units, names : the units that have a slider, by share, as in `Traversal`.
    members : the coordinates of the flattened code that move with each of them.
    codes : (rows, code_size) codes of the walk rows, in the order of `Traversal.rows`.
    means : (units,) over the fit rows.
    quantiles : (units, 5) at `LEVELS`, over the fit rows.
    distances : (rows,) squared Mahalanobis distance of each row's code.
    slopes : (rows, units) half the derivative of that distance by each unit's value.
    precision : (units, units) of the moved units, given that the others stay: for a move δ the
        distance is distances + 2 slopes·δ + δᵀ precision δ.
    largest_distance : above it a code is off data; NaN where no unit varies.
    """

    decoder: LiveDecoder
    units: tuple[int, ...]
    names: tuple[str, ...]
    members: tuple[tuple[int, ...], ...]
    codes: ImageArray
    means: np.ndarray
    quantiles: np.ndarray
    distances: np.ndarray
    slopes: np.ndarray
    precision: np.ndarray
    largest_distance: float
