"""Which units change the picture only together? All coalitions, as Walsh–Hadamard energies."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reportgen.analyses import ImageArray, UnanswerableError
from reportgen.autoencoder import Units
from reportgen.coalitions import Coalitions
from reportgen.path_contributions import paths_of, units_by_share
from reportgen.settings import Settings
from reportgen.statistics.bootstrap import Estimate, safe_ratio
from reportgen.study import Study, squared_norms

PICTURED_PAIRS = 2
PICTURE_ROWS = 2
COMPARED_ROWS = 8


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
    order_shares : energy of single players, of pairs, and of all larger sets; they sum to 1.
    shapley_shares : for each player Σ⟨φ_k, Δ⟩ / Σ‖Δ‖² of its exact Shapley value; they sum to 1.
        A different estimand from the path's share: off the path, the coalitions are other codes.
    shapley_path_distance : √(Σ‖φ_shapley − φ_path‖² / Σ‖φ_path‖²) over the first table rows.
    coalitions, rows : size of the table and images behind it.
    off_data_share : share of the coalitions' codes that is flagged.
    sketched : whether energies come from a linear sketch.
    picture_names : names of the pictured rows; `pairs` the pictures of the two strongest pairs.
    """

    units: tuple[int, ...]
    names: tuple[str, ...]
    matrix: np.ndarray
    order_shares: tuple[Estimate, ...]
    shapley_shares: tuple[Estimate, ...]
    shapley_path_distance: float
    coalitions: int
    rows: int
    off_data_share: float
    sketched: bool
    picture_names: tuple[str, ...]
    pairs: tuple[PairPictures, ...]


def run(study: Study, settings: Settings) -> Interactions:
    """Decode every coalition of the table rows, at most 10 players.

    Raises UnanswerableError with fewer than two units that vary, or when nothing changes the
    picture.
    """
    if len(study.players) < 2:
        raise UnanswerableError("fewer than two units vary, so there is no pair.")
    players, units = _table_players(study, settings.table_players)
    coalitions = Coalitions(study.decoder, players, study.baseline)
    rows = study.rows.table
    table = _read_table(study, coalitions, rows)
    energies = table.energies
    if study.is_negligible(float(energies.sum()), len(rows)):
        raise UnanswerableError("the decoder gives the same image whatever the coalition.")
    bootstrap = study.bootstrap(len(rows))
    orders = coalitions.every_coalition().sum(axis=1)
    order_shares = bootstrap.ratios(_by_order(energies, orders), energies.sum(axis=1))
    matrix = _matrix(energies.sum(axis=0), len(players))
    return Interactions(
        units=tuple(units),
        names=players.names,
        matrix=matrix,
        order_shares=order_shares,
        shapley_shares=bootstrap.ratios(table.projections, table.changes),
        shapley_path_distance=_distance(study, players, table, settings),
        coalitions=2 ** len(players),
        rows=len(rows),
        off_data_share=study.off_data_share(table.codes),
        sketched=table.sketched,
        picture_names=tuple(study.test.names[row] for row in study.rows.pictures[:PICTURE_ROWS]),
        pairs=_pairs(study, coalitions, units, energies, matrix),
    )


def walsh_hadamard(table: np.ndarray) -> np.ndarray:
    """(2ᵖ, q) values by coalition number → (2ᵖ, q) ĝ, normalised by 2⁻ᵖ."""
    transformed = np.array(table, dtype=np.float64)
    half = 1
    while half < len(transformed):
        blocks = transformed.reshape(-1, 2, half, transformed.shape[1])
        low, high = blocks[:, 0].copy(), blocks[:, 1]
        blocks[:, 0] += high
        blocks[:, 1] = low - high
        half *= 2
    return transformed / len(transformed)


def _table_players(study: Study, limit: int) -> tuple[Units, list[int]]:
    order = units_by_share(study)
    if len(order) <= limit:
        return study.players.subset(order.tolist()), [int(study.player_units[p]) for p in order]
    kept = order[: limit - 1]
    return study.players.grouped(kept.tolist()), [int(study.player_units[p]) for p in kept] + [-1]


@dataclass(frozen=True)
class _Table:
    """What is kept of every row's coalition table.

    `energies` (n, 2ᵖ) with 0 at ∅; `projections` (n, p) ⟨φ_k, Δ⟩ of exact Shapley values and
    `changes` (n,) ‖Δ‖²; `shapley` (first rows, p, q) the values themselves.
    """

    energies: np.ndarray
    projections: np.ndarray
    changes: np.ndarray
    shapley: np.ndarray
    codes: np.ndarray
    compress: Callable
    sketched: bool


def _read_table(study: Study, coalitions: Coalitions, rows: np.ndarray) -> _Table:
    memberships = coalitions.every_coalition()
    compress, _, sketched = study.compressor(len(memberships))
    weights = shapley_weights(memberships)
    energies = np.empty((len(rows), len(memberships)))
    projections = np.empty((len(rows), memberships.shape[1]))
    changes = np.empty(len(rows))
    codes, shapley = [], []
    for place, row in enumerate(rows):
        mixed = coalitions.codes(study.test.codes[row], memberships)
        step = study.decoder.batch_size if sketched else len(mixed)
        values = np.concatenate(
            [
                compress(study.decoder.decode(mixed[start : start + step]))
                for start in range(0, len(mixed), step)
            ]
        ).astype(np.float64)
        energies[place] = squared_norms(walsh_hadamard(values))
        phi, change = weights @ values, values[-1] - values[0]
        projections[place], changes[place] = phi @ change, squared_norms(change)
        if place < COMPARED_ROWS:
            shapley.append(phi)
        codes.append(mixed)
    energies[:, 0] = 0
    return _Table(
        energies,
        projections,
        changes,
        np.stack(shapley),
        np.concatenate(codes),
        compress,
        sketched,
    )


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


def _distance(study: Study, players: Units, table: _Table, settings: Settings) -> float:
    rows = study.rows.table[:COMPARED_ROWS]
    missed, size = 0.0, 0.0
    for path, shapley in zip(
        paths_of(study, players, rows, settings.path_steps), table.shapley, strict=True
    ):
        phi = table.compress(path.contributions)
        missed += float(squared_norms(shapley - phi).sum())
        size += float(squared_norms(phi).sum())
    return float(np.sqrt(safe_ratio(np.array(missed), np.array(size))))


def _by_order(energies: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """(n, 3) energy of single players, of pairs, of larger sets."""
    groups = (orders == 1, orders == 2, orders >= 3)
    return np.stack([energies[:, group].sum(axis=1) for group in groups], axis=1)


def _matrix(energies: np.ndarray, players: int) -> np.ndarray:
    total = energies.sum()
    matrix = np.empty((players, players))
    for j in range(players):
        for k in range(players):
            matrix[j, k] = energies[_number(j, k)] / total
    return matrix


def _number(j: int, k: int) -> int:
    """The row of the table that holds the coalition {j, k}."""
    return (1 << j) | (1 << k)


def _pairs(
    study: Study,
    coalitions: Coalitions,
    units: list[int],
    energies: np.ndarray,
    matrix: np.ndarray,
) -> tuple[PairPictures, ...]:
    upper = [(j, k) for j in range(len(units)) for k in range(j + 1, len(units))]
    named = [(j, k) for j, k in upper if units[j] >= 0 and units[k] >= 0]
    strongest = sorted(named, key=lambda pair: -matrix[pair])[:PICTURED_PAIRS]
    bootstrap = study.bootstrap(len(energies))
    rows = study.rows.pictures[:PICTURE_ROWS]
    pictures = []
    for j, k in strongest:
        alone = coalitions.alone()
        wanted = np.stack([coalitions.empty, alone[j], alone[k], alone[j] | alone[k]])
        decoded = np.stack([coalitions.values(study.test.codes[row], wanted) for row in rows])
        nobody, first, second, both = np.moveaxis(decoded, 1, 0)
        pictures.append(
            PairPictures(
                units=(units[j], units[k]),
                names=(coalitions.players.names[j], coalitions.players.names[k]),
                share=bootstrap.ratio(energies[:, _number(j, k)], energies.sum(axis=1)),
                first=first - nobody,
                second=second - nobody,
                both=both - nobody,
                interaction=both - first - second + nobody,
            )
        )
    return tuple(pictures)
