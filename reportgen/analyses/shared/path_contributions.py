"""Contributions that add up: Aumann–Shapley along the straight path from the baseline to the row.

The path z0 → z is cut into M steps; in each, units move one at a time and a unit's contribution is
the change in the image while it moves, so the contributions sum to x̂ − g(z0) by telescoping,
whatever M. A step's order of units matters less the shorter the steps; two walks in opposite
orders are averaged (Aumann & Shapley, 1974; Sundararajan et al., 2017, as finite differences).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from reportgen.analyses.shared.incompleteness import Incompleteness
from reportgen.analyses.shared.row_paths import RowPath, Walks, row_paths
from reportgen.analyses.shared.strongest_rows import StrongestRows
from reportgen.autoencoder import Units
from reportgen.engine import Coalitions, CodePanel, CodeParts
from reportgen.process.ranks import ALONE
from reportgen.statistics.bootstrap import safe_ratio
from reportgen.statistics.norms import squared_norms
from reportgen.study.rows import PILOT_ROWS, pooled_count
from reportgen.study.single_moves import strongest_players
from reportgen.study.study import Study

Players = TypeVar("Players", Units, CodeParts)
SMALL_CHANGE = 1e-3


@dataclass(frozen=True)
class PathShares(Generic[Players]):
    """Pooled shares of the change from the baseline to the row, over r rows.

    Attributes
    ----------
    players : the players on the path; with more than 32 units the weakest are one, "rest".
    player_units : for each player the unit, or direction, that it is, −1 for "rest".
    rows : (r,) indices into the test sample.
    projections : (r, players) ⟨φ_k, Δ⟩.
    changes : (r,) ‖Δ‖², Δ = x̂ − g(z0).
    order : players by share, largest first; "rest" last.
    steps : M, doubled until no share moved; `step_error` is how far the last doubling moved the
        one that moved most, NaN where M was not doubled.
    incompleteness : largest |Σφ − Δ| over rows and pixels, over the largest |Δ|, where Δ comes
        from the reconstructions decoded with the whole data set.
    codes : what was decoded.
    strongest : where each player's contribution is largest; None for players without a value.
    """

    players: Players
    player_units: np.ndarray
    rows: np.ndarray
    projections: np.ndarray
    changes: np.ndarray
    order: np.ndarray
    steps: int
    step_error: float
    incompleteness: float
    codes: CodePanel
    strongest: StrongestRows | None


@dataclass(frozen=True)
class PicturePaths:
    """Contributions to the r picture rows, whose paths have more steps.

    Attributes
    ----------
    pictures : (r, players, p) φ as the report keeps them.
    shares : (r, players) ⟨φ, Δ⟩ / ‖Δ‖² of each image; they sum to 1.
    sizes : (r, players) ‖φ‖ / ‖Δ‖. Both NaN where ‖Δ‖ is below 1e-3 of its root mean square over
        the pooled rows, at which rounding would decide.
    incompleteness : largest |Σφ − Δ| of φ in float32 over the largest |Δ|, as in `PathShares`.
    """

    pictures: np.ndarray
    shares: np.ndarray
    sizes: np.ndarray
    incompleteness: float


def paths_of(
    study: Study,
    players: Units | CodeParts,
    rows: np.ndarray,
    steps: int,
    walks: Walks = 2,
) -> Iterator[RowPath]:
    """The paths of test rows, each in its own seeded order, from the study's baseline."""
    orders = [path_order(study, row, len(players)) for row in rows]
    return row_paths(_moving(study, players), study.test.codes[rows], steps, orders, walks)


def _moving(study: Study, players: Units | CodeParts) -> Coalitions | CodeParts:
    if isinstance(players, CodeParts):
        return players
    return Coalitions(study.engine, players, study.baseline)


def _paths(study: Study, players: Units | CodeParts, rows: np.ndarray, steps: int) -> CodePanel:
    """The codes of `paths_of`."""
    orders = [path_order(study, row, len(players)) for row in rows]
    return _moving(study, players).paths(study.test.codes[rows], steps, orders)


def path_shares(study: Study) -> PathShares[Units]:
    """Pooled shares of the units; see `shares_of`."""
    return shares_of(study, *path_players(study))


def shares_of(study: Study, players: Players, player_units: np.ndarray) -> PathShares[Players]:
    """Pooled shares, of as many of the pooled rows as their steps leave decodes for.

    The number of steps M doubles on 16 rows until no share moves by more than .005, or until it is
    32. The error of M steps falls as 1/M², so that a last move of d leaves about d/3.

    The other rows are walked once. Their orders are random, so that an order is as likely as its
    reverse, and one walk's contributions are those of both on average; over 128 images of the
    samples the shares of one walk and of two differed by less than a fifth of their standard error.
    """
    settings = study.settings
    pilot, steps = study.rows.pooled[:PILOT_ROWS], settings.pooled_path_steps
    known, step_error = _Projected(study, players, pilot, steps), float("nan")
    while 2 * steps <= settings.most_path_steps:
        steps *= 2
        finer = _Projected(study, players, pilot, steps)
        step_error = float(np.abs(finer.shares - known.shares).max(initial=0.0))
        known = finer
        if not step_error > settings.settled_share:
            break
    rows = study.rows.pooled[: pooled_count(len(players), steps, settings)]
    others = _Projected(study, players, rows[len(pilot) :], steps, walks=1)
    projections = np.concatenate([known.projections, others.projections])[: len(rows)]
    changes = np.concatenate([known.changes, others.changes])[: len(rows)]
    ranking = -projections.sum(axis=0)
    ranking[player_units < 0] = np.inf
    return PathShares(
        players=players,
        player_units=player_units,
        rows=rows,
        projections=projections,
        changes=changes,
        order=np.argsort(ranking, kind="stable"),
        steps=steps,
        step_error=step_error,
        incompleteness=float(np.maximum(known.incompleteness, others.incompleteness)),
        codes=_paths(study, players, rows, steps),
        strongest=None
        if known.strongest is None or others.strongest is None
        else known.strongest.or_stronger(others.strongest),
    )


class _Projected:
    """⟨φ_k, Δ⟩ (r, players) and ‖Δ‖² (r,) of paths to some rows; how far they are from complete."""

    def __init__(
        self,
        study: Study,
        players: Units | CodeParts,
        rows: np.ndarray,
        steps: int,
        walks: Walks = 2,
    ) -> None:
        self.projections = np.zeros((len(rows), len(players)))
        self.changes = np.zeros(len(rows))
        incompleteness = Incompleteness()
        mine = study.ranks.mine(len(rows))
        strongest = StrongestRows.none(study, len(players)) if isinstance(players, Units) else None
        nobodies = study.baseline_images(study.test.codes[rows[mine]])
        paths = paths_of(study, players, rows[mine], steps, walks)
        for place, path, nobody in zip(mine, paths, nobodies, strict=True):
            self.projections[place] = path.contributions @ path.change
            self.changes[place] = squared_norms(path.change)
            incompleteness.add(path.contributions, study.test.reconstructions[rows[place]] - nobody)
            if strongest is not None and isinstance(players, Units):
                strongest.take(study, players, rows[place], path.contributions, path.change)
        study.ranks.add_up(self.projections, self.changes)
        self.incompleteness = incompleteness.over(study.ranks)
        self.strongest = None if strongest is None else strongest.over(study.ranks)

    @property
    def shares(self) -> np.ndarray:
        """(players,) Σ⟨φ_k, Δ⟩ / Σ‖Δ‖²; NaN where nothing changes."""
        return safe_ratio(self.projections.sum(axis=0), self.changes.sum())


def picture_paths(study: Study) -> PicturePaths:
    """The units' contributions to the picture rows; see `pictures_beside`."""
    return pictures_beside(study, study.shared(path_shares))


def pictures_beside(study: Study, pooled: PathShares[Players]) -> PicturePaths:
    """Contributions to the picture rows, as pictures, with each image's own shares and sizes."""
    rows = study.rows.pictures
    shares, sizes = np.full((2, len(rows), len(pooled.players)), np.nan)
    pictures = []
    nobodies = study.baseline_images(study.test.codes[rows])
    incompleteness = Incompleteness()
    paths = paths_of(study, pooled.players, rows, study.settings.path_steps)
    for place, (path, nobody) in enumerate(zip(paths, nobodies, strict=True)):
        change = float(squared_norms(path.change))
        if change > SMALL_CHANGE**2 * pooled.changes.mean():
            shares[place] = path.contributions @ path.change / change
            sizes[place] = np.sqrt(squared_norms(path.contributions) / change)
        phi = path.contributions.astype(np.float32)
        pictures.append(study.pictures(phi))
        incompleteness.add(phi, study.test.reconstructions[rows[place]] - nobody)
    return PicturePaths(
        pictures=np.stack(pictures),
        shares=shares,
        sizes=sizes,
        incompleteness=incompleteness.over(ALONE),
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


def by_player(study: Study, on_path: np.ndarray) -> np.ndarray:
    """Numbers of the path's players in the order of the study's; NaN for those in "rest"."""
    place = {int(unit): player for player, unit in enumerate(study.player_units)}
    result = np.full(len(study.players), np.nan)
    for entry, unit in zip(on_path, study.shared(path_shares).player_units, strict=True):
        if unit >= 0:
            result[place[int(unit)]] = entry
    return result


def agreement_with_shares(study: Study, effects: np.ndarray) -> float | None:
    """Kendall's τ between effects (players,) and shares; None below 3 players or without ranks."""
    if len(effects) < 3:
        return None
    from scipy.stats import kendalltau

    shares = by_player(study, study.shared(path_shares).projections.sum(axis=0))
    named = np.isfinite(shares)
    agreement = float(kendalltau(effects[named], shares[named]).statistic)
    return agreement if np.isfinite(agreement) else None
