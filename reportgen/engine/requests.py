"""Requests to an engine: codes to decode, and images with their labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from reportgen.engine.batches import Span

if TYPE_CHECKING:
    from torch import Tensor


class Codes(Protocol):
    """Codes (n, code_size), as an array or made when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> np.ndarray: ...


@dataclass(frozen=True)
class Request:
    """Codes that were asked for.

    Attributes
    ----------
    images : (n, P) one for each code, once all is finished.
    firsts : (n,) the place of the first code that equals each.
    decoded : how many codes are decoded.
    charged_to : the analysis that asked.
    spans : when each batch started and ended; going through them waits for the images.
    """

    images: np.ndarray
    firsts: np.ndarray
    decoded: int
    charged_to: str
    spans: Iterable[Span]


def with_labels(
    function: Callable[..., Tensor],
    images: np.ndarray,
    labels: np.ndarray | None,
    shape: tuple[int, ...],
) -> tuple[Callable[[Tensor], Tensor], np.ndarray, tuple[int, ...]]:
    """A function of images with their labels behind them, such images, and the shape of one."""
    assert labels is not None, "a conditional model takes labels"
    flat = images.reshape(len(images), -1)
    packed = np.column_stack([flat, labels.astype(np.float32)])

    def run(values: Tensor) -> Tensor:
        return function(values[:, :-1].reshape(-1, *shape), values[:, -1].long())

    return run, packed, packed.shape[1:]


def first_equals(codes: np.ndarray) -> np.ndarray:
    """(n,) for each code (n, code_size) the place of the first that has the same bytes."""
    places: dict[bytes, int] = {}
    found = (places.setdefault(code.tobytes(), place) for place, code in enumerate(codes))
    return np.fromiter(found, np.intp, len(codes))
