"""Which units change the picture only together? All coalitions, as Walsh–Hadamard energies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import ImageArray, UnanswerableError
from reportgen.autoencoder import Units
from reportgen.coalitions import Coalitions
from reportgen.path_contributions import units_by_share
from reportgen.settings import Settings
from reportgen.statistics.bootstrap import Estimate
from reportgen.statistics.sketch import compressor
from reportgen.study import Study, squared_norms

PICTURED_PAIRS = 2
PICTURE_ROWS = 2


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
    coalitions, rows : size of the table and images behind it.
    off_data_share : share of the coalitions' codes that is flagged.
    sketched : whether energies come from a linear sketch.
    picture_names : names of the pictured rows; `pairs` the pictures of the two strongest pairs.
    """

    units: tuple[int, ...]
    names: tuple[str, ...]
    matrix: np.ndarray
    order_shares: tuple[Estimate, ...]
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
    energies, codes, sketched = _energies(study, coalitions, rows)
    if energies.sum() <= 0:
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
        coalitions=2 ** len(players),
        rows=len(rows),
        off_data_share=study.off_data_share(codes),
        sketched=sketched,
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


def _energies(
    study: Study, coalitions: Coalitions, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, bool]:
    """(n, 2ᵖ) energies with 0 at ∅, a sample of the codes, and whether they are sketched."""
    memberships = coalitions.every_coalition()
    compress, _, sketched = compressor(
        study.decoder.image_size, len(memberships), study.settings.seed
    )
    energies = np.empty((len(rows), len(memberships)))
    codes = []
    for place, row in enumerate(rows):
        mixed = coalitions.codes(study.test.codes[row], memberships)
        step = len(mixed) if not sketched else study.decoder.batch_size
        table = np.concatenate(
            [
                compress(study.decoder.decode(mixed[start : start + step]))
                for start in range(0, len(mixed), step)
            ]
        )
        energies[place] = squared_norms(walsh_hadamard(table))
        codes.append(mixed)
    energies[:, 0] = 0
    return energies, np.concatenate(codes), sketched


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
