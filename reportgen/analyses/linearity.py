"""On real codes: how much of the reconstruction is linear in the code, how much curved, how much
not additive?
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import UnanswerableError
from reportgen.statistics.bootstrap import Estimate
from reportgen.statistics.regression import (
    Splines,
    VarianceShares,
    squares_left,
    variance_shares,
)
from reportgen.study.study import Study

ROWS_PER_UNIT_LINEAR, ROWS_PER_UNIT_CURVED = 5, 20
ROWS_PER_PRODUCT = 5


@dataclass(frozen=True)
class Linearity:
    """Shares of Var x̂ over the test rows, variance-weighted over pixels.

    Attributes
    ----------
    linear : R² of the least-squares map z → x̂ fitted on the fit rows.
    curved : R² added by cubic splines of each unit; None where the fit rows are fewer than 20 K.
    not_additive : what neither explains; an upper bound, since the splines are a finite basis.
    ridge : the penalty chosen on a split of the fit rows; None where no splines were fitted.
    fit_rows, test_rows : numbers of images.
    regressors : coordinates of the code that x̂ is regressed on; of a spatial code every element,
        since its channels' means would pass off what differs between sites as not additive.
    products : R² added by the products of every two coordinates; None where they are more than a
        fifth of the fit rows.
    """

    linear: Estimate
    curved: Estimate | None
    not_additive: Estimate | None
    ridge: float | None
    fit_rows: int
    test_rows: int
    regressors: int
    products: Estimate | None


def run(study: Study) -> Linearity:
    """Fit on the fit rows, score on the test rows; no decode.

    Raises UnanswerableError with fewer than 5 fit rows for each unit, or when x̂ does not vary.
    """
    players, rows = len(study.players), len(study.fit)
    if players == 0:
        raise UnanswerableError("no unit of the code varies over the images.")
    coordinates = np.concatenate(study.players.members)
    count = len(coordinates)
    if rows < ROWS_PER_UNIT_LINEAR * count:
        raise UnanswerableError(
            f"{rows} fit rows are fewer than {ROWS_PER_UNIT_LINEAR} for each of the code's {count} "
            "coordinates that vary."
        )
    fit_codes = study.fit.codes[:, coordinates].astype(np.float64)
    test_codes = study.test.codes[:, coordinates].astype(np.float64)
    shares = variance_shares(
        (fit_codes, study.fit.reconstructions),
        (test_codes, study.test.reconstructions),
        study.bootstrap(len(study.test)),
        study.settings.seed,
        curves=rows >= ROWS_PER_UNIT_CURVED * count,
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
        products=_products(study, shares, fit_codes, test_codes) if shares.curved else None,
    )


def _products(
    study: Study, shares: VarianceShares, fit_codes: np.ndarray, test_codes: np.ndarray
) -> Estimate | None:
    """R² that products of two coordinates add to the splines'."""
    count = fit_codes.shape[1]
    if not 0 < count * (count - 1) / 2 <= len(fit_codes) / ROWS_PER_PRODUCT:
        return None
    fitted = study.fit.reconstructions
    both = Splines(fit_codes, fitted, shares.affine, study.settings.seed, products=True)
    *_, missed = squares_left(test_codes, study.test.reconstructions, shares.affine, both)
    return study.bootstrap(len(missed)).ratio(shares.missed - missed, shares.total)
