"""Does a unit only change the intensity of one picture? (claim 1)"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import ImageArray, UnanswerableError
from reportgen.path_contributions import units_by_share
from reportgen.settings import Settings
from reportgen.single_moves import single_moves
from reportgen.statistics.bootstrap import UNDEFINED, Bootstrap, Estimate, interval, safe_ratio
from reportgen.study import Study

SUBSPACE = 24
SHOWN_UNITS = 3
SHOWN_QUANTILES = (0.02, 0.16, 0.84, 0.98)


@dataclass(frozen=True)
class UnitPicture:
    """How far one picture explains a unit.

    Attributes
    ----------
    unit : its index.
    rho_solo : σ₁² / Σσ² of the uncentred stack of solo moves, one base: the unit's own curve.
    rho_context : the same for last-in moves: the unit in each image's company.
    intensity_r2 : R² of a line through the origin from z_k − z0_k to the solo moves' intensity.
    """

    unit: int
    rho_solo: Estimate
    rho_context: Estimate
    intensity_r2: float


@dataclass(frozen=True)
class OnePicture:
    """Claim 1, "more of a unit is not just more of one picture", measured.

    Attributes
    ----------
    units : one for each player, in the order of the code.
    pooled_solo, pooled_context : Σ_k σ₁² / Σ_k Σσ² over all players.
    rows : images behind each number.
    sketched : whether sums of squares come from a linear sketch.
    shown_units : the units with the largest shares.
    shown_values : (units, frames) their values, at quantiles .02, .16, .84 and .98.
    shown_moves : (units, frames, P) g(z0 with that value) − g(z0).
    """

    units: tuple[UnitPicture, ...]
    pooled_solo: Estimate
    pooled_context: Estimate
    rows: int
    sketched: bool
    shown_units: tuple[int, ...]
    shown_values: np.ndarray
    shown_moves: ImageArray


def run(study: Study, settings: Settings) -> OnePicture:
    """Singular values of every player's moves over the statistics rows; no decode of its own
    but the shown frames.

    Raises UnanswerableError where no unit varies.
    """
    if len(study.players) == 0:
        raise UnanswerableError("no unit of the code varies over the images.")
    moves = study.shared(single_moves)
    bootstrap = study.bootstrap(len(moves.rows))
    solo = [_Stack(stack, bootstrap, study) for stack in moves.solo_stack]
    context = [_Stack(stack, bootstrap, study) for stack in moves.last_stack]
    values = study.players.values(study.test.codes[moves.rows])
    start = study.players.values(study.baseline[None])[0]
    shown = units_by_share(study)[:SHOWN_UNITS]
    shown_values, shown_moves = _shown(study, shown)
    return OnePicture(
        units=tuple(
            UnitPicture(
                unit=int(unit),
                rho_solo=solo[k].rho,
                rho_context=context[k].rho,
                intensity_r2=solo[k].intensity_r2(values[:, k] - start[k]),
            )
            for k, unit in enumerate(study.player_units)
        ),
        pooled_solo=_pooled(solo),
        pooled_context=_pooled(context),
        rows=len(moves.rows),
        sketched=moves.sketched,
        shown_units=tuple(int(study.player_units[player]) for player in shown),
        shown_values=shown_values,
        shown_moves=shown_moves,
    )


class _Stack:
    """σ₁² and Σσ² of one stack (r, q) of moves, with their bootstrap resamples.

    Resampled leading eigenvalues are taken within the 24 leading directions of the whole sample.
    """

    def __init__(self, stack: np.ndarray, bootstrap: Bootstrap, study: Study) -> None:
        from scipy.linalg import eigh

        moves = stack.astype(np.float64)
        squares = np.einsum("np,np->n", moves, moves)
        rows = len(moves)
        leading = [max(0, rows - SUBSPACE), rows - 1]
        eigenvalues, vectors = eigh(moves @ moves.T, subset_by_index=leading)
        eigenvalues, vectors = np.maximum(eigenvalues[::-1], 0), vectors[:, ::-1]
        self.first, self.total = float(eigenvalues[0]), float(squares.sum())
        self.has_effect = not study.is_negligible(self.total, len(moves))
        self._intensity = vectors[:, 0] * np.sqrt(eigenvalues[0])
        coordinates = vectors * np.sqrt(eigenvalues)
        products = np.einsum("ni,nj->nij", coordinates, coordinates)
        self.firsts = np.linalg.eigvalsh(bootstrap.sums(products))[:, -1]
        self.totals = bootstrap.sums(squares)

    @property
    def rho(self) -> Estimate:
        if not self.has_effect:
            return UNDEFINED
        return interval(self.first / self.total, safe_ratio(self.firsts, self.totals))

    def intensity_r2(self, displacement: np.ndarray) -> float:
        """R² (around 0) of the intensity on the displacement, through the origin."""
        square = float(displacement @ displacement)
        if not self.has_effect or square == 0:
            return float("nan")
        return float((self._intensity @ displacement) ** 2 / (self.first * square))


def _pooled(stacks: list[_Stack]) -> Estimate:
    firsts = np.sum([stack.firsts for stack in stacks], axis=0)
    totals = np.sum([stack.totals for stack in stacks], axis=0)
    total = sum(stack.total for stack in stacks)
    if not any(stack.has_effect for stack in stacks):
        return UNDEFINED
    return interval(sum(stack.first for stack in stacks) / total, safe_ratio(firsts, totals))


def _shown(study: Study, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values = study.players.values(study.fit.codes)[:, shown]
    quantiles = np.quantile(values, SHOWN_QUANTILES, axis=0).T
    start = study.players.values(study.baseline[None])[0]
    codes = [study.baseline]
    for player, targets in zip(shown, quantiles, strict=True):
        for target in targets:
            code = study.baseline.copy()
            code[study.players.members[player]] += np.float32(target - start[player])
            codes.append(code)
    images = study.decoder.decode(np.stack(codes))
    moves = (images[1:] - images[0]).reshape(len(shown), len(SHOWN_QUANTILES), -1)
    return quantiles, moves
