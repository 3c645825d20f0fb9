"""Shares of a panel of codes of which some were looked at, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from reportgen.statistics.proportions import sampled_share


@pytest.mark.parametrize("flagged", [0, 1, 80, 256])
def test_a_sample_of_very_many_has_scipy_s_wilson_interval(flagged: int) -> None:
    found = np.arange(256) < flagged
    expected = stats.binomtest(flagged, 256).proportion_ci(method="wilson")
    share = sampled_share(found, 10**9)
    assert share.value == flagged / 256
    assert share.low == pytest.approx(expected.low, abs=1e-6)
    assert share.high == pytest.approx(expected.high, abs=1e-6)


@pytest.mark.parametrize("truth", [0.02, 0.3, 0.7])
def test_intervals_of_256_of_1024_cover_the_share_of_all_in_95_percent(truth: float) -> None:
    """Drawn without replacement: the number found is hypergeometric."""
    marked = round(1024 * truth)
    drawn = stats.hypergeom(1024, marked, 256)
    covered = 0.0
    for found in range(257):
        share = sampled_share(np.arange(256) < found, 1024)
        covered += drawn.pmf(found) * (share.low <= marked / 1024 <= share.high)
    assert 0.93 < covered < 0.97


def test_where_all_were_looked_at_there_is_no_interval() -> None:
    share = sampled_share(np.array([[True, False], [False, False]]), 4)
    assert share.value == 0.25
    assert np.isnan([share.low, share.high]).all()
