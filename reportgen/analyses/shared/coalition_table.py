"""v(S) of every coalition of the strongest units, as energies of its Walsh–Hadamard transform.

"Interactions" prints them; "two units at once" walks the pairs that are strongest in them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.shared.path_contributions import units_by_share
from reportgen.autoencoder import Units
from reportgen.engine import Coalitions
from reportgen.statistics.bootstrap import Estimate
from reportgen.statistics.norms import squared_norms
from reportgen.study.study import Study

COMPARED_ROWS = 8
SET_SIZES = 2, 3, 5
NO_ENERGY = 1e-10
COLUMNS_TOGETHER = 64
PLAYERS_TOGETHER = 4


@dataclass(frozen=True)
class CoalitionTable:
    """Energies, projections and misses kept of every table row's coalitions.

    Attributes
    ----------
    coalitions : v over the table's players, by share; above 10 units the weakest are "rest".
    player_units : for each player the unit it is, −1 for "rest".
    energies : (n, 2ᵖ) ‖ĝ(S)‖² of each row, by coalition number; 0 at ∅.
    projections : (n, p) ⟨φ_k, Δ⟩ of exact Shapley values, and `changes` (n,) ‖Δ‖².
    set_sizes : how many units there are in the sets whose sums are held against their whole: 2, 3
        and 5 of the table's single units, where there are more than that.
    set_misses, set_changes : (n, sizes) Σ‖Δ_S − Σ_k Δ_k‖ and Σ‖Δ_S‖ over all sets of each size.
    shapley : (first rows, p, q) those values, through `compress`.
    compress : what was applied to images; `sketched` whether it is a sketch.
    off_data_share : share of the coalitions' codes that is flagged.
    """

    coalitions: Coalitions
    player_units: tuple[int, ...]
    energies: np.ndarray
    projections: np.ndarray
    changes: np.ndarray
    set_sizes: tuple[int, ...]
    set_misses: np.ndarray
    set_changes: np.ndarray
    shapley: np.ndarray
    compress: Callable[[np.ndarray], np.ndarray]
    sketched: bool
    off_data_share: Estimate

    @property
    def matrix(self) -> np.ndarray:
        """(p, p) pair shares of all energy, main effects on the diagonal; NaN without energy."""
        pooled = self.energies.sum(axis=0)
        players = 1 << np.arange(len(self.player_units))
        with np.errstate(invalid="ignore"):
            return pooled[players[:, None] | players] / pooled.sum()

    def pairs_by_energy(self) -> list[tuple[int, int]]:
        """Pairs of single units, strongest first; pairs without energy by the units' shares."""
        strength = np.where(self.matrix > NO_ENERGY, self.matrix, 0)
        alone = [player for player, unit in enumerate(self.player_units) if unit >= 0]
        pairs = [(j, k) for j in alone for k in alone if j < k]
        return sorted(pairs, key=lambda pair: -strength[pair])


def pair_number(j: int, k: int) -> int:
    """The row of the table that holds the coalition {j, k}."""
    return (1 << j) | (1 << k)


def coalition_table(study: Study) -> CoalitionTable:
    """Decode every coalition of the table rows: 2ᵖ codes a row, at most 10 players."""
    players, units = _table_players(study, study.settings.table_players)
    coalitions = Coalitions(study.engine, players, study.baseline)
    memberships = coalitions.every_coalition()
    compress, length, sketched = study.compressor(len(memberships))
    weights = shapley_weights(memberships)
    rows = study.rows.table
    energies = np.zeros((len(rows), len(memberships)))
    projections = np.zeros((len(rows), len(players)))
    changes = np.zeros(len(rows))
    sets = _sets_by_size(memberships, np.array(units) >= 0)
    missed, changed = np.zeros((2, len(rows), len(sets)))
    shapley = np.zeros((min(COMPARED_ROWS, len(rows)), len(players), length), np.float32)
    codes = coalitions.panel(study.test.codes[rows], memberships)
    mine = study.ranks.mine(len(rows)).tolist()
    decoded = study.engine.decode_blocks_of_each(map(codes.parts_of, mine))
    values = np.empty((len(memberships), length), dtype=np.float32)
    for place, blocks in zip(mine, decoded, strict=True):
        for block, images in blocks:
            values[block] = compress(images)
        energies[place], phi = energies_and_shapley(values, weights)
        change = values[-1].astype(np.float64) - values[0]
        projections[place], changes[place] = phi @ change, squared_norms(change)
        for size, numbers in enumerate(sets.values()):
            missed[place, size], changed[place, size] = _misses_of_sets(
                values, memberships, numbers
            )
        if place < len(shapley):
            shapley[place] = phi
    study.ranks.add_up(energies, projections, changes, missed, changed, shapley)
    energies[:, 0] = 0
    return CoalitionTable(
        coalitions=coalitions,
        player_units=tuple(units),
        energies=energies,
        projections=projections,
        changes=changes,
        set_sizes=tuple(sets),
        set_misses=missed,
        set_changes=changed,
        shapley=shapley,
        compress=compress,
        sketched=sketched,
        off_data_share=study.off_data_share(codes),
    )


def _table_players(study: Study, limit: int) -> tuple[Units, list[int]]:
    order = units_by_share(study)
    if len(order) <= limit:
        return study.players.subset(order.tolist()), [int(study.player_units[p]) for p in order]
    kept = order[: limit - 1]
    return study.players.grouped(kept.tolist()), [int(study.player_units[p]) for p in kept] + [-1]


def _sets_by_size(memberships: np.ndarray, single: np.ndarray) -> dict[int, np.ndarray]:
    """Numbers of the coalitions of 2, 3 and 5 players that are single units, by their size."""
    sizes = memberships.sum(axis=1)
    of_units = ~memberships[:, ~single].any(axis=1)
    wanted = [size for size in SET_SIZES if size < single.sum()]
    return {size: np.flatnonzero(of_units & (sizes == size)) for size in wanted}


def _misses_of_sets(
    values: np.ndarray, memberships: np.ndarray, numbers: np.ndarray
) -> tuple[float, float]:
    """Σ‖Δ_S − Σ_k Δ_k‖ and Σ‖Δ_S‖ over sets by their numbers, of values (2ᵖ, q)."""
    alone = values[1 << np.arange(memberships.shape[1])].astype(np.float64) - values[0]
    missed = changed = 0.0
    for start in range(0, len(numbers), COLUMNS_TOGETHER):
        some = numbers[start : start + COLUMNS_TOGETHER]
        together = values[some].astype(np.float64) - values[0]
        summed = memberships[some].astype(np.float64) @ alone
        missed += float(np.sqrt(squared_norms(together - summed)).sum())
        changed += float(np.sqrt(squared_norms(together)).sum())
    return missed, changed


def energies_and_shapley(table: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(2ᵖ, q) values by coalition number → (2ᵖ,) ‖ĝ(S)‖², and (p, q) φ by the weights (p, 2ᵖ)."""
    transform = WalshHadamard(len(table))
    energies, shapley = np.zeros(len(table)), np.empty((len(weights), table.shape[1]))
    # In columns that stay in the cache.
    for start in range(0, table.shape[1], COLUMNS_TOGETHER):
        columns = slice(start, start + COLUMNS_TOGETHER)
        block = table[:, columns].astype(np.float64)
        energies += squared_norms(transform(block))
        shapley[:, columns] = weights @ block
    return energies, shapley


class WalshHadamard:
    """The transform of values by coalition number, normalised by their number 2ᵖ.

    That of p players is that of a few of them within that of the others: products with small
    matrices.
    """

    def __init__(self, coalitions: int) -> None:
        from scipy.linalg import hadamard

        players = coalitions.bit_length() - 1
        together = np.array_split(np.arange(players), max(1, -(-players // PLAYERS_TOGETHER)))
        self._factors = [hadamard(1 << len(some), dtype=float) for some in together]
        self._factors[0] /= coalitions

    def __call__(self, table: np.ndarray) -> np.ndarray:
        """(2ᵖ, q) → (2ᵖ, q) ĝ."""
        transformed, outer = table, 1
        for factor in self._factors:
            transformed = factor @ transformed.reshape(outer, len(factor), -1)
            outer *= len(factor)
        return transformed.reshape(table.shape)


def shapley_weights(memberships: np.ndarray) -> np.ndarray:
    """(p, 2ᵖ) W with φ = W v: exact Shapley values from a table of all coalitions.

    φ_k = Σ_{S ∌ k} |S|! (p − |S| − 1)! / p! · (v(S ∪ k) − v(S)) (Shapley, 1953).
    """
    players = memberships.shape[1]
    sizes = memberships.sum(axis=1)
    orders = np.array(
        [1 / (players * math.comb(players - 1, size)) for size in range(players)] + [0.0]
    )
    joined = np.where(sizes > 0, orders[sizes - 1], 0.0)
    return np.where(memberships.T, joined, -orders[sizes])
