"""Distances of codes near a real image's from the cloud of real codes."""

from __future__ import annotations

import numpy as np

from reportgen.live.program import NearCodes
from reportgen.study.off_data import OffData


def near_codes(off_data: OffData, codes: np.ndarray, steps: np.ndarray) -> NearCodes:
    """Distances around codes (n, code_size), along steps (m, code_size) by which they may move."""
    live = off_data.live
    centred = off_data.units.values(codes)[:, live] - off_data.mean
    # Units that are not live move without changing the distance.
    moved = off_data.units.values(steps)[:, live]
    across = moved @ off_data.precision
    return NearCodes(
        distances=off_data.distances(codes),
        slopes=centred @ across.T,
        precision=across @ moved.T,
    )
