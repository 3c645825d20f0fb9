"""Contributions that add up: Aumann–Shapley along the straight path from the baseline to the row.

The path z0 → z is cut into M steps; in each, units move one at a time and a unit's contribution is
the change in the image while it moves, so the contributions sum to x̂ − g(z0) by telescoping,
whatever M. A step's order of units matters less the shorter the steps; two walks in opposite
orders are averaged (Aumann & Shapley, 1974; Sundararajan et al., 2017, as finite differences).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.autoencoder import Units
from reportgen.coalitions import Coalitions
from reportgen.single_moves import strongest_players
from reportgen.study import Study, squared_norms


@dataclass(frozen=True)
class PathShares:
    """Pooled shares of the change from the baseline to the row, over r rows.

    Attributes
    ----------
    players : the players on the path; with more than 32 units the weakest are one, "rest".
    player_units : for each player the unit it is, −1 for "rest".
    rows : (r,) indices into the test sample.
    projections : (r, players) ⟨φ_k, Δ⟩.
    changes : (r,) ‖Δ‖², Δ = x̂ − g(z0).
    order : players by share, largest first; "rest" last.
    incompleteness : largest |Σφ − Δ| over rows and pixels, over the largest |Δ|, where Δ comes
        from the reconstructions decoded with the whole data set.
    codes : codes of the first row's paths and more, for the off-data share.
    """

    players: Units
    player_units: np.ndarray
    rows: np.ndarray
    projections: np.ndarray
    changes: np.ndarray
    order: np.ndarray
    incompleteness: float
    codes: np.ndarray


def contributions(
    coalitions: Coalitions, code: np.ndarray, steps: int, order: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """φ (players, P) float64 of one row, Δ (P,), and the codes that were decoded.

    Walk A takes `order` on even steps and its reverse on odd ones; walk B the opposite.
    """
    count = len(order)
    segments, movers = [], []
    for step in range(steps):
        for direction in (order, order[::-1]):
            segments.append(coalitions.path(code, step, steps, direction))
            movers.append(direction)
    codes = np.concatenate(segments)
    images = coalitions.decoder.decode(codes).reshape(len(segments), count + 1, -1)
    phi = np.zeros((count, images.shape[2]))
    for segment, direction in zip(images, movers, strict=True):
        phi[direction] += np.diff(segment.astype(np.float64), axis=0)
    whole = images[-1, -1].astype(np.float64) - images[0, 0].astype(np.float64)
    # Two walks cover every step, so their sum counts the whole path twice.
    return phi / 2, whole, codes


def path_shares(study: Study) -> PathShares:
    """Pooled shares over the pooled rows, M = 2 steps each."""
    players, player_units = path_players(study)
    coalitions = Coalitions(study.decoder, players, study.baseline)
    rows = study.rows.pooled
    projections = np.empty((len(rows), len(players)))
    changes, worst, largest = np.empty(len(rows)), 0.0, 0.0
    codes = []
    nobody = study.decoder.decode(study.baseline[None])[0]
    for place, row in enumerate(rows):
        phi, whole, decoded = contributions(
            coalitions,
            study.test.codes[row],
            study.settings.pooled_path_steps,
            path_order(study, row, len(players)),
        )
        projections[place] = phi @ whole
        changes[place] = squared_norms(whole)
        apart = study.test.reconstructions[row].astype(np.float64) - nobody
        worst = max(worst, float(np.abs(phi.sum(axis=0) - apart).max()))
        largest = max(largest, float(np.abs(whole).max()))
        codes.append(decoded)
    ranking = -projections.sum(axis=0)
    ranking[player_units < 0] = np.inf
    return PathShares(
        players=players,
        player_units=player_units,
        rows=rows,
        projections=projections,
        changes=changes,
        order=np.argsort(ranking, kind="stable"),
        incompleteness=worst / largest if largest > 0 else 0.0,
        codes=np.concatenate(codes),
    )


def path_players(study: Study) -> tuple[Units, np.ndarray]:
    """The players of a path: all, or the 32 strongest and "rest"; and the unit that each is."""
    limit = study.settings.path_players
    if len(study.players) <= limit:
        return study.players, study.player_units
    kept = np.sort(strongest_players(study)[:limit])
    return study.players.grouped(kept.tolist()), np.append(study.player_units[kept], -1)


def path_order(study: Study, row: int, players: int) -> np.ndarray:
    """The random order in which a row's units move; the same row has the same order."""
    return np.random.default_rng([study.settings.seed, 4, int(row)]).permutation(players)


def units_by_share(study: Study) -> np.ndarray:
    """Players of the study (not of the path) by share, largest first; grouped ones come last."""
    shares = study.shared(path_shares)
    place = {int(unit): player for player, unit in enumerate(study.player_units)}
    named = [place[int(u)] for u in shares.player_units[shares.order] if u >= 0]
    seen = set(named)
    return np.array(named + [p for p in strongest_players(study) if p not in seen], np.intp)
