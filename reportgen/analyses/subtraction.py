"""Zero a unit, reconstruct, subtract: is that the unit's contribution here?

An ablation that sets a unit to b measures from b: its difference picture is held against the
unit's path contribution from the code b, and not from another. For a decoder that is affine in its
code both are the same picture whatever b is, and shifting a code changes nothing where the decoder
is shifted along.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import ImageArray, UnanswerableError
from reportgen.analyses.shared.baseline_draws import baseline_draws, deviation_of_ratio
from reportgen.analyses.shared.path_contributions import path_order, path_shares
from reportgen.analyses.shared.row_paths import row_paths
from reportgen.engine import Coalitions, CodePanel
from reportgen.statistics.blocks import centred_squares
from reportgen.statistics.bootstrap import UNDEFINED, Estimate, safe_ratio
from reportgen.statistics.fit_uncertainty import deviation_about_first, widened
from reportgen.statistics.norms import squared_norms
from reportgen.study.rows import FURTHER_MISS_ROWS
from reportgen.study.study import Study

# A miss whose moves are below this is settled: rounding, which has no steps to depend on.
SMALLEST_MOVE = 1e-4
PILOT_ROWS = 4


@dataclass(frozen=True)
class Subtraction:
    """Difference pictures of an ablation, held beside contributions from the same baseline.

    Attributes
    ----------
    miss_zero, miss_mean : √(Σ‖D_k − φ_k‖² / Σ‖φ_k‖²) over rows and players, for z_k ← 0 with
        contributions from the zero code, and for z_k ← m_k with those from the mean code m.
    steps : M, of both paths; doubled from 4 until neither miss of the first 4 picture rows moved
        by 2 % of itself, 32 at most.
    off_data_zero, off_data_mean : share of the ablated codes that is flagged.
    rows : images behind both: the picture rows, and 8 of the table rows.
    zero_image : (P,) g(0), where zeroing measures from.
    zero_distance : ‖g(0) − g(m)‖ / √Var x̂, how far that is from the decoded mean code in sd of the
        reconstructions.
    zero_off_data : whether the zero code itself is flagged.
    unit : the unit with the largest share, for the pictures.
    picture_names : names of the r picture rows.
    zeroed, averaged : (r, P) D of that unit for both baselines.
    from_zero, from_mean : (r, P) φ of that unit from both.
    """

    miss_zero: Estimate
    miss_mean: Estimate
    steps: int
    off_data_zero: Estimate
    off_data_mean: Estimate
    rows: int
    zero_image: ImageArray
    zero_distance: Estimate
    zero_off_data: bool
    unit: int
    picture_names: tuple[str, ...]
    zeroed: ImageArray
    averaged: ImageArray
    from_zero: ImageArray
    from_mean: ImageArray


def run(study: Study) -> Subtraction:
    """Ablate every player of the picture rows and 8 more, with zero and with its mean.

    Raises UnanswerableError where no unit varies or no contribution differs from zero.
    """
    if len(study.players) == 0:
        raise UnanswerableError("no unit of the code varies over the images.")
    rows = _rows(study)
    zero_code = np.where(study.players.unit_of_coordinate < 0, study.baseline, np.float32(0))
    baselines = zero_code, study.baseline
    steps = study.settings.miss_path_steps
    # Finding the number of steps takes more decodes than using it.
    pilot, others = np.split(rows, [min(PILOT_ROWS, len(study.rows.pictures))])
    first = [_Held(study, baseline, pilot, steps) for baseline in baselines]
    while 2 * steps <= study.settings.most_path_steps:
        steps *= 2
        coarser, first = first, [_Held(study, baseline, pilot, steps) for baseline in baselines]
        if all(_settled(study, *pair) for pair in zip(coarser, first, strict=True)):
            break
    by_zero, by_mean = (
        _joined(one, _Held(study, baseline, others, steps))
        for one, baseline in zip(first, baselines, strict=True)
    )
    if all(study.is_negligible(float(one.total.sum()), len(rows)) for one in (by_zero, by_mean)):
        raise UnanswerableError("no unit contributes anything.")
    draws = study.shared(baseline_draws)
    deviation = deviation_of_ratio(draws.misses[0], draws.misses[1], np.sqrt)
    zero_image = study.engine.decode(zero_code[None])[0]
    return Subtraction(
        miss_zero=by_zero.estimate(study, rows),
        miss_mean=widened(by_mean.estimate(study, rows), float(deviation), least=0),
        steps=steps,
        off_data_zero=study.off_data_share(_ablated(study, zero_code, rows)),
        off_data_mean=study.off_data_share(_ablated(study, study.baseline, rows)),
        rows=len(rows),
        zero_image=study.pictures(zero_image),
        zero_distance=_distance(study, zero_image, study.engine.decode(draws.baselines)),
        zero_off_data=study.off_data_share(zero_code[None]).value > 0,
        unit=int(study.shared(path_shares).player_units[study.shared(path_shares).order[0]]),
        picture_names=tuple(study.test.names[row] for row in study.rows.pictures),
        zeroed=by_zero.differences,
        averaged=by_mean.differences,
        from_zero=by_zero.contributions,
        from_mean=by_mean.contributions,
    )


def _rows(study: Study) -> np.ndarray:
    """The picture rows, and the first 8 table rows that are not among them."""
    others = study.rows.table[~np.isin(study.rows.table, study.rows.pictures)]
    return np.concatenate([study.rows.pictures, others[:FURTHER_MISS_ROWS]])


def _ablated(study: Study, baseline: np.ndarray, rows: np.ndarray) -> CodePanel:
    """The codes of the rows with one player at the baseline."""
    coalitions = Coalitions(study.engine, study.shared(path_shares).players, baseline)
    return coalitions.panel(study.test.codes[rows], coalitions.without_one())


class _Held:
    """Ablations of r rows to one baseline, held against contributions from it.

    Attributes
    ----------
    missed, total : (r,) Σ_k‖D_k − φ_k‖² and Σ_k‖φ_k‖² of each row.
    differences, contributions : (pictures, p) D and φ of the strongest unit, as pictures; of those
        of the rows that are picture rows, which come first.
    """

    def __init__(self, study: Study, baseline: np.ndarray, rows: np.ndarray, steps: int) -> None:
        shares = study.shared(path_shares)
        strongest = int(shares.order[0])
        coalitions = Coalitions(study.engine, shares.players, baseline)
        ablated = _ablated(study, baseline, rows)
        self.missed, self.total = np.zeros((2, len(rows)))
        pictured = int(np.isin(rows, study.rows.pictures).sum())
        shown = np.zeros((2, pictured, study.engine.image_size), np.float32)
        mine = study.ranks.mine(len(rows)).tolist()
        orders = [path_order(study, row, len(shares.players)) for row in rows[mine]]
        paths = row_paths(coalitions, study.test.codes[rows[mine]], steps, orders)
        decoded = study.engine.decode_each(map(ablated.row, mine))
        for place, path, images in zip(mine, paths, decoded, strict=True):
            phi = path.contributions
            differences = study.test.reconstructions[rows[place]] - images.astype(np.float64)
            self.missed[place] = squared_norms(differences - phi).sum()
            self.total[place] = squared_norms(phi).sum()
            if place < shown.shape[1]:
                shown[:, place] = differences[strongest], phi[strongest]
        study.ranks.add_up(self.missed, self.total, shown)
        self.differences, self.contributions = study.pictures(shown)

    @property
    def miss(self) -> float:
        """Over all rows; NaN where nothing is contributed."""
        return float(_miss(self.missed.sum(), self.total.sum()))

    def estimate(self, study: Study, rows: np.ndarray) -> Estimate:
        """The miss with its interval."""
        if study.is_negligible(float(self.total.sum()), len(rows)):
            return UNDEFINED
        return study.bootstrap(rows).root_ratio(self.missed, self.total)


def _joined(first: _Held, others: _Held) -> _Held:
    """Append the rows of the others to the first, in order."""
    for name in ("missed", "total", "differences", "contributions"):
        both = getattr(first, name), getattr(others, name)
        setattr(first, name, np.concatenate(both))
    return first


def _settled(study: Study, coarser: _Held, finer: _Held) -> bool:
    """Tell whether doubling the steps has moved the miss by less than 2 % of itself."""
    allowed = max(study.settings.settled_miss * finer.miss, SMALLEST_MOVE)
    return not abs(finer.miss - coarser.miss) >= allowed


def _miss(missed: np.ndarray, total: np.ndarray) -> np.ndarray:
    return np.sqrt(safe_ratio(missed, total))


def _distance(study: Study, zero_image: np.ndarray, mean_images: np.ndarray) -> Estimate:
    """‖g(0) − g(m)‖ / √Var x̂ over the test rows, from images of the mean code and of its draws."""
    squares = centred_squares(study.test.reconstructions)
    between = squared_norms(zero_image.astype(np.float64) - mean_images)
    found = study.bootstrap(study.test_rows).estimate(
        _miss, np.full(len(squares), between[0]), squares
    )
    return widened(found, float(deviation_about_first(_miss(between, squares.mean()))), least=0)
