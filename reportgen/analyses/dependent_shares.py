"""Which units carry the variance, where units go together? Shapley effects of the linear part.

Where two units say the same, taking one out loses little and moving one alone breaks their company.
A Shapley effect asks instead how much better the reconstruction is known for knowing a unit's value
too, on average over all orders of getting to know them (Lindeman, Merenda & Gold, 1980; Owen &
Prieur, 2017): it is never negative, all sum to 1, and copies have equal parts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import DoesNotApplyError, UnanswerableError
from reportgen.analyses.shared.coalition_table import shapley_weights
from reportgen.analyses.shared.path_contributions import by_player, path_shares
from reportgen.analyses.shared.variance_on_data import ROWS_PER_REGRESSOR
from reportgen.statistics.regression import Affine
from reportgen.study.study import Study

TOGETHER = 0.5
MOST_EXACT, PERMUTATIONS = 10, 512
# Of a permutation's factorisations, each in m³, together.
MOST_OPERATIONS = 2e10
FEWEST_PERMUTATIONS = 32
JITTER = 1e-10


@dataclass(frozen=True)
class DependentShares:
    """Shapley effects of the live units on the linear part of the reconstruction.

    Attributes
    ----------
    units : the m live units, in the order of the code.
    shares : (m,) of the variance over test rows of what is linear in their values; they sum to 1.
    path_shares : (m,) each unit's share of the change, as in `contributions`; NaN for those in
        the rest.
    linear_share : of Var x̂ over the test rows, the variance of that linear part.
    largest_correlation : |r| of the two units that go together most, over the fit rows.
    permutations : seeded orders that the effects are means over; 0 where all orders are counted.
    error : largest standard error of a share over these orders; 0 where all are counted.
    rows : test rows.
    """

    units: tuple[int, ...]
    shares: np.ndarray
    path_shares: np.ndarray
    linear_share: float
    largest_correlation: float
    permutations: int
    error: float
    rows: int


def run(study: Study) -> DependentShares:
    """Regress the reconstructions on the live units' values; nothing is decoded.

    Raises DoesNotApplyError where no two live units have |r| above .5, UnanswerableError with
    fewer than 5 fit rows for each number of the code that is regressed on, or where nothing is
    linear.
    """
    live = study.live_units
    largest = _largest_correlation(study, live)
    if not largest > TOGETHER:
        raise DoesNotApplyError("no two units' values go together (all |r| are at most 0.5).")
    members = [study.units.members[unit] for unit in live]
    chosen = np.concatenate(members)
    if len(study.fit) < ROWS_PER_REGRESSOR * len(chosen):
        raise UnanswerableError(
            f"{len(study.fit)} fit images are fewer than 5 for each of the {len(chosen)} numbers "
            "of the code that shares are asked of."
        )
    covariance, explained, linear_share = _moments(study, chosen)
    sizes = [len(own) for own in members]
    if len(live) <= MOST_EXACT:
        effects, error, count = _over_all_orders(covariance, explained, sizes), 0.0, 0
    else:
        effects, error, count = _over_some_orders(study, covariance, explained, sizes)
    total = float(effects.sum())
    if not total > 0:
        raise UnanswerableError("no part of the reconstruction is linear in the code.")
    places = np.searchsorted(study.player_units, live)
    pooled = study.shared(path_shares)
    on_path = by_player(study, pooled.projections.sum(axis=0) / pooled.changes.sum())
    return DependentShares(
        units=tuple(live.tolist()),
        shares=effects / total,
        path_shares=on_path[places],
        linear_share=linear_share,
        largest_correlation=largest,
        permutations=count,
        error=error / total,
        rows=len(study.test),
    )


def _largest_correlation(study: Study, live: np.ndarray) -> float:
    values = study.units.values(study.fit.every_code)[:, live]
    if len(live) < 2:
        return 0.0
    correlations = np.abs(np.corrcoef(values, rowvar=False))
    np.fill_diagonal(correlations, 0)
    return float(np.nan_to_num(correlations).max())


def _moments(study: Study, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Σ (m, m) of the test codes, Cov(z, ŷ) Cov(ŷ, z) (m, m) with the linear part ŷ, its share."""
    fit, test = (part.codes[:, chosen].astype(np.float64) for part in (study.fit, study.test))
    fitted = Affine(fit, study.fit.reconstructions)
    features = fitted.features(test)
    features -= features.mean(axis=0)
    covariance = features.T @ features / len(features)
    slopes = fitted.coefficients
    gram = slopes @ slopes.T
    explained = covariance @ gram @ covariance
    spread = float(study.test.reconstructions.var(axis=0, dtype=np.float64).sum())
    linear = float(np.trace(gram @ covariance)) / spread if spread > 0 else float("nan")
    return covariance, explained, linear


def _over_all_orders(covariance: np.ndarray, explained: np.ndarray, sizes: list[int]) -> np.ndarray:
    """(units,) Shapley values of v(S) = tr(Σ_SS⁺ C_SS), the variance that knowing S explains."""
    numbers = np.arange(2 ** len(sizes))[:, None]
    memberships = ((numbers >> np.arange(len(sizes))) & 1).astype(bool)
    inside = np.repeat(memberships, sizes, axis=1)
    known = np.zeros(len(memberships))
    for place, own in enumerate(inside):
        block = np.ix_(own, own)
        known[place] = np.sum(np.linalg.pinv(covariance[block], hermitian=True) * explained[block])
    effects: np.ndarray = shapley_weights(memberships) @ known
    return effects


def _over_some_orders(
    study: Study, covariance: np.ndarray, explained: np.ndarray, sizes: list[int]
) -> tuple[np.ndarray, float, int]:
    """Means over seeded orders, the largest standard error, and how many orders.

    In one order each number's part is its squared row of L⁻¹ C^½, L the factor of Σ in that order.
    """
    from scipy.linalg import solve_triangular

    owners = np.repeat(np.arange(len(sizes)), sizes)
    afforded = int(MOST_OPERATIONS / len(covariance) ** 3)
    count = int(np.clip(afforded, FEWEST_PERMUTATIONS, PERMUTATIONS))
    generator = np.random.default_rng([study.settings.seed, 27])
    shifted = covariance + JITTER * np.diag(np.diag(covariance))
    parts = np.zeros((count, len(sizes)))
    for own in parts:
        order = np.argsort(generator.permutation(len(sizes))[owners], kind="stable")
        block = np.ix_(order, order)
        factor = np.linalg.cholesky(shifted[block])
        half = solve_triangular(factor, explained[block], lower=True)
        squares = np.diag(solve_triangular(factor, half.T, lower=True))
        np.add.at(own, owners[order], squares)
    error = parts.std(axis=0, ddof=1) / np.sqrt(count)
    return parts.mean(axis=0), float(error.max()), count
