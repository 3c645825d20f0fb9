"""Zero a unit, reconstruct, subtract: is that the unit's contribution here?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import ImageArray, UnanswerableError
from reportgen.coalitions import Coalitions
from reportgen.path_contributions import contributions, path_order, path_shares
from reportgen.settings import Settings
from reportgen.statistics.bootstrap import Estimate, safe_ratio
from reportgen.study import Study, squared_norms


@dataclass(frozen=True)
class Subtraction:
    """Difference pictures of an ablation, held beside contributions that add up.

    Attributes
    ----------
    miss_zero, miss_mean : √(Σ‖D_k − φ_k‖² / Σ‖φ_k‖²) over rows and players, for z_k ← 0 and
        z_k ← m_k; 0 for a linear decoder whose baseline is the one that is set.
    off_data_zero, off_data_mean : share of the ablated codes that is flagged.
    rows : images behind both: picture and table rows.
    unit : the unit with the largest share, for the pictures.
    picture_names : names of the r rows.
    zeroed, averaged, contribution : (r, P) D for both baselines, and φ, of that unit.
    """

    miss_zero: Estimate
    miss_mean: Estimate
    off_data_zero: float
    off_data_mean: float
    rows: int
    unit: int
    picture_names: tuple[str, ...]
    zeroed: ImageArray
    averaged: ImageArray
    contribution: ImageArray


def run(study: Study, settings: Settings) -> Subtraction:
    """Ablate every player on the picture and table rows, with zero and with its mean.

    Contributions have 16 steps on picture rows and 2 on the others. Raises UnanswerableError
    where no unit varies or no contribution differs from zero.
    """
    if len(study.players) == 0:
        raise UnanswerableError("no unit of the code varies over the images.")
    shares = study.shared(path_shares)
    coalitions = Coalitions(study.decoder, shares.players, study.baseline)
    without_one = coalitions.without_one()
    zeros = np.zeros_like(study.baseline)
    pictured = study.rows.pictures
    rows = np.concatenate([pictured, np.setdiff1d(study.rows.table, pictured)])
    strongest = int(shares.order[0])
    sums, codes, pictures = [], ([], []), []  # type: ignore[var-annotated]
    for place, row in enumerate(rows):
        code = study.test.codes[row]
        steps = settings.path_steps if place < len(pictured) else settings.pooled_path_steps
        order = path_order(study, row, len(shares.players))
        phi, _, _ = contributions(coalitions, code, steps, order)
        zeroed = coalitions.codes(code, without_one, baseline=zeros)
        averaged = coalitions.codes(code, without_one)
        decoded = study.decoder.decode(np.concatenate([code[None], zeroed, averaged]))
        whole = decoded[0].astype(np.float64)
        by_zero, by_mean = np.split(whole - decoded[1:], 2)
        sums.append(
            (
                squared_norms(by_zero - phi).sum(),
                squared_norms(by_mean - phi).sum(),
                squared_norms(phi).sum(),
            )
        )
        codes[0].append(zeroed)
        codes[1].append(averaged)
        if place < len(pictured):
            pictures.append((by_zero[strongest], by_mean[strongest], phi[strongest]))
    missed_zero, missed_mean, total = np.array(sums).T
    if total.sum() <= 0:
        raise UnanswerableError("no unit contributes anything.")
    bootstrap = study.bootstrap(len(rows))
    drawn_zero, drawn_mean, drawn_phi = (
        np.stack(images).astype(np.float32) for images in zip(*pictures, strict=True)
    )
    return Subtraction(
        miss_zero=bootstrap.estimate(_miss, missed_zero, total),
        miss_mean=bootstrap.estimate(_miss, missed_mean, total),
        off_data_zero=study.off_data_share(codes[0]),
        off_data_mean=study.off_data_share(codes[1]),
        rows=len(rows),
        unit=int(shares.player_units[strongest]),
        picture_names=tuple(study.test.names[row] for row in pictured),
        zeroed=drawn_zero,
        averaged=drawn_mean,
        contribution=drawn_phi,
    )


def _miss(missed: np.ndarray, total: np.ndarray) -> np.ndarray:
    return np.sqrt(safe_ratio(missed, total))
