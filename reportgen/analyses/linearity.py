"""On real codes: how much of the reconstruction is linear in the code, how much curved, how much
not additive?
"""

from __future__ import annotations

from dataclasses import dataclass

from reportgen.analyses import UnanswerableError
from reportgen.analyses.shared.variance_on_data import (
    ROWS_PER_REGRESSOR,
    bending,
    codes_on_data,
    regressors_on_data,
    shares_on_data,
)
from reportgen.statistics.bootstrap import Estimate, held_by_few
from reportgen.statistics.regression import Splines, VarianceShares, added_to_shares, squares_left
from reportgen.study.study import Study

ROWS_PER_PRODUCT = 5


@dataclass(frozen=True)
class Linearity:
    """Shares of Var x̂ over the test rows, over all pixels; each in [0, 1], and they sum to 1.

    Attributes
    ----------
    linear : R² of the least-squares map z → x̂ fitted on the fit rows; 0 where it is below.
    curved : R² added by cubic splines of each live unit, 0 where they add none; None where the fit
        rows are fewer than 20 for each of their coordinates.
    not_additive : what neither explains; an upper bound, since the splines are a finite basis.
    ridge : the penalty chosen on folds of the fit rows; None where no splines were fitted, or where
        none of them predict rows that they were not fitted on.
    fit_rows, test_rows : numbers of images.
    regressors : coordinates of the code that x̂ is regressed on; of a spatial code every element,
        since its channels' means would pass off what differs between sites as not additive.
    heavy_tailed : names of the numbers that the largest 1 % of rows hold over a quarter of, whose
        intervals are therefore too narrow.
    products : R² added by the products of every two coordinates, 0 where they add none; None where
        they are more than a fifth of the fit rows.
    """

    linear: Estimate
    curved: Estimate | None
    not_additive: Estimate | None
    ridge: float | None
    fit_rows: int
    test_rows: int
    regressors: int
    heavy_tailed: tuple[str, ...]
    products: Estimate | None


def run(study: Study) -> Linearity:
    """Fit on the fit rows, score on the test rows; nothing is decoded but what live units need.

    Raises UnanswerableError with fewer than 5 fit rows for each unit, or when x̂ does not vary.
    """
    if len(study.players) == 0:
        raise UnanswerableError("no unit of the code varies over the images.")
    rows, count = len(study.fit), len(regressors_on_data(study))
    shares = shares_on_data(study)
    if shares is None:
        raise UnanswerableError(
            f"{rows} fit rows are fewer than {ROWS_PER_REGRESSOR} for each of the code's {count} "
            "coordinates that vary."
        )
    if study.is_negligible(float(shares.total.sum()), len(study.test)):
        raise UnanswerableError("the reconstruction is the same for every test row.")
    return Linearity(
        linear=shares.linear,
        curved=shares.curved,
        not_additive=shares.not_additive,
        ridge=shares.ridge,
        fit_rows=rows,
        test_rows=len(study.test),
        regressors=count,
        heavy_tailed=("shares",) if held_by_few(shares.total, shares.missed) else (),
        products=_products(study, shares) if shares.curved else None,
    )


def _products(study: Study, shares: VarianceShares) -> Estimate | None:
    """R² that products of two coordinates add to the splines'."""
    fit_codes, test_codes = codes_on_data(study)
    count = fit_codes.shape[1]
    if not 0 < count * (count - 1) / 2 <= len(fit_codes) / ROWS_PER_PRODUCT:
        return None
    both = Splines(
        fit_codes,
        study.fit.reconstructions,
        shares.affine,
        study.settings.seed,
        bent=bending(study),
        products=True,
    )
    *_, missed = squares_left(test_codes, study.test.reconstructions, shares.affine, both)
    bootstrap = study.bootstrap(study.test_rows)
    return bootstrap.estimate(
        added_to_shares, missed, shares.missed_linear, shares.missed, shares.total
    )
