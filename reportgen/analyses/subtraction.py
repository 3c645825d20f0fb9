"""Zero a unit, reconstruct, subtract: is that the unit's contribution here?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.analyses import ImageArray, UnanswerableError
from reportgen.analyses.shared.path_contributions import PathShares, path_shares, picture_paths
from reportgen.engine import Coalitions
from reportgen.statistics.bootstrap import Estimate, safe_ratio
from reportgen.statistics.norms import squared_norms
from reportgen.study.study import Study


@dataclass(frozen=True)
class Subtraction:
    """Difference pictures of an ablation, held beside contributions that add up.

    Attributes
    ----------
    miss_zero, miss_mean : √(Σ‖D_k − φ_k‖² / Σ‖φ_k‖²) over rows and players, for z_k ← 0 and
        z_k ← m_k; 0 for a linear decoder whose baseline is the one that is set.
    off_data_zero, off_data_mean : share of the ablated codes that is flagged.
    rows : images behind both: picture rows, and table rows that shares were computed on.
    sketched : whether sums of squares come from a linear sketch of the images.
    unit : the unit with the largest share, for the pictures.
    picture_names : names of the r rows.
    zeroed, averaged, contribution : (r, P) D for both baselines, and φ, of that unit.
    """

    miss_zero: Estimate
    miss_mean: Estimate
    off_data_zero: float
    off_data_mean: float
    rows: int
    sketched: bool
    unit: int
    picture_names: tuple[str, ...]
    zeroed: ImageArray
    averaged: ImageArray
    contribution: ImageArray


def run(study: Study) -> Subtraction:
    """Ablate every player on the picture and table rows, with zero and with its mean.

    Contributions have 16 steps on picture rows and 2 on the others. Raises UnanswerableError
    where no unit varies or no contribution differs from zero.
    """
    if len(study.players) == 0:
        raise UnanswerableError("no unit of the code varies over the images.")
    shares = study.shared(path_shares)
    pictured, strongest = study.rows.pictures, int(shares.order[0])
    rows = np.concatenate([pictured, shares.rows[_only_tabled(study, shares)]])
    coalitions = Coalitions(study.engine, shares.players, study.baseline)
    without_one, zeros = coalitions.without_one(), np.zeros_like(study.baseline)
    codes = study.test.codes[rows]
    zeroed = coalitions.panel(codes, without_one, baseline=zeros)
    averaged = coalitions.panel(codes, without_one)
    requests = (
        np.concatenate([code[None], zeroed.row(place), averaged.row(place)])
        for place, code in enumerate(codes)
    )
    sums: list[list[float]] = []
    pictures: list[np.ndarray] = []
    for (phi, compress), images in zip(
        _contributions(study, shares), study.engine.decode_each(requests), strict=True
    ):
        by_zero, by_mean = np.split(images[0] - images[1:], 2)
        if len(pictures) < len(pictured):
            pictures.append(study.pictures(np.stack([by_zero[strongest], by_mean[strongest]])))
        differences = (compress(by_zero) - phi, compress(by_mean) - phi, phi)
        sums.append([squared_norms(difference).sum() for difference in differences])
    missed_zero, missed_mean, total = np.array(sums).T
    if study.is_negligible(float(total.sum()), len(rows)):
        raise UnanswerableError("no unit contributes anything.")
    bootstrap = study.bootstrap(len(rows))
    drawn_zero, drawn_mean = np.stack(pictures, axis=1)
    on_pictures = study.shared(picture_paths)
    return Subtraction(
        miss_zero=bootstrap.estimate(_miss, missed_zero, total),
        miss_mean=bootstrap.estimate(_miss, missed_mean, total),
        off_data_zero=study.off_data_share(zeroed),
        off_data_mean=study.off_data_share(averaged),
        rows=len(rows),
        sketched=shares.sketched or on_pictures.sketched,
        unit=int(shares.player_units[strongest]),
        picture_names=tuple(study.test.names[row] for row in pictured),
        zeroed=drawn_zero,
        averaged=drawn_mean,
        contribution=on_pictures.pictures[:, strongest],
    )


def _only_tabled(study: Study, shares: PathShares) -> np.ndarray:
    """Which of the pooled rows are kept for the table and are no picture rows."""
    return np.flatnonzero(~np.isin(shares.rows[: len(shares.table)], study.rows.pictures))


def _contributions(
    study: Study, shares: PathShares
) -> Iterator[tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]]:
    """φ (players, q) of each row, and what makes images (players, P) comparable with it."""
    on_pictures = study.shared(picture_paths).contributions
    on_table = shares.table[_only_tabled(study, shares)]
    for kept, rows in ((on_pictures, on_pictures), (shares.table, on_table)):
        compress, _, _ = study.compressor(len(kept) * len(shares.players))
        yield from ((phi, compress) for phi in rows)


def _miss(missed: np.ndarray, total: np.ndarray) -> np.ndarray:
    return np.sqrt(safe_ratio(missed, total))
