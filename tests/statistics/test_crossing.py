"""Where a curve of sums meets a level, and the interval of that place."""

from __future__ import annotations

import numpy as np
import pytest

from reportgen.statistics.bootstrap import Bootstrap, interval
from reportgen.statistics.crossing import crossing, crossing_interval
from tests.oracles.studentized import studentized

ROWS, FALLING = 120, np.array([1, 0.6, 0.3, 0.15, 0.05])
UNMOVED = np.ones((10, 5))


def heavy(seed: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """A curve (n, 5) of infinite variance and a level (n,); of all rows 4, 2.4, 1.2, … and 0.8."""
    generator = np.random.default_rng([33, seed])
    total = generator.pareto(1.25, size=rows)
    return total[:, None] * FALLING, generator.uniform(0.6, 1.0, size=rows)


def test_a_curve_is_joined_by_lines_and_ends_where_it_does_not_reach() -> None:
    curve = np.array([9.0, 5, 1])
    levels = [10, 9, 7, 3, 1, 0.5]
    np.testing.assert_allclose([crossing(curve, at) for at in levels], [0, 0, 0.5, 1.5, 2, 2])


def test_the_interval_is_where_that_of_the_ratio_holds_1_by_hand() -> None:
    """The studentized interval of each log ratio, widened by the jackknife's sd; then the ends."""
    generator = np.random.default_rng(2)
    level = generator.gamma(2, size=ROWS)
    curve = (level + 2 * generator.gamma(1, size=ROWS))[:, None] * 2 * FALLING
    without = curve.sum(axis=0) * np.exp(0.02 * generator.normal(size=(10, 5)))
    low, high = crossing_interval(Bootstrap(ROWS, 4_000, seed=1), curve, level, without)
    ends = np.array([by_hand(curve[:, place], level, without[:, place]) for place in range(5)])
    expected = [np.interp(-1, -ratios, np.arange(5)) for ratios in ends.T]
    value = crossing(curve.sum(axis=0), level.sum())
    assert low < value < high
    assert [low, high] == pytest.approx(expected, abs=0.05 * (high - low))


def by_hand(above: np.ndarray, below: np.ndarray, without: np.ndarray) -> np.ndarray:
    """Both ends of Σ above / Σ below (Davison & Hinkley, 1997, §5.2), and the fit half's part."""
    whole, deviation, moved = studentized(above, below, resamples=2_000, seed=3)
    halves = np.percentile(moved, [97.5, 2.5]) * deviation
    of_fit = 1.96 * np.sqrt(0.9 * np.square(np.log(without) - np.log(without).mean()).sum())
    return np.exp(whole - np.sign(halves) * np.hypot(halves, of_fit))


def test_it_holds_the_place_more_often_than_percentiles_where_few_rows_decide() -> None:
    truth, held = 2 + 0.4 / 0.6, {"of the ratio": 0, "percentile": 0}
    for seed in range(200):
        curve, level = heavy(seed, 300)
        bootstrap = Bootstrap(300, 200, seed)
        low, high = crossing_interval(bootstrap, curve, level, UNMOVED)
        held["of the ratio"] += low <= truth <= high
        sums = zip(bootstrap.sums(curve), bootstrap.sums(level), strict=True)
        plain = interval(0, np.array([crossing(*both) for both in sums]))
        held["percentile"] += plain.low <= truth <= plain.high
    assert held["percentile"] + 10 < held["of the ratio"]


def test_a_level_that_the_curve_never_reaches_is_beyond_and_one_above_it_is_at_0() -> None:
    curve, level = heavy(0, ROWS)
    bootstrap = Bootstrap(ROWS, 100, 0)
    assert crossing_interval(bootstrap, curve, level / 1e4, UNMOVED) == (4, 4)
    assert crossing_interval(bootstrap, curve, level * 1e4, UNMOVED) == (0, 0)


def test_a_curve_that_is_the_level_in_every_row_has_the_fit_half_s_width_alone() -> None:
    level = np.random.default_rng(4).gamma(2, size=ROWS)
    curve = level[:, None] * [4.0, 2, 1, 0.5, 0]
    bootstrap = Bootstrap(ROWS, 100, 0)
    assert crossing_interval(bootstrap, curve, level, UNMOVED) == pytest.approx((2, 2), abs=1e-9)
    moved = UNMOVED * np.exp(0.01 * np.array([[-1], [1]] * 5))
    low, high = crossing_interval(bootstrap, curve, level, moved)
    # Ratios from 2 to 1 and from 1 to 1/2, each times exp(± 1.96 × .03).
    factor = np.exp(1.959964 * 0.03)
    assert low == pytest.approx(2 - (1 - 1 / factor) / (1 / factor), rel=1e-3)
    assert high == pytest.approx(2 + (factor - 1) / (0.5 * factor), rel=1e-3)


@pytest.mark.parametrize(("rows", "size"), [(31, 1.0), (32, 0.0)])
def test_few_images_and_a_level_of_0_have_none(rows: int, size: float) -> None:
    curve, level = heavy(0, rows)
    assert crossing_interval(Bootstrap(rows, 50, 0), curve, size * level, UNMOVED) is None
    assert crossing_interval(Bootstrap(32, 50, 0), *heavy(0, 32), UNMOVED) is not None
