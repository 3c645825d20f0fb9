"""Do units moved together give the sum of what each gives alone? (claim 2)"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import comb

import numpy as np

from reportgen.analyses import ImageArray
from reportgen.analyses.shared.baseline_draws import baseline_draws, deviation_of_ratio
from reportgen.analyses.shared.coalition_table import coalition_table
from reportgen.analyses.shared.gaps import Gap, are_shown, gap_of, gaps, norms_of
from reportgen.analyses.shared.path_contributions import units_by_share
from reportgen.engine import Coalitions
from reportgen.statistics.bootstrap import Estimate, held_by_few, safe_ratio
from reportgen.statistics.fit_uncertainty import widened
from reportgen.statistics.norms import squared_norms
from reportgen.study.single_moves import SingleMoves, single_moves, summed_and_combined
from reportgen.study.study import Study

SWEEP_FACTORS = (0.25, 0.5, 1.0)
PICTURE_ROWS = 3


@dataclass(frozen=True)
class GapOfSize:
    """Sum against combined for all sets of so many units, moved up from the baseline.

    Attributes
    ----------
    size : units in a set.
    sets : how many sets there are of them, among all units or, of more than ten, the nine
        strongest.
    gap : Σ‖Δ_S − Σ_k Δ_k‖ / Σ‖Δ_S‖ over sets and rows.
    rows : images behind it.
    """

    size: int
    sets: int
    gap: Estimate
    rows: int


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
    off_data_share: Estimate


@dataclass(frozen=True)
class Additivity:
    """Claim 2, "units moved together do not give the sum", measured.

    Attributes
    ----------
    up : all units up from the baseline (solo moves).
    down : all units down to it (last-in moves).
    gap_by_size : sets of 2, 3 and 5 units, over the table rows, and all units together, which is
        `up`: a weak interaction of every pair is a large one of all.
    baseline_off_data : whether the mean code itself is flagged.
    cannot_be_judged : whether it is, or over a quarter of the codes with one unit away from it,
        and effects do not add up: then the gap, from a place where no data is, says nothing of
        data. The medoid's stands in `by_baseline`.
    bounded : ‖Δ_S − ΣΔ_k‖ / (‖Δ_S‖ + Σ‖Δ_k‖), up, all units, mean over the rows that are not
        left out; in [0, 1]; it shrinks as units are added, so it is no headline.
    baseline : what z0 is.
    rows : images behind each number.
    heavy_tailed : names of the numbers that the largest 1 % of rows hold over a quarter of, whose
        intervals are therefore too narrow.
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
    gap_by_size: tuple[GapOfSize, ...] | None
    baseline_off_data: bool | None
    cannot_be_judged: bool | None
    bounded: Estimate
    baseline: str
    rows: int
    heavy_tailed: tuple[str, ...] | None
    off_data_up: Estimate
    off_data_down: Estimate
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
    moves, draws = study.shared(single_moves), study.shared(baseline_draws)
    combined, missed_up, missed_down = draws.ends
    up, down = (
        _with_fit_half(gap, missed, combined)
        for gap, missed in ((up, missed_up), (down, missed_down))
    )
    shown = are_shown(moves)
    sizes = np.sqrt(moves.combined)
    row_gaps = safe_ratio(np.sqrt(moves.gap_up), sizes)
    sweep_rows = moves.rows[: max(2, len(moves.rows) // 4)]
    by_baseline = _by_baseline(study, moves, sweep_rows)
    off_data_up = study.off_data_share(moves.solo_codes)
    few = held_by_few(*(np.sqrt(part) for part in (moves.combined, moves.gap_up, moves.gap_down)))
    # The last factor is 1: the whole way from the mean code, which by_baseline has.
    part_way = tuple(_swept(study, sweep_rows, factor) for factor in SWEEP_FACTORS[:-1])
    return Additivity(
        up=up,
        down=down,
        gap_by_size=_by_size(study, up, len(moves.rows)),
        baseline_off_data=by_baseline[0].off_data,
        cannot_be_judged=_cannot_be_judged(study, up, by_baseline[0].off_data, off_data_up),
        bounded=bounded,
        baseline="mean code of the fit rows",
        rows=len(moves.rows),
        heavy_tailed=("gaps",) if few else (),
        off_data_up=off_data_up,
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


def _cannot_be_judged(
    study: Study, up: Gap, baseline_off_data: bool, off_data_up: Estimate
) -> bool:
    """A sum that misses nothing does so at codes of images, whatever it passes on the way."""
    away = baseline_off_data or off_data_up.value > study.settings.judged_off_data
    return away and not up.gap.high < study.settings.small_gap


def _with_fit_half(gap: Gap, missed: np.ndarray, combined: np.ndarray) -> Gap:
    """Widened by what other mean codes would change, from squared norms (5, t)."""
    of_norms = deviation_of_ratio(np.sqrt(missed), np.sqrt(combined))
    of_squares = deviation_of_ratio(missed, combined)
    return replace(
        gap,
        gap=widened(gap.gap, float(of_norms), least=0),
        r2_sum=widened(gap.r2_sum, float(of_squares), largest=1),
    )


def _by_size(study: Study, all_up: Gap, rows: int) -> tuple[GapOfSize, ...]:
    """Sets of the table's single units; all units as the headline has them."""
    table = study.shared(coalition_table)
    ratios = study.bootstrap(study.rows.table).ratio
    single = sum(unit >= 0 for unit in table.player_units)
    by_size = (
        GapOfSize(
            size=size,
            sets=comb(single, size),
            gap=ratios(table.set_misses[:, place], table.set_changes[:, place]),
            rows=len(study.rows.table),
        )
        for place, size in enumerate(table.set_sizes)
    )
    return (*by_size, GapOfSize(len(study.players), 1, all_up.gap, rows))


def _swept(study: Study, rows: np.ndarray, factor: float) -> Estimate:
    everyone = np.arange(len(study.players))
    missed, size = norms_of(study.coalitions, study.test.codes[rows], everyone, factor)
    return study.bootstrap(rows).ratio(np.sqrt(missed), np.sqrt(size))


def _by_baseline(study: Study, moves: SingleMoves, rows: np.ndarray) -> tuple[BaselineGap, ...]:
    """All units up from each baseline, K + 2 codes a row; coordinates of no unit stay the row's.

    `rows` are the first of the moves', which start from the mean code.
    """
    mean_image = study.pca.mean.astype(np.float32)[None]
    labels = study.engine.labels_in(study.baseline[None])
    baselines = {
        "mean code": study.baseline,
        "medoid": study.test.codes[study.rows.walks[0]],
        "code of the mean image": study.engine.encode(mean_image, labels)[0],
        "zero code": np.zeros_like(study.baseline),
    }
    codes, everyone = study.test.codes[rows], np.arange(len(study.players))
    bootstrap = study.bootstrap(rows)
    found = []
    for name, baseline in baselines.items():
        coalitions = Coalitions(study.engine, study.players, baseline)
        start = coalitions.codes(codes[0], coalitions.empty)
        norms = moves.gap_up[: len(rows)], moves.combined[: len(rows)]
        if name != "mean code":
            norms = norms_of(coalitions, codes, everyone)
        found.append(
            BaselineGap(
                baseline=name,
                gap=gap_of(bootstrap, *norms),
                off_data=study.off_data_share(start).value > 0,
                off_data_share=study.off_data_share(coalitions.panel(codes, coalitions.alone())),
            )
        )
    return tuple(found)


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
            norms = norms_of(study.coalitions, study.test.codes[rows], members)
            gap = gap_of(study.bootstrap(rows), *norms)
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
