"""Which units change the picture only together? All coalitions, as Walsh–Hadamard energies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import DoesNotApplyError, ImageArray, UnanswerableError
from reportgen.analyses.shared.coalition_table import (
    NO_ENERGY,
    CoalitionTable,
    coalition_table,
    pair_number,
)
from reportgen.analyses.shared.path_contributions import paths_of
from reportgen.statistics.bootstrap import Estimate, safe_ratio
from reportgen.statistics.norms import squared_norms
from reportgen.study.study import Study

PICTURED_PAIRS = 2
PICTURE_ROWS = 2
RESAMPLES_COVERED = 0.95
# Of sums of shares of resamples.
ROUNDING = 1e-9


@dataclass(frozen=True)
class PairPictures:
    """One pair of players on some rows: what appears only when both move.

    Attributes
    ----------
    units : their indices; names as printed.
    share : the pair's share of toggle energy.
    first, second, both : (r, P) v(j) − v(∅), v(k) − v(∅), v(jk) − v(∅).
    interaction : (r, P) I_jk = v(jk) − v(j) − v(k) + v(∅), signed.
    """

    units: tuple[int, int]
    names: tuple[str, str]
    share: Estimate
    first: ImageArray
    second: ImageArray
    both: ImageArray
    interaction: ImageArray


@dataclass(frozen=True)
class Interactions:
    """Toggle energy by coalition, over the table rows.

    ĝ(S) = 2⁻ᵖ Σ_T (−1)^|S∩T| v(T) is the Walsh–Hadamard transform of the table of all 2ᵖ
    coalitions. Energies are Σ_n‖ĝ(S)‖² as shares of all S ≠ ∅.

    Attributes
    ----------
    units : for each player its unit, −1 for "rest"; names as printed, strongest first.
    matrix : (p, p) pair shares, main effects on the diagonal, symmetric; each pair counts once.
    partners : for each player, the unit that it shares most energy with, and the others that do in
        resamples of the images, the most frequent first: as few as make up 95 % of them. Empty
        where it interacts with none, and of "rest".
    order_shares : energy of single players, of pairs, and of all larger sets; they sum to 1.
    shapley_shares : for each player Σ⟨φ_k, Δ⟩ / Σ‖Δ‖² of its exact Shapley value; they sum to 1.
        A different estimand from the path's share: off the path, the coalitions are other codes.
    shapley_path_distance : √(Σ‖φ_shapley − φ_path‖² / Σ‖φ_path‖²) over the first table rows.
    coalitions, rows : size of the table and images behind it.
    off_data_share : share of the coalitions' codes that is flagged.
    sketched : whether energies come from a linear sketch.
    picture_names : names of the pictured rows, where the two strongest pairs have most energy;
        `pairs` the pictures of these pairs.
    """

    units: tuple[int, ...]
    names: tuple[str, ...]
    matrix: np.ndarray
    partners: tuple[tuple[int, ...], ...] | None
    order_shares: tuple[Estimate, ...]
    shapley_shares: tuple[Estimate, ...]
    shapley_path_distance: float
    coalitions: int
    rows: int
    off_data_share: Estimate
    sketched: bool
    picture_names: tuple[str, ...]
    pairs: tuple[PairPictures, ...]


def run(study: Study) -> Interactions:
    """Decode every coalition of the table rows, at most 10 players.

    Raises DoesNotApplyError with fewer than two units that vary, UnanswerableError when nothing
    changes the picture.
    """
    if len(study.players) < 2:
        raise DoesNotApplyError("fewer than two units vary, so there is no pair.")
    table = study.shared(coalition_table)
    rows, energies, players = study.rows.table, table.energies, table.coalitions.players
    if study.is_negligible(float(energies.sum()), len(rows)):
        raise UnanswerableError("the decoder gives the same image whatever the coalition.")
    bootstrap = study.bootstrap(rows)
    orders = table.coalitions.every_coalition().sum(axis=1)
    pictured = _pictured_rows(study, table)
    return Interactions(
        units=table.player_units,
        names=players.names,
        matrix=table.matrix,
        partners=tuple(_partners(study, table, player) for player in range(len(players))),
        order_shares=bootstrap.ratios(_by_order(energies, orders), energies.sum(axis=1)),
        shapley_shares=bootstrap.ratios(table.projections, table.changes),
        shapley_path_distance=_distance(study, table),
        coalitions=2 ** len(players),
        rows=len(rows),
        off_data_share=table.off_data_share,
        sketched=table.sketched,
        picture_names=tuple(study.test.names[row] for row in pictured),
        pairs=_pairs(study, table, pictured),
    )


def _partners(study: Study, table: CoalitionTable, player: int) -> tuple[int, ...]:
    """Units that may have the largest pair share with a player; the one that has it first."""
    units = table.player_units
    others = [place for place, unit in enumerate(units) if unit >= 0 and place != player]
    if units[player] < 0 or not others:
        return ()
    energies = table.energies[:, [pair_number(player, other) for other in others]]
    pooled = energies.sum(axis=0)
    if not pooled.max() > NO_ENERGY * table.energies.sum():
        return ()
    largest = study.bootstrap(study.rows.table).sums(energies).argmax(axis=1)
    shares = np.bincount(largest, minlength=len(others)) / len(largest)
    first = int(pooled.argmax())
    order = [first, *(place for place in np.argsort(-shares, kind="stable") if place != first)]
    needed = 1 + int(np.searchsorted(np.cumsum(shares[order]), RESAMPLES_COVERED - ROUNDING))
    return tuple(units[others[place]] for place in order[:needed])


def _distance(study: Study, table: CoalitionTable) -> float:
    rows, players = study.rows.table[: len(table.shapley)], table.coalitions.players
    missed, size = 0.0, 0.0
    for path, shapley in zip(
        paths_of(study, players, rows, study.settings.path_steps), table.shapley, strict=True
    ):
        phi = table.compress(path.contributions)
        missed += float(squared_norms(shapley - phi).sum())
        size += float(squared_norms(phi).sum())
    return float(np.sqrt(safe_ratio(np.array(missed), np.array(size))))


def _by_order(energies: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """(n, 3) energy of single players, of pairs, of larger sets."""
    groups = (orders == 1, orders == 2, orders >= 3)
    return np.stack([energies[:, group].sum(axis=1) for group in groups], axis=1)


def _pictured_rows(study: Study, table: CoalitionTable) -> np.ndarray:
    """The table rows where the pictured pairs have most energy: elsewhere a pair may be blank."""
    pairs = [pair_number(j, k) for j, k in table.pairs_by_energy()[:PICTURED_PAIRS]]
    energies = table.energies[:, pairs].sum(axis=1)
    return study.rows.table[np.argsort(-energies, kind="stable")[:PICTURE_ROWS]]


def _pairs(study: Study, table: CoalitionTable, rows: np.ndarray) -> tuple[PairPictures, ...]:
    energies, units, coalitions = table.energies, table.player_units, table.coalitions
    strongest = table.pairs_by_energy()[:PICTURED_PAIRS]
    bootstrap = study.bootstrap(study.rows.table)
    pictures = []
    for j, k in strongest:
        alone = coalitions.alone()
        wanted = np.stack([coalitions.empty, alone[j], alone[k], alone[j] | alone[k]])
        decoded = [coalitions.values(study.test.codes[row], wanted) for row in rows]
        nobody, first, second, both = np.stack([study.pictures(d) for d in decoded], axis=1)
        pictures.append(
            PairPictures(
                units=(units[j], units[k]),
                names=(coalitions.players.names[j], coalitions.players.names[k]),
                share=bootstrap.ratio(energies[:, pair_number(j, k)], energies.sum(axis=1)),
                first=first - nobody,
                second=second - nobody,
                both=both - nobody,
                interaction=both - first - second + nobody,
            )
        )
    return tuple(pictures)
