"""Mixed codes: which units come from the row and which from the baseline, and paths between them.

v(S) is the image decoded from a code whose units in S are the row's and whose other units are the
baseline's. Nothing else in the program builds such codes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from reportgen.autoencoder import Units
from reportgen.engine.engine import Engine


@dataclass(frozen=True)
class CodePanel:
    """Codes for several rows, equally many for each, made when they are asked for.

    All of them together may take gigabytes: a spatial code has thousands of numbers.

    Attributes
    ----------
    rows, each : number of rows, and of codes for each.
    of_row : (place, which) → (n, code_size): which of one row's codes, by a slice or indices.
    """

    rows: int
    each: int
    of_row: Callable[[int, slice | np.ndarray], np.ndarray]

    def __len__(self) -> int:
        """The number of codes of all rows together."""
        return self.rows * self.each

    def row(self, place: int) -> np.ndarray:
        """(each, code_size) one row's codes."""
        return self.of_row(place, slice(None))

    def parts_of(self, place: int) -> CodesInParts:
        """One row's codes, of which only those in a slice are made when that slice is taken."""
        return CodesInParts(self, place)

    def at(self, numbers: np.ndarray) -> np.ndarray:
        """(n, code_size) the codes at these places (n,), in rising order, counted over all rows."""
        places, which = np.divmod(numbers, self.each)
        found = [self.of_row(int(place), which[places == place]) for place in np.unique(places)]
        return np.concatenate(found)


@dataclass(frozen=True)
class CodesInParts:
    """One row's codes of a panel, made a slice at a time."""

    panel: CodePanel
    place: int

    def __len__(self) -> int:
        return self.panel.each

    def __getitem__(self, part: slice) -> np.ndarray:
        return self.panel.of_row(self.place, part)


def growing(order: Sequence[int] | np.ndarray) -> np.ndarray:
    """(players + 1, players) memberships: nobody, the first of `order`, the first two, …"""
    rank = np.empty(len(order), dtype=np.intp)
    rank[np.asarray(order)] = np.arange(len(order))
    return rank[None, :] < np.arange(len(order) + 1)[:, None]


def both_ways(order: Sequence[int] | np.ndarray) -> np.ndarray:
    """(2 (players + 1), players) `growing` in this order, then in the reverse: a step of a path."""
    return np.concatenate([growing(order), growing(order[::-1])])


class Coalitions:
    """The value function v over coalitions of units, for one decoder and one baseline.

    Parameters
    ----------
    engine : decodes the codes.
    players : the units, or groups of them, that move as one.
    baseline : (code_size,) the code z0 of units that are not in the coalition.
    """

    def __init__(self, engine: Engine, players: Units, baseline: np.ndarray) -> None:
        self.engine = engine
        self.players = players
        self.baseline = np.asarray(baseline, dtype=np.float32)
        self.empty = np.zeros(len(players), dtype=bool)
        self.everyone = np.ones(len(players), dtype=bool)

    def codes(
        self, code: np.ndarray, memberships: np.ndarray, baseline: np.ndarray | None = None
    ) -> np.ndarray:
        """Mixed codes: (code_size,), (n, players) bool → (n, code_size) float32.

        `baseline` replaces z0, for other baselines: one code, or one for each of the n.
        """
        outside = self.baseline if baseline is None else np.asarray(baseline, dtype=np.float32)
        inside = self._inside(np.atleast_2d(memberships))
        return np.where(inside, np.asarray(code, dtype=np.float32), outside)

    def panel(
        self, codes: np.ndarray, memberships: np.ndarray, baseline: np.ndarray | None = None
    ) -> CodePanel:
        """Mixed codes of each row's code (n, code_size); `baseline` is one code for all rows."""

        def of_row(place: int, which: slice | np.ndarray) -> np.ndarray:
            return self.codes(codes[place], memberships[which], baseline)

        return CodePanel(len(codes), len(memberships), of_row)

    def _inside(self, memberships: np.ndarray) -> np.ndarray:
        """(…, players) → (…, code_size) bool: True at the coordinates that are the row's."""
        owner = self.players.unit_of_coordinate
        if len(self.players) == 0:
            return np.ones((*memberships.shape[:-1], len(owner)), dtype=bool)
        return memberships[..., owner] | (owner < 0)

    def values(self, code: np.ndarray, memberships: np.ndarray) -> np.ndarray:
        """v(S) for each row of `memberships`: (n, P) float32."""
        return self.engine.decode(self.codes(code, memberships))

    def alone(self) -> np.ndarray:
        """(players, players) memberships of {k}."""
        return np.eye(len(self.players), dtype=bool)

    def without_one(self) -> np.ndarray:
        """(players, players) memberships of everyone but k."""
        return ~np.eye(len(self.players), dtype=bool)

    def every_coalition(self) -> np.ndarray:
        """(2^players, players) memberships; bit k of the row number says whether k is in."""
        numbers = np.arange(2 ** len(self.players))[:, None]
        return ((numbers >> np.arange(len(self.players))) & 1).astype(bool)

    def growing(self, order: Sequence[int] | np.ndarray) -> np.ndarray:
        """(players + 1, players) memberships: nobody, the first of `order`, the first two, …"""
        return growing(order)

    def scaled(self, code: np.ndarray, factor: float) -> np.ndarray:
        """The code at `factor` of the way from the baseline; the stored code itself at 1.

        Coordinates of no player stay the row's.
        """
        code = np.asarray(code, dtype=np.float32)
        if factor == 1:
            return code
        moved = self.baseline + np.float32(factor) * (code - self.baseline)
        return np.where(self.players.unit_of_coordinate >= 0, moved, code).astype(np.float32)

    def path(self, code: np.ndarray, steps: int, order: Sequence[int] | np.ndarray) -> np.ndarray:
        """Codes of a path from the baseline to `code`, units moving one at a time.

        Returns (steps, 2, players + 1, code_size). In each step units move from step/steps to
        (step + 1)/steps of the way, once in `order` and once in the reverse: the step's start,
        then the code after each unit.
        """
        shape = steps, 2, len(self.players) + 1
        codes = self._on_path(code, steps, order, np.arange(np.prod(shape)))
        return codes.reshape(*shape, -1)

    def _on_path(
        self, code: np.ndarray, steps: int, order: Sequence[int] | np.ndarray, numbers: np.ndarray
    ) -> np.ndarray:
        """(n, code_size) the codes of these numbers (n,) on `path`."""
        marks = np.stack([self.scaled(code, step / steps) for step in range(steps + 1)])
        step, place = np.divmod(numbers, 2 * (len(self.players) + 1))
        walks = both_ways(order)
        return np.where(self._inside(walks[place]), marks[step + 1], marks[step])

    def paths(self, codes: np.ndarray, steps: int, orders: Sequence[np.ndarray]) -> CodePanel:
        """`path` of each row's code (n, code_size), in its own order."""

        each = 2 * steps * (len(self.players) + 1)

        def of_row(place: int, which: slice | np.ndarray) -> np.ndarray:
            return self._on_path(codes[place], steps, orders[place], np.arange(each)[which])

        return CodePanel(len(codes), each, of_row)
