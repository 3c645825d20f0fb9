"""Do units moved together give the sum of what each gives alone? (claim 2)"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import ImageArray, UnanswerableError
from reportgen.analyses.shared.path_contributions import units_by_share
from reportgen.analyses.shared.single_moves import SingleMoves, single_moves, summed_and_combined
from reportgen.engine import Coalitions
from reportgen.statistics.bootstrap import UNDEFINED, Bootstrap, Estimate, safe_ratio
from reportgen.statistics.norms import squared_norms
from reportgen.study.study import Study

SWEEP_FACTORS = (0.25, 0.5, 1.0)
SMALL_CHANGE = 1e-3
PICTURE_ROWS = 3


@dataclass(frozen=True)
class Gap:
    """Sum against combined for one set of units.

    Attributes
    ----------
    gap : Σ‖Δ_S − Σ_k Δ_k‖ / Σ‖Δ_S‖ over rows; 0 when effects add up; not bounded by 1.
    r2_sum : 1 − Σ‖Δ_S − Σ_k Δ_k‖² / Σ‖Δ_S‖²; may be negative.
    size : mean over rows of ‖Δ_S‖, in pixel units.
    """

    gap: Estimate
    r2_sum: Estimate
    size: float


@dataclass(frozen=True)
class SetPictures:
    """Sum | combined | difference for one set of units, moved up from the baseline.

    Attributes
    ----------
    units : indices; names as printed.
    gap : over the statistics rows.
    summed, combined : (r, P) Σ_k Δ_k and Δ_S of the first picture rows.
    row_gaps : (r,) ‖Δ_S − Σ_k Δ_k‖ / ‖Δ_S‖ of each pictured row.
    """

    units: tuple[int, ...]
    names: tuple[str, ...]
    gap: Gap
    summed: ImageArray
    combined: ImageArray
    row_gaps: np.ndarray


@dataclass(frozen=True)
class BaselineGap:
    """Sum against combined, all units moved up from one baseline.

    Attributes
    ----------
    baseline : "mean code" of the fit rows; "medoid", the real code that walks start from first;
        "code of the mean image" of the fit rows; "zero code".
    gap : over the sweep's rows.
    off_data : whether the baseline itself is flagged.
    off_data_share : share of the codes with one unit away from it that is flagged.
    """

    baseline: str
    gap: Gap
    off_data: bool
    off_data_share: float


@dataclass(frozen=True)
class Additivity:
    """Claim 2, "units moved together do not give the sum", measured.

    Attributes
    ----------
    up : all units up from the baseline (solo moves).
    down : all units down to it (last-in moves).
    bounded : ‖Δ_S − ΣΔ_k‖ / (‖Δ_S‖ + Σ‖Δ_k‖), up, all units, mean over the rows that are not
        left out; in [0, 1]; it shrinks as units are added, so it is no headline.
    baseline : what z0 is.
    rows : images behind each number.
    off_data_up, off_data_down : share of the moved codes that is flagged.
    sets : all units, and of more units the strongest pair and triple, as pictures.
    sweep_factors, sweep_gaps : the gap of all units moved ¼, ½ and all of their way.
    by_baseline : all units moved up from other baselines too; the mean code comes first.
    sweep_rows : images behind the sweep and the baselines.
    row_sizes, row_gaps : (n,) ‖Δ‖ and gap of each row; near the baseline, rows are left out.
    rows_left_out : how many, because ‖Δ‖ < 1e-3 of its root mean square.
    picture_names : names of the pictured rows.
    """

    up: Gap
    down: Gap
    bounded: Estimate
    baseline: str
    rows: int
    off_data_up: float
    off_data_down: float
    sets: tuple[SetPictures, ...]
    sweep_factors: tuple[float, ...]
    sweep_gaps: tuple[Estimate, ...]
    by_baseline: tuple[BaselineGap, ...]
    sweep_rows: int
    row_sizes: np.ndarray
    row_gaps: np.ndarray
    rows_left_out: int
    picture_names: tuple[str, ...]


def run(study: Study) -> Additivity:
    """Compare sums with combined changes over the statistics rows.

    Raises UnanswerableError where `gaps` does.
    """
    up, down, bounded = gaps(study)
    moves = study.shared(single_moves)
    shown = _are_shown(moves)
    sizes = np.sqrt(moves.combined)
    row_gaps = safe_ratio(np.sqrt(moves.gap_up), sizes)
    sweep_rows = moves.rows[: max(2, len(moves.rows) // 4)]
    by_baseline = _by_baseline(study, moves, sweep_rows)
    # The last factor is 1: the whole way from the mean code, which by_baseline has.
    part_way = tuple(_swept(study, sweep_rows, factor) for factor in SWEEP_FACTORS[:-1])
    return Additivity(
        up=up,
        down=down,
        bounded=bounded,
        baseline="mean code of the fit rows",
        rows=len(moves.rows),
        off_data_up=study.off_data_share(moves.solo_codes),
        off_data_down=study.off_data_share(moves.last_codes),
        sets=_sets(study, up),
        sweep_factors=SWEEP_FACTORS,
        sweep_gaps=(*part_way, by_baseline[0].gap.gap),
        by_baseline=by_baseline,
        sweep_rows=len(sweep_rows),
        row_sizes=sizes[shown],
        row_gaps=row_gaps[shown],
        rows_left_out=int((~shown).sum()),
        picture_names=tuple(study.test.names[row] for row in study.rows.pictures[:PICTURE_ROWS]),
    )


def gaps(study: Study) -> tuple[Gap, Gap, Estimate]:
    """`up`, `down` and `bounded` of `Additivity`.

    Raises UnanswerableError with fewer than two units that vary, since one has nothing to add to,
    and where moving all of them changes nothing.
    """
    if len(study.players) < 2:
        raise UnanswerableError("fewer than two units vary, so there is nothing to add up.")
    moves = study.shared(single_moves)
    if study.is_negligible(float(moves.combined.sum()), len(moves.rows)):
        raise UnanswerableError("the decoder gives the same image whatever the code.")
    bootstrap = study.bootstrap(len(moves.rows))
    return (
        _gap(bootstrap, moves.gap_up, moves.combined),
        _gap(bootstrap, moves.gap_down, moves.combined),
        _bounded(bootstrap, _are_shown(moves), moves.gap_up, moves.combined, moves.solo),
    )


def _are_shown(moves: SingleMoves) -> np.ndarray:
    """(r,) which rows are far enough from the baseline for a gap of their own."""
    return np.sqrt(moves.combined) >= SMALL_CHANGE * np.sqrt(np.mean(moves.combined))


def _gap(bootstrap: Bootstrap, missed: np.ndarray, combined: np.ndarray) -> Gap:
    """From the squared norms (n,) of Δ_S − ΣΔ_k and of Δ_S."""
    return Gap(
        gap=bootstrap.ratio(np.sqrt(missed), np.sqrt(combined)),
        r2_sum=bootstrap.explained(missed, combined),
        size=float(np.sqrt(combined).mean()),
    )


def _bounded(
    bootstrap: Bootstrap,
    shown: np.ndarray,
    missed: np.ndarray,
    combined: np.ndarray,
    solo: np.ndarray,
) -> Estimate:
    ratios = safe_ratio(np.sqrt(missed), np.sqrt(combined) + np.sqrt(solo).sum(axis=1))
    defined = shown & np.isfinite(ratios)
    if not defined.any():
        return UNDEFINED
    return bootstrap.ratio(np.where(defined, ratios, 0), defined.astype(float))


def _swept(study: Study, rows: np.ndarray, factor: float) -> Estimate:
    everyone = np.arange(len(study.players))
    missed, size = _norms(study.coalitions, study.test.codes[rows], everyone, factor)
    return study.bootstrap(len(rows)).ratio(np.sqrt(missed), np.sqrt(size))


def _by_baseline(study: Study, moves: SingleMoves, rows: np.ndarray) -> tuple[BaselineGap, ...]:
    """All units up from each baseline, K + 2 codes a row; coordinates of no unit stay the row's.

    `rows` are the first of the moves', which start from the mean code.
    """
    mean_image = study.pca.mean.astype(np.float32)
    baselines = {
        "mean code": study.baseline,
        "medoid": study.test.codes[study.rows.walks[0]],
        "code of the mean image": study.engine.encode(mean_image[None])[0],
        "zero code": np.zeros_like(study.baseline),
    }
    codes, everyone = study.test.codes[rows], np.arange(len(study.players))
    bootstrap = study.bootstrap(len(rows))
    found = []
    for name, baseline in baselines.items():
        coalitions = Coalitions(study.engine, study.players, baseline)
        start = coalitions.codes(codes[0], coalitions.empty)
        norms = moves.gap_up[: len(rows)], moves.combined[: len(rows)]
        if name != "mean code":
            norms = _norms(coalitions, codes, everyone)
        found.append(
            BaselineGap(
                baseline=name,
                gap=_gap(bootstrap, *norms),
                off_data=study.off_data_share(start) > 0,
                off_data_share=study.off_data_share(coalitions.panel(codes, coalitions.alone())),
            )
        )
    return tuple(found)


def _norms(
    coalitions: Coalitions, codes: np.ndarray, members: np.ndarray, factor: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """‖Δ_S − ΣΔ_k‖² and ‖Δ_S‖² of each code (n,)."""
    pairs = summed_and_combined(coalitions, codes, members, factor)
    norms = [(squared_norms(both - summed), squared_norms(both)) for summed, both in pairs]
    missed, size = np.array(norms).T
    return missed, size


def _sets(study: Study, all_up: Gap) -> tuple[SetPictures, ...]:
    """All units, whose gap is known, and the strongest two and three."""
    order = units_by_share(study)
    chosen = [np.arange(len(order)), *(order[:size] for size in (2, 3) if size < len(order))]
    rows = study.rows.statistics
    pictured = study.rows.pictures[:PICTURE_ROWS]
    sets = []
    for members in chosen:
        gap = all_up
        if len(members) < len(order):
            norms = _norms(study.coalitions, study.test.codes[rows], members)
            gap = _gap(study.bootstrap(len(rows)), *norms)
        pairs = summed_and_combined(study.coalitions, study.test.codes[pictured], members)
        drawn, row_gaps = [], []
        for summed, combined in pairs:
            missed = squared_norms(combined - summed)
            row_gaps.append(np.sqrt(safe_ratio(missed, squared_norms(combined))))
            drawn.append(study.pictures(np.stack([summed, combined])))
        summed_pictures, combined_pictures = np.stack(drawn, axis=1)
        sets.append(
            SetPictures(
                units=tuple(int(study.player_units[player]) for player in members),
                names=tuple(study.players.names[player] for player in members),
                gap=gap,
                summed=summed_pictures,
                combined=combined_pictures,
                row_gaps=np.array(row_gaps),
            )
        )
    return tuple(sets)
