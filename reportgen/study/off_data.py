"""Is a code one that real images could have? Two flags, neither enough alone.

The Mahalanobis flag sees codes far from the cloud of real codes but not a hole inside it; the cycle
flag, the distance between a code and the code of its own image, sees holes but fires on rounding
error without a floor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from reportgen.autoencoder import Units
from reportgen.engine import Engine
from reportgen.statistics.blocks import column_deviations

QUANTILE = 0.99
CYCLE_FLOOR = 1e-3
REGULARISER = 1e-10
FEWEST_CALIBRATION, LARGEST_CALIBRATION = 500, 2_000
FOLDS = 5


@dataclass(frozen=True)
class OffData:
    """Thresholds of both flags, from the real codes of the fit rows.

    Attributes
    ----------
    live : (m,) the live units; only these are looked at.
    mean : (m,) of the live units' values.
    coordinates, deviation : (c,) the coordinates of live units that vary, and their sd.
    precision : (m, m) inverse covariance (Ledoit–Wolf where the rows are fewer than 10 m).
    shrunk : whether Ledoit–Wolf was used.
    largest_distance : 99 % quantile of the squared Mahalanobis distance on real codes; where the
        covariance is shrunk, of codes that it was not fitted on.
    largest_cycle_error : max(99 % quantile of the cycle error on real codes, 1e-3).
    """

    units: Units
    live: np.ndarray
    mean: np.ndarray
    coordinates: np.ndarray
    deviation: np.ndarray
    precision: np.ndarray
    shrunk: bool
    largest_distance: float
    largest_cycle_error: float

    def distances(self, codes: np.ndarray) -> np.ndarray:
        """(n, code_size) → (n,) squared Mahalanobis distance over live units."""
        centred = self.units.values(codes)[:, self.live] - self.mean
        return np.einsum("nj,jk,nk->n", centred, self.precision, centred)

    def cycle_errors(
        self, codes: np.ndarray, engine: Engine, images: np.ndarray | None = None
    ) -> np.ndarray:
        """(n, code_size) → (n,) ‖(E(g(z)) − z) / s‖ / √c over the live units' coordinates.

        `images` (n, P) are the decoded codes, where somebody has them.
        """
        if images is not None:
            again = engine.encode(images, engine.labels_in(codes))
        else:
            blocks = engine.decode_blocks(codes)
            encoded = [
                engine.encode(decoded, engine.labels_in(codes[part])) for part, decoded in blocks
            ]
            again = np.concatenate(encoded)
        change = (again - codes)[:, self.coordinates].astype(np.float64)
        return np.sqrt(np.mean((change / self.deviation) ** 2, axis=1))

    def flags(
        self, codes: np.ndarray, engine: Engine, images: np.ndarray | None = None
    ) -> np.ndarray:
        """(n, code_size) → (n,) True where either flag is up; `images` as in `cycle_errors`."""
        if len(self.live) == 0:
            return np.zeros(len(codes), dtype=bool)
        far = self.distances(codes) > self.largest_distance
        # Written so that an image that is not a number is off data too.
        return far | ~(self.cycle_errors(codes, engine, images) <= self.largest_cycle_error)

    def far_share(self, codes: np.ndarray) -> float:
        """Share of codes that the Mahalanobis flag alone marks."""
        if len(self.live) == 0:
            return 0.0
        return float(np.mean(self.distances(codes) > self.largest_distance))


def calibrate(
    units: Units,
    codes: np.ndarray,
    live: np.ndarray,
    engine: Engine,
    decoded: tuple[np.ndarray, np.ndarray] | None = None,
) -> OffData:
    """Fit both flags on real codes (n, code_size), at most 2,000 of them for the cycle error.

    `decoded` are some of the codes with their images (m, P), where somebody has them: the cycle
    error is taken on those, where they are all or at least 500.
    """
    values = units.values(codes)[:, live]
    if len(live) == 0:
        nothing = np.zeros(0)
        none = np.zeros(0, np.intp)
        shape = (0, 0)
        return OffData(units, live, nothing, none, nothing, np.zeros(shape), False, np.nan, np.nan)
    covariance, shrunk = _covariance(values)
    coordinates = np.concatenate([units.members[unit] for unit in live])
    deviation = column_deviations(codes)[coordinates]
    flag = OffData(
        units=units,
        live=live,
        mean=values.mean(axis=0),
        coordinates=coordinates[deviation > 0],
        deviation=deviation[deviation > 0],
        precision=_inverse(covariance),
        shrunk=shrunk,
        largest_distance=np.inf,
        largest_cycle_error=np.inf,
    )
    distances = (
        _distances_in_folds(values) if shrunk else _distances_left_out(flag.distances(codes))
    )
    cycled, images = codes[:LARGEST_CALIBRATION], None
    if decoded is not None and len(decoded[0]) >= min(len(codes), FEWEST_CALIBRATION):
        cycled, images = (part[:LARGEST_CALIBRATION] for part in decoded)
    cycle_errors = flag.cycle_errors(cycled, engine, images)
    return replace(
        flag,
        largest_distance=float(np.quantile(distances, QUANTILE)),
        largest_cycle_error=max(float(np.quantile(cycle_errors, QUANTILE)), CYCLE_FLOOR),
    )


def conditional_deviations(flag: OffData, values: np.ndarray) -> np.ndarray:
    """(K,) the sd of each unit's value given the live units other than itself, if Gaussian.

    `values` (n, K) are what the flag was calibrated on. Of a live unit it is 1/√(Σ⁻¹)_kk; of any
    other what least squares on the live ones leaves, or its own sd where there are too few values.
    """
    deviations = values.std(axis=0)
    if len(flag.live) == 0:
        return deviations
    live = values[:, flag.live] - values[:, flag.live].mean(axis=0)
    if len(live) > 1 + live.shape[1]:
        others = np.setdiff1d(np.arange(values.shape[1]), flag.live)
        centred = values[:, others] - values[:, others].mean(axis=0)
        coefficients, *_ = np.linalg.lstsq(live, centred, rcond=None)
        deviations[others] = (centred - live @ coefficients).std(axis=0)
    deviations[flag.live] = 1 / np.sqrt(np.diag(flag.precision))
    return deviations


def _distances_left_out(distances: np.ndarray) -> np.ndarray:
    """(n,) each code's squared distance by the mean and covariance of all the others.

    Sherman and Morrison's formula gives it from D, the distance with the code among them:
    n D / (n − 1) / (1 − D / (n − 1)).
    """
    others = len(distances) - 1
    alone = np.maximum(1 - distances / others, np.finfo(np.float64).eps)
    return distances * (others + 1) / others / alone


def _distances_in_folds(values: np.ndarray) -> np.ndarray:
    """(n,) each code's squared distance by a covariance of the four fifths that it is not in.

    With few codes for so many units their own covariance fits them far too well: 70 % of new codes
    of 512 units lay beyond the 99 % quantile of the 500 that it was fitted on.
    """
    distances = np.empty(len(values))
    for fold in range(FOLDS):
        left_out = np.arange(len(values)) % FOLDS == fold
        kept = values[~left_out]
        varying = kept.std(axis=0) > 0
        precision = _inverse(_covariance(kept[:, varying])[0])
        centred = (values[left_out] - kept.mean(axis=0))[:, varying]
        distances[left_out] = np.einsum("nj,jk,nk->n", centred, precision, centred)
    return distances


def _inverse(covariance: np.ndarray) -> np.ndarray:
    """Σ⁻¹ with 1e-10 of each variance added: units that copy each other are held to it."""
    scale = np.sqrt(np.diag(covariance))
    correlations = covariance / np.outer(scale, scale) + REGULARISER * np.eye(len(scale))
    return np.linalg.inv(correlations) / np.outer(scale, scale)


def _covariance(values: np.ndarray) -> tuple[np.ndarray, bool]:
    """Covariance (m, m) with ddof 0, shrunk where the rows are few (Ledoit & Wolf, 2004)."""
    rows, count = values.shape
    if rows >= 10 * count:
        return np.atleast_2d(np.cov(values, rowvar=False, ddof=0)), False
    from sklearn.covariance import ledoit_wolf

    # Shrinkage targets a multiple of the identity, which only fits units of equal scale.
    scale = values.std(axis=0)
    shrunk, _ = ledoit_wolf(values / scale)
    return shrunk * np.outer(scale, scale), True
