"""Bootstrap over rows (images): percentile intervals for ratios of sums over rows, studentized ones
for R² and for misses, bias-corrected ones for numbers that few rows push to one side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

LOWER, UPPER = 2.5, 97.5
FEW_ROWS, HELD_SHARE, FEWEST_TO_JUDGE = 0.01, 0.25, 32
# Images of a miss: the picture rows and 8 more.
FEWEST_TO_STUDENTIZE = 16
# A smaller sd of a logarithm is rounding.
LEAST_DEVIATION = 1e-7


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval (bootstrap over rows).

    NaN stands for "undefined" in all three, for instance for a ratio whose denominator is zero.
    """

    value: float
    low: float
    high: float

    @property
    def resamples(self) -> np.ndarray | None:
        """(B,) the number in each resample, where it was kept: of numbers estimated alone."""
        kept: np.ndarray | None = self.__dict__.get("_resamples")
        return kept

    def with_resamples(self, resampled: np.ndarray | None) -> Estimate:
        """The same number, with what it is in each resample (B,). No field: nothing stores it."""
        same = Estimate(self.value, self.low, self.high)
        # A frozen dataclass takes no attribute otherwise.
        object.__setattr__(same, "_resamples", resampled)
        return same


UNDEFINED = Estimate(float("nan"), float("nan"), float("nan"))


class Bootstrap:
    """Resamples of n rows as integer weights, drawn once, so that all numbers share them.

    Efron, 1979; percentile intervals, B resamples. Rows of one `cluster` (n,) are drawn together
    (Davison & Hinkley, 1997, §3.8); without clusters each row is drawn for itself.
    """

    def __init__(
        self, rows: int, resamples: int, seed: int, clusters: np.ndarray | None = None
    ) -> None:
        chosen = np.arange(rows) if clusters is None else clusters
        _, self._first, members = np.unique(chosen, return_index=True, return_inverse=True)
        self._members, count = members, len(self._first)
        generator = np.random.default_rng([seed, count, resamples])
        self.weights = np.empty((resamples, rows))
        # Rows counted as they are drawn: with thousands of them numpy's multinomial takes several
        # times as long.
        for weights in self.weights:
            counts = np.bincount(generator.integers(count, size=count), minlength=count)
            weights[:] = counts[members]

    @property
    def images(self) -> int:
        """Number of different images among the rows."""
        return len(self._first)

    def sums(self, per_row: np.ndarray) -> np.ndarray:
        """(n, …) per-row terms → (B, …) their sums in each resample."""
        flat = np.asarray(per_row, dtype=np.float64).reshape(len(per_row), -1)
        return (self.weights @ flat).reshape(len(self.weights), *np.shape(per_row)[1:])

    def estimate(self, statistic: Callable[..., np.ndarray], *per_row: np.ndarray) -> Estimate:
        """`statistic` of the sums over rows of each argument, which broadcasts over resamples."""
        whole = statistic(*(np.asarray(terms, dtype=np.float64).sum(axis=0) for terms in per_row))
        resampled = statistic(*(self.sums(terms) for terms in per_row))
        return interval(float(whole), resampled).with_resamples(resampled.astype(np.float32))

    def estimates(
        self,
        statistic: Callable[..., np.ndarray],
        common: Sequence[np.ndarray],
        each: Sequence[np.ndarray],
    ) -> tuple[Estimate, ...]:
        """`estimate` for each column of `each` (n, m), beside what is `common` (n,) to all."""
        columns = (*(terms[:, None] for terms in common), *each)
        terms = [np.asarray(part, dtype=np.float64) for part in columns]
        whole = statistic(*(part.sum(axis=0) for part in terms))
        resampled = statistic(*(self.sums(part) for part in terms))
        return tuple(interval(float(w), resampled[:, k]) for k, w in enumerate(whole))

    def ratio(self, numerators: np.ndarray, denominators: np.ndarray) -> Estimate:
        """Σ numerators / Σ denominators over rows; undefined where the denominator is no effect."""
        return self.estimate(safe_ratio, numerators, denominators)

    def explained(self, missed: np.ndarray, total: np.ndarray) -> Estimate:
        """R², 1 − Σ missed / Σ total over rows; undefined where there is nothing to explain.

        The interval is studentized, of the logarithm of 1 − R² (Davison & Hinkley, 1997, §5.2):
        where few rows hold much of a sum, a sample that lacks them has a small R² and a small
        sd alike, which percentiles do not know. Below 32 rows, or where nothing is missed, it is
        the percentile interval.
        """
        found = self.estimate(lambda m, t: 1 - safe_ratio(m, t), missed, total)
        low, high = self.log_ratio(missed, total, FEWEST_TO_JUDGE)
        return _with_ends(found, 1 - np.exp(high), 1 - np.exp(low))

    def root_ratio(self, missed: np.ndarray, total: np.ndarray) -> Estimate:
        """√(Σ missed / Σ total) over rows; undefined where the denominator is no effect.

        The interval is studentized, of the logarithm, as that of `explained`, but both ends are as
        far from it, which few rows tell better (Hall, 1988). Of fewer than 16 rows it is the
        percentile interval.
        """
        found = self.estimate(lambda m, t: np.sqrt(safe_ratio(m, t)), missed, total)
        low, high = self.log_ratio(missed, total, FEWEST_TO_STUDENTIZE, symmetric=True)
        return _with_ends(found, np.exp(low / 2), np.exp(high / 2))

    def log_ratio(
        self, above: np.ndarray, below: np.ndarray, fewest: int, *, symmetric: bool = False
    ) -> tuple[float, float]:
        """The studentized interval of log(Σ above / Σ below) over rows.

        A `symmetric` one has the logarithm in its middle.
        NaN where there is none: below `fewest` images, where a sum is 0, and where the ratio is
        every row's.
        """
        count = self.images
        above, below = (np.bincount(self._members, s, minlength=count) for s in (above, below))
        if count < fewest or not above.sum() > 0 or not below.sum() > 0:
            return float("nan"), float("nan")
        weights = self.weights if count == len(self._members) else self.weights[:, self._first]
        logarithm, deviation = _log_ratio(np.ones((1, count)), above, below)
        resampled, deviations = _log_ratio(weights, above, below)
        if not deviation[0] > LEAST_DEVIATION:
            return float("nan"), float("nan")
        known = deviations > LEAST_DEVIATION
        moved = (resampled[known] - logarithm[0]) / deviations[known]
        moved = moved[np.isfinite(moved)]
        least, most = np.percentile(moved, [LOWER, UPPER])
        if symmetric:
            most = np.percentile(np.abs(moved), UPPER - LOWER)
            least = -most
        return float(logarithm[0] - most * deviation[0]), float(logarithm[0] - least * deviation[0])

    def ratios(self, numerators: np.ndarray, denominators: np.ndarray) -> tuple[Estimate, ...]:
        """One ratio for each column of `numerators` (n, m) over the same denominators (n,)."""
        return self.estimates(lambda d, n: safe_ratio(n, d), [denominators], [numerators])


def _with_ends(found: Estimate, low: float, high: float) -> Estimate:
    """The same number between other ends, itself among them; as it is where an end is unknown."""
    if not (np.isfinite(found.low) and np.isfinite(low) and np.isfinite(high)):
        return found
    ends = float(min(low, found.value)), float(max(high, found.value))
    return Estimate(found.value, *ends).with_resamples(found.resamples)


def _log_ratio(
    weights: np.ndarray, above: np.ndarray, below: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(B,) log(Σ above / Σ below) at each row of weights (B, n), and its sd by the delta method."""
    sums = weights @ np.stack([above, below, above**2, below**2, above * below], axis=1)
    top, bottom, squared_top, squared_bottom, product = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = squared_top / top**2 + squared_bottom / bottom**2 - 2 * product / (top * bottom)
        return np.log(top / bottom), np.sqrt(np.maximum(0, variance))


def held_by_few(*sums: np.ndarray) -> bool:
    """Tell whether the largest 1 % of rows, at least one, hold over a quarter of a sum (n,).

    Then resamples mostly lack the rows that decide, and an interval is too narrow. Below 32 rows
    nothing is said, since one of so few may well be a quarter.
    """
    for terms in sums:
        largest = np.sort(terms)[-max(1, round(FEW_ROWS * len(terms))) :]
        if len(terms) >= FEWEST_TO_JUDGE and largest.sum() > HELD_SHARE * terms.sum() > 0:
            return True
    return False


def weaker_end(measure: Estimate) -> float:
    """The end of an interval that is nearer to 0; 0 where it spans 0 or is undefined."""
    if not np.isfinite(measure.low) or measure.low <= 0 <= measure.high:
        return 0.0
    return min(abs(measure.low), abs(measure.high))


def stronger_end(measure: Estimate) -> float:
    """The largest absolute value of an estimate and the ends of its interval that are known."""
    ends = measure.low, measure.value, measure.high
    return max((abs(end) for end in ends if np.isfinite(end)), default=0.0)


def safe_ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """numerator / denominator, NaN where the denominator is not positive."""
    numerator, denominator = np.broadcast_arrays(
        np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    )
    ratio = np.full(numerator.shape, np.nan)
    return np.divide(numerator, denominator, out=ratio, where=denominator > 0)


def interval(value: float, resampled: np.ndarray) -> Estimate:
    """The percentile interval of `resampled` (B,) around `value`; undefined ones are left out."""
    resampled = resampled[np.isfinite(resampled)]
    if not np.isfinite(value) or len(resampled) == 0:
        return Estimate(float(value), float("nan"), float("nan"))
    low, high = np.percentile(resampled, [LOWER, UPPER])
    return Estimate(float(value), float(low), float(high))


def bias_corrected_interval(value: float, resampled: np.ndarray, largest: float) -> Estimate:
    """The percentile interval less twice the bootstrap's bias, cut at 0 and `largest`.

    A resample is to the sample what the sample is to all images: where resamples lie above the
    value by b on average, the value lies above the truth by about b, and they by 2b (Efron &
    Tibshirani, 1993, chapter 10). Where b exceeds half the interval, the value is outside it.
    """
    found = interval(value, resampled)
    bias = float(np.mean(resampled[np.isfinite(resampled)])) - value if np.isfinite(value) else 0.0
    low, high = (float(np.clip(end - 2 * bias, 0, largest)) for end in (found.low, found.high))
    return Estimate(found.value, low, high)
