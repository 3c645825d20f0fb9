"""Linear, curved and not additive on real codes: "how linear", and before a last squash.

The linear map has every coordinate that varies; only those of live units may curve, since a curve
of a unit that the decoder does not read can fit nothing but chance.
"""

from __future__ import annotations

import numpy as np

from reportgen.statistics.regression import VarianceShares, variance_shares
from reportgen.study.study import Study

ROWS_PER_REGRESSOR, ROWS_PER_CURVE = 5, 20


def regressors(study: Study) -> np.ndarray:
    """(m,) the coordinates of the code that vary."""
    members = study.players.members
    return np.concatenate(members) if members else np.zeros(0, np.intp)


def regressors_on_data(study: Study) -> np.ndarray:
    """The regressors, and the indicators of classes that stand behind codes and vary."""
    size = study.engine.code_size
    behind = np.arange(size - study.engine.label_size, size)
    varies = np.ptp(study.fit.codes[:, behind], axis=0) > 0
    return np.concatenate([regressors(study), behind[varies]])


def bending(study: Study) -> np.ndarray:
    """Places among the regressors of the coordinates of live units, rising."""
    owners = study.units.unit_of_coordinate[regressors(study)]
    return np.flatnonzero(np.isin(owners, study.live_units))


def codes_on_data(study: Study) -> tuple[np.ndarray, np.ndarray]:
    """Fit and test codes (n, m) in float64, at the regressors."""
    chosen = regressors_on_data(study)
    fit, test = (part.codes[:, chosen].astype(np.float64) for part in (study.fit, study.test))
    return fit, test


def shares_on_data(study: Study, targets: Study | None = None) -> VarianceShares | None:
    """Shares of Var x̂ over the test rows; no decode but those of `live_units`.

    `targets` has other reconstructions of the same codes. None with fewer than 5 fit rows for each
    regressor; without curves below 20 for each of those that may curve.
    """
    images = targets or study
    bent, rows = bending(study), len(study.fit)
    if rows < ROWS_PER_REGRESSOR * len(regressors_on_data(study)):
        return None
    fit_codes, test_codes = codes_on_data(study)
    return variance_shares(
        (fit_codes, images.fit.reconstructions),
        (test_codes, images.test.reconstructions),
        study.bootstrap(study.test_rows),
        study.settings.seed,
        curves=rows >= ROWS_PER_CURVE * len(bent),
        bent=bent,
        copies=study.fit.copy_of,
    )
