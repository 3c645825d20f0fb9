"""Shares of a finite number of things of which some were looked at."""

from __future__ import annotations

import numpy as np

from reportgen.statistics.bootstrap import Estimate

# Of the standard normal distribution, for 95 %.
QUANTILE = 1.959963984540054


def sampled_share(found: np.ndarray, count: int) -> Estimate:
    """Share of `count` things, of which n, `found` or not, were drawn without replacement.

    Wilson's interval (1927) for the n · (count − 1) / (count − n) draws with replacement that tell
    as much; no interval where all were looked at.
    """
    share = float(np.mean(found))
    if found.size == count:
        return Estimate(share, np.nan, np.nan)
    draws = found.size * (count - 1) / (count - found.size)
    spread = QUANTILE**2 / draws
    centre = (share + spread / 2) / (1 + spread)
    half = np.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return Estimate(share, max(0.0, float(centre - half)), min(1.0, float(centre + half)))
