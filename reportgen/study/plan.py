"""Plan of a build's decodes, and fewer rows where the user has set a time."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from reportgen.autoencoder import Note
from reportgen.settings import Settings
from reportgen.statistics.fit_uncertainty import DRAWS
from reportgen.study.rows import FURTHER_MISS_ROWS, PILOT_ROWS, drawn_count, pooled_count
from reportgen.study.study import Study

TIMED_DECODES = 64
FEWEST_STATISTIC_ROWS, FEWEST_TABLE_ROWS = 32, 8
# How often an analysis asks whether its codes are off data, each time of a sample of them.
CHECKS = 18


@dataclass(frozen=True)
class Plan:
    """Decodes of a build, and the seconds they should take on this machine.

    Attributes
    ----------
    decodes : by kind: "statistics", "pooled", "table", "fixed", "off data".
    seconds_per_decode : timed on 64 codes.
    seconds : estimated for all of them.
    """

    decodes: dict[str, int]
    seconds_per_decode: float

    @property
    def seconds(self) -> float:
        """Estimated seconds of decoding."""
        return sum(self.decodes.values()) * self.seconds_per_decode


def plan_build(study: Study, settings: Settings) -> Plan:
    """Count what the analyses will ask for, and time 64 decodes."""
    with study.engine.charged_to("timing"):
        codes = study.test.codes[np.arange(TIMED_DECODES) % len(study.test)]
        # Equal codes are decoded once.
        moved = (
            codes + np.float32(1e-3) * np.arange(1, TIMED_DECODES + 1, dtype=np.float32)[:, None]
        )
        study.engine.decode(moved[:1])
        started = time.perf_counter()
        study.engine.decode(moved[1:])
        seconds = (time.perf_counter() - started) / (TIMED_DECODES - 1)
        # All ranks must come to the same rows, so the slowest decides.
        seconds = study.ranks.largest(seconds)
    return Plan(_decodes(study, settings), seconds)


def _decodes(study: Study, settings: Settings) -> dict[str, int]:
    units, rows = len(study.players), study.rows
    path = min(units, settings.path_players + 1)
    table = 2 ** min(units, settings.table_players)

    def on_path(steps: int) -> int:
        return 2 * steps * (path - 1) + steps

    walks = 2 * len(rows.walks) * min(units, settings.walk_units) * settings.walk_frames
    pictures = len(rows.pictures) * (on_path(settings.path_steps) + 2 * path + 1)
    shifts = 2 * units * len(rows.shifts)
    # Single moves and walks forth and back, from each mean code.
    drawn = 2 * (units + path)
    draws = (1 + DRAWS) * drawn_count(1 + DRAWS, drawn, len(rows.statistics)) * drawn
    # Paths from zero and from the mean, whose steps mostly settle when doubled once.
    held = 2 * (len(rows.pictures) + FURTHER_MISS_ROWS)
    held *= on_path(2 * settings.miss_path_steps) + 2 * path
    # Single moves, partial reconstruction, the pair and the triple; on a quarter of the rows
    # two steps of the sweep and three other baselines.
    for_each_row = 2 * units + 1 + path + 7 + (units + 2) // 2 + 3 * (units + 1) // 4
    # Shares mostly settle when their steps have been doubled once.
    steps = min(2 * settings.pooled_path_steps, settings.most_path_steps)
    pooled = min(len(rows.pooled), pooled_count(path, steps, settings))
    pilot = min(PILOT_ROWS, pooled) * (on_path(settings.pooled_path_steps) + on_path(steps))
    return {
        "statistics": len(rows.statistics) * for_each_row,
        "pooled": pooled * on_path(steps) + pilot,
        "table": len(rows.table) * (table + 2 * path + 1),
        "fixed": walks + pictures + shifts + draws + held,
        "off data": CHECKS * min(settings.off_data_sample, len(rows.statistics) * units),
    }


def fit_into(study: Study, plan: Plan, seconds: float) -> tuple[Study, tuple[Note, ...]]:
    """Fewer statistics rows, then fewer table rows, until the plan takes at most `seconds`.

    Never below 32 statistics and 8 table rows. Returns the study unchanged, without a note, where
    the plan already fits.
    """
    if plan.seconds <= seconds:
        return study, ()
    excess = plan.seconds - seconds
    rows, decodes, each = study.rows, plan.decodes, plan.seconds_per_decode
    by_rows = (decodes["statistics"] + decodes["pooled"]) * each
    statistics = _kept(len(rows.statistics), by_rows, excess, FEWEST_STATISTIC_ROWS)
    pooled = _kept(len(rows.pooled), by_rows, excess, FEWEST_STATISTIC_ROWS)
    saved = by_rows * (1 - statistics / len(rows.statistics))
    table = _kept(len(rows.table), decodes["table"] * each, excess - saved, FEWEST_TABLE_ROWS)
    fewer = replace(
        rows,
        statistics=rows.statistics[:statistics],
        pooled=rows.pooled[:pooled],
        table=rows.table[:table],
    )
    note = Note(
        "rows",
        f"To stay within {seconds:g} s, statistics use {statistics} rows instead of "
        f"{len(rows.statistics)} and the coalition table {table} instead of {len(rows.table)}.",
    )
    return replace(study, rows=fewer, _shared={}), (note,)


def _kept(rows: int, seconds: float, excess: float, fewest: int) -> int:
    if excess <= 0 or seconds <= 0:
        return rows
    return max(min(rows, fewest), int(rows * max(0.0, 1 - excess / seconds)))
