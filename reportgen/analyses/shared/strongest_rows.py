"""The images in which each unit contributes most, with its value above its mean and below."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.autoencoder import Units
from reportgen.process.ranks import Ranks
from reportgen.statistics.norms import squared_norms
from reportgen.study.study import Study

SIDES = 2
NOWHERE = -1


@dataclass
class StrongestRows:
    """For each unit and side of the baseline, the row with the largest ‖φ‖ so far.

    Attributes
    ----------
    rows : (players, 2) indices into the test sample, of values above and below; −1 where there
        was none.
    sizes : (players, 2) ‖φ‖²; shares : (players, 2) ⟨φ, Δ⟩ / ‖Δ‖² of that image.
    pictures : (players, 2, p) φ as the report keeps it.
    """

    rows: np.ndarray
    sizes: np.ndarray
    shares: np.ndarray
    pictures: np.ndarray

    @classmethod
    def none(cls, study: Study, players: int) -> StrongestRows:
        """No rows yet."""
        pixels = study.pictures(np.zeros((1, study.engine.image_size), np.float32)).shape[1]
        shape = players, SIDES
        return cls(
            rows=np.full(shape, NOWHERE),
            sizes=np.zeros(shape),
            shares=np.zeros(shape),
            pictures=np.zeros((*shape, pixels), np.float32),
        )

    def take(
        self, study: Study, players: Units, row: int, contributions: np.ndarray, change: np.ndarray
    ) -> None:
        """Look at one row's φ (players, P) and Δ (P,)."""
        energy = squared_norms(change)
        if not energy > 0:
            return
        moved = players.values((study.test.codes[row] - study.baseline)[None])[0]
        sizes = squared_norms(contributions)
        for player in range(len(players)):
            side = int(moved[player] < 0)
            if moved[player] != 0 and sizes[player] > self.sizes[player, side]:
                self.rows[player, side] = row
                self.sizes[player, side] = sizes[player]
                self.shares[player, side] = contributions[player] @ change / energy
                self.pictures[player, side] = study.pictures(contributions[player][None])[0]

    def or_stronger(self, other: StrongestRows) -> StrongestRows:
        """Of two looks at different rows, the stronger of each."""
        stronger = other.sizes > self.sizes
        return StrongestRows(
            rows=np.where(stronger, other.rows, self.rows),
            sizes=np.where(stronger, other.sizes, self.sizes),
            shares=np.where(stronger, other.shares, self.shares),
            pictures=np.where(stronger[..., None], other.pictures, self.pictures),
        )

    def over(self, ranks: Ranks) -> StrongestRows:
        """The strongest of all ranks' rows; of equal ones that of the first rank."""
        if ranks.count == 1:
            return self
        sizes = np.zeros((ranks.count, *self.sizes.shape))
        sizes[ranks.rank] = self.sizes
        ranks.add_up(sizes)
        mine = sizes.argmax(axis=0) == ranks.rank
        rows = np.where(mine, self.rows - NOWHERE, 0)
        shares = np.where(mine, self.shares, 0)
        pictures = np.where(mine[..., None], self.pictures, np.float32(0))
        ranks.add_up(rows, shares, pictures)
        return StrongestRows(rows + NOWHERE, sizes.max(axis=0), shares, pictures)
