"""Paths of single rows: a unit's contribution is what the image changes while the unit moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from reportgen.engine import Coalitions, CodePanel, CodeParts
from reportgen.statistics.blocks import cached_columns, over_pixels

if TYPE_CHECKING:
    from scipy.sparse import csc_array

Walks = Literal[1, 2]


@dataclass(frozen=True)
class RowPath:
    """One row's path.

    Attributes
    ----------
    contributions : (players, P) float64 φ.
    change : (P,) float64 Δ = x̂ − g(z0).
    """

    contributions: np.ndarray
    change: np.ndarray


def row_paths(
    coalitions: Coalitions | CodeParts,
    codes: np.ndarray,
    steps: int,
    orders: Sequence[np.ndarray],
    walks: Walks = 2,
) -> Iterator[RowPath]:
    """The path of each code (n, code_size), in M = `steps` steps.

    Walk A takes the row's order on even steps and its reverse on odd ones; walk B, which is left
    out where there is to be but one, the opposite.
    """
    paths = coalitions.paths(codes, steps, orders)
    if walks == 1:
        paths = _first_walk(paths, len(coalitions.players), steps)
    decoded = coalitions.engine.decode_blocks_of_each(map(paths.parts_of, range(len(orders))))
    weights_of = _walk_weights(len(coalitions.players), steps, walks)
    for blocks, order in zip(decoded, orders, strict=True):
        weights = weights_of(order)
        phi = np.zeros((len(order), coalitions.engine.image_size))
        change = np.zeros(phi.shape[1])
        for part, images in blocks:
            own = weights if len(images) == paths.each else weights[:, part]
            add = partial(_add_product, phi, own, images)
            for _ in over_pixels(add, images.shape[1]):
                pass
            if part.start == 0:
                change -= images[0]
        change += images[-1]
        yield RowPath(phi, change)


def _add_product(sums: np.ndarray, weights: csc_array, images: np.ndarray, part: slice) -> None:
    """Some columns of weights (m, n) · images (n, P) are added to the sums (m, P)."""
    sums, images = sums[:, part], images[:, part]
    for columns in cached_columns(images):
        sums[:, columns] += weights @ images[:, columns].astype(np.float64)


def _first_walk(paths: CodePanel, players: int, steps: int) -> CodePanel:
    """Walk A of paths that hold both: of each step the order's turn, then the reverse's."""
    numbers = np.arange(paths.each).reshape(steps, 2, players + 1)
    chosen = numbers[np.arange(steps), np.arange(steps) % 2].ravel()
    return CodePanel(
        paths.rows, len(chosen), lambda place, which: paths.of_row(place, chosen[which])
    )


def _walk_weights(players: int, steps: int, walks: Walks) -> Callable[[np.ndarray], csc_array]:
    """An order's (players, images of a row's request) W with φ = W · images.

    It is 1 after a move and −1 before it, over the number of walks: two of them cover every step,
    so that their sum counts the whole path twice.
    """
    from scipy.sparse import csc_array

    # Each image stands between two moves, but for the first and the last of a walk.
    moves = np.full(players + 1, 2)
    moves[[0, -1]] = 1
    starts = np.append(0, np.cumsum(np.tile(moves, walks * steps)))
    # The order and its reverse take turns, whether two walks share a step or one has two.
    turns = [np.arange(players)[:: 1 - 2 * (turn % 2)] for turn in range(walks * steps)]
    moved = np.repeat(np.concatenate(turns), 2)
    signs = np.tile([-1 / walks, 1 / walks], len(moved) // 2)
    shape = (players, len(starts) - 1)
    return lambda order: csc_array((signs, order[moved], starts), shape=shape)
