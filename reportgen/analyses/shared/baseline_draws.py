"""All numbers that hang on the mean code z0, at z0 and at four others that it might have been.

Another fit half has another mean code, and with it other gaps, effects, ρ, shares and misses. All
of them are computed again from each drawn mean code, over the same few rows; how far they move is
what the fit half adds to their intervals (`statistics.fit_uncertainty`). Paths have two steps here,
walked once, each row in its own order: in one order for all rows, shares of units that go together
would move with the mean code by a third less than they do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.shared.path_contributions import PathShares, path_order, path_shares
from reportgen.autoencoder import Units
from reportgen.engine import Coalitions, CodePanel
from reportgen.statistics.blocks import centred_squares, in_parallel
from reportgen.statistics.bootstrap import Estimate, safe_ratio
from reportgen.statistics.fit_uncertainty import deviation_about_first, drawn_means, widened
from reportgen.statistics.leading_directions import leading_directions
from reportgen.statistics.norms import squared_norms
from reportgen.study.rows import drawn_count
from reportgen.study.single_moves import decoded_rows, one_by_one, row_squares
from reportgen.study.study import Study

PATH_STEPS = 2


@dataclass(frozen=True)
class BaselineDraws:
    """Sums at each of five baselines, the first of them z0, over t rows.

    Attributes
    ----------
    baselines : (5, code_size).
    ends : (3, 5, t) combined, gap_up and gap_down, as in `SingleMoves`; `ends_before` the same of
        pre-activations, or None.
    solo, last, damage : (5, t, K) as in `SingleMoves`, and `spread` (t,).
    solo_leading, last_leading : (5, 2, K) σ₁² and Σσ² of each player's moves.
    projections, changes : (5, t, players) and (5, t), as in `PathShares`.
    misses : (2, 5, t) Σ_k‖D_k − φ_k‖² and Σ_k‖φ_k‖² of ablations to the baseline.
    left : (5, t, players + 1) ‖x − v‖² with the first 0, 1, … players by share.
    """

    baselines: np.ndarray
    ends: np.ndarray
    ends_before: np.ndarray | None
    solo: np.ndarray
    last: np.ndarray
    damage: np.ndarray
    spread: np.ndarray
    solo_leading: np.ndarray
    last_leading: np.ndarray
    projections: np.ndarray
    changes: np.ndarray
    misses: np.ndarray
    left: np.ndarray

    @property
    def rows(self) -> int:
        """t."""
        return len(self.spread)


def baseline_draws(study: Study) -> BaselineDraws:
    """Decode single moves and two-step paths from each baseline, at most 10,000 codes in all."""
    shares = study.shared(path_shares)
    drawn = drawn_means(study.fit.every_code, study.fit.every_copy_of, study.settings.seed)
    baselines = np.stack([study.baseline, *drawn])
    each = 2 * len(study.players) + (1 + PATH_STEPS) * len(shares.players)
    rows = study.rows.statistics
    rows = rows[: drawn_count(len(baselines), each, len(rows), study.settings)]
    shape = len(baselines), len(rows)
    sums = _Sums(study, shares, shape[0] * shape[1])
    for places, images, before in decoded_rows(
        study, _moved_codes(study, shares, baselines, rows), "baseline draws"
    ):
        sums.add(places, rows[places % len(rows)], images, before)
    study.ranks.add_up(*sums.arrays)

    def by_baseline(terms: np.ndarray) -> np.ndarray:
        return terms.reshape(*shape, *terms.shape[1:])

    solo_stacks, last_stacks = (
        by_baseline(stack.swapaxes(0, 1)).swapaxes(1, 2) for stack in sums.stacks
    )
    return BaselineDraws(
        baselines=baselines,
        ends=by_baseline(sums.ends).transpose(2, 0, 1),
        ends_before=None if study.squash is None else by_baseline(sums.before).transpose(2, 0, 1),
        solo=by_baseline(sums.solo),
        last=by_baseline(sums.last),
        damage=by_baseline(sums.damage),
        spread=centred_squares(study.test.reconstructions[rows]),
        solo_leading=np.stack([_leading(stacks) for stacks in solo_stacks]),
        last_leading=np.stack([_leading(stacks) for stacks in last_stacks]),
        projections=by_baseline(sums.projections),
        changes=by_baseline(sums.changes),
        misses=by_baseline(sums.misses).transpose(2, 0, 1),
        left=by_baseline(sums.left),
    )


def _moved_codes(
    study: Study, shares: PathShares[Units], baselines: np.ndarray, rows: np.ndarray
) -> CodePanel:
    """Return each baseline's and row's single moves, then its walk in order of shares and its path.

    Both are without their ends.
    """
    alone, walked = (
        [Coalitions(study.engine, players, baseline) for baseline in baselines]
        for players in (study.players, shares.players)
    )
    single = one_by_one(alone[0])
    growing = walked[0].growing(shares.order)[1:-1]

    def of_row(place: int, which: slice | np.ndarray) -> np.ndarray:
        which_baseline, row = divmod(place, len(rows))
        code = study.test.codes[rows[row]]
        onto = walked[which_baseline]
        path = onto.path(code, PATH_STEPS, path_order(study, rows[row], len(shares.players)))
        # Walk A, as of the pooled rows: forth in the first step, back in the second.
        forth, back = path[0, 0, 1:], path[1, 1, 1:-1]
        moved = alone[which_baseline].codes(code, single), onto.codes(code, growing), forth, back
        return np.concatenate(moved)[which]

    each = len(single) + len(growing) + PATH_STEPS * len(shares.players) - 1
    return CodePanel(len(baselines) * len(rows), each, of_row)


class _Sums:
    """The sums of n moved rows, filled a few rows at a time; see `BaselineDraws`."""

    def __init__(self, study: Study, shares: PathShares[Units], count: int) -> None:
        self._study, self._shares = study, shares
        players, on_path = len(study.players), len(shares.players)
        self._compress, length, _ = study.compressor(2 * players * count)
        self.stacks = np.zeros((2, players, count, length), np.float32)
        self.solo, self.last, self.damage = np.zeros((3, count, players))
        self.ends, self.before = np.zeros((2, count, 3))
        self.projections, self.changes = np.zeros((count, on_path)), np.zeros(count)
        self.misses, self.left = np.zeros((count, 2)), np.zeros((count, on_path + 1))

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """Arrays that other ranks have filled in elsewhere."""
        moves = self.solo, self.last, self.damage, self.ends, self.before
        return (*moves, self.stacks, self.projections, self.changes, self.misses, self.left)

    def add(
        self, places: np.ndarray, rows: np.ndarray, images: np.ndarray, before: np.ndarray | None
    ) -> None:
        """Images (places, codes of each, P) of test rows, and their pre-activations."""
        players = self.solo.shape[1]
        single = 2 + 2 * players
        originals = self._study.test.images[rows]
        solo, last, damage, ends = row_squares(images[:, :single], originals)
        self.solo[places], self.last[places], self.damage[places] = solo, last, damage
        self.ends[places] = ends.T
        if before is not None:
            self.before[places] = row_squares(before[:, :single], originals)[-1].T
        up = images[:, 2 : 2 + players] - images[:, :1]
        down = images[:, 1:2] - images[:, 2 + players : single]
        for stack, moves in zip(self.stacks, (up, down), strict=True):
            compressed = self._compress(moves.reshape(-1, moves.shape[-1]))
            stack[:, places] = compressed.reshape(len(moves), players, -1).swapaxes(0, 1)
        for place, row, own, original in zip(places, rows, images, originals, strict=True):
            self._add_paths(int(place), int(row), own, original)

    def _add_paths(self, place: int, row: int, images: np.ndarray, original: np.ndarray) -> None:
        shares, units = self._shares, self._study.player_units
        walk, path = _walks(images, 2 + 2 * len(units), len(shares.players))
        phi = _contributions(path, path_order(self._study, row, len(shares.players)))
        change = walk[-1] - walk[0]
        ablations = _ablations(images, walk, shares, units)
        self.projections[place], self.changes[place] = phi @ change, squared_norms(change)
        self.misses[place] = squared_norms(ablations - phi).sum(), squared_norms(phi).sum()
        self.left[place] = squared_norms(original - walk)


def _leading(stacks: np.ndarray) -> np.ndarray:
    """(K, t, q) moves → (2, K) σ₁² and Σσ² of each player's."""
    found = in_parallel(leading_directions, stacks)
    return np.array([(moves.first, moves.squares.sum()) for moves in found]).T


def _walks(images: np.ndarray, single: int, players: int) -> tuple[np.ndarray, np.ndarray]:
    """(players + 1, P) and (2 players + 1, P) float64: the images in order of shares, on the path.

    Both start with nobody's and end with everyone's.
    """
    nobody, everyone = images[:1], images[1:2]
    growing, path = np.split(images[single:], [players - 1])
    return (
        np.concatenate([nobody, growing, everyone]).astype(np.float64),
        np.concatenate([nobody, path, everyone]).astype(np.float64),
    )


def _contributions(path: np.ndarray, order: np.ndarray) -> np.ndarray:
    """(players, P) φ of a path of two steps, walked once: forth in the order, then back."""
    forth, back = np.split(np.diff(path, axis=0), PATH_STEPS)
    phi = np.empty((len(order), path.shape[1]))
    phi[order] = forth
    phi[order[::-1]] += back
    return phi


def _ablations(
    images: np.ndarray, walk: np.ndarray, shares: PathShares[Units], player_units: np.ndarray
) -> np.ndarray:
    """(players, P) x̂ less the image without each of the path's players."""
    without = images[2 + len(player_units) : 2 + 2 * len(player_units)]
    ablations = np.empty((len(shares.players), walk.shape[1]))
    named = shares.player_units >= 0
    places = np.searchsorted(player_units, shares.player_units[named])
    ablations[named] = walk[-1] - without[places]
    # The rest joins last.
    ablations[~named] = walk[-1] - walk[-2]
    return ablations


def deviation_of_ratio(
    numerators: np.ndarray,
    denominators: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray] = lambda ratio: ratio,
) -> np.ndarray:
    """Sd that the fit half adds to Σ numerators / Σ denominators over rows, or to what follows.

    (5, t, …) and (5, t) or (t,) → (…); NaN where a ratio is undefined.
    """
    above = numerators.sum(axis=1)
    below = np.broadcast_to(denominators, numerators.shape[:2]).sum(axis=1)
    ratios = safe_ratio(above, below.reshape(-1, *(1,) * (above.ndim - 1)))
    return deviation_about_first(statistic(ratios))


def all_widened(
    estimates: tuple[Estimate, ...], deviations: np.ndarray, *, least: float = -np.inf
) -> tuple[Estimate, ...]:
    """Each estimate, widened by its own deviation."""
    pairs = zip(estimates, deviations, strict=True)
    return tuple(widened(estimate, float(deviation), least=least) for estimate, deviation in pairs)
