"""Maps for a unit's card: what it reads beside what it paints, patch by patch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.reads import Reads
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.results import Results, Unit

WEAK_READING = 0.02


@dataclass(frozen=True)
class ReadsAndPaints:
    """One unit's maps.

    Attributes
    ----------
    reads : how far hiding each patch moves the unit, then how far and which way on average.
    paints : the size of what it paints in each patch.
    agreement : cosine of what it reads and what it paints; NaN where one is nothing.
    rows, picture_rows : images behind each.
    """

    reads: Strip
    paints: Strip
    agreement: float
    rows: int
    picture_rows: int


def reads_and_paints(results: Results, drawing: Drawing, unit: Unit) -> ReadsAndPaints | None:
    """The maps of a unit, each on its own scale; None where the unit has none."""
    result = results.answers.of(Reads)
    if result is None or unit.index not in result.units:
        return None
    place = result.units.index(unit.index)
    read, painted = np.stack([result.reads[place], result.signed[place]]), result.paints[place]
    read_limit, painted_limit = drawing.limit(read), drawing.limit(painted)
    return ReadsAndPaints(
        reads=Strip(
            drawing.strip(drawing.differences(drawing.patches(read, result.grid), read_limit)),
            f"What unit {unit.name} reads, on {result.grid[0]} × {result.grid[1]} patches: how far "
            f"hiding each moves it, at most {numbers.number(float(result.strongest[place]))} sd, "
            "and which way on average.",
            ("reads", "which way"),
            limit=read_limit,
        ),
        paints=Strip(
            drawing.strip(
                drawing.differences(drawing.patches(painted[None], result.grid), painted_limit)
            ),
            f"What unit {unit.name} paints on the same patches, at most "
            f"{numbers.number(painted_limit)} in pixel units.",
            ("paints",),
            limit=painted_limit,
        ),
        agreement=float(result.agreement[place]),
        rows=result.rows,
        picture_rows=result.picture_rows,
    )


def limits(result: None, results: Results) -> Iterator[str]:
    """Units that no single patch moves; the units' section says so."""
    reads = results.answers.of(Reads)
    if reads is None:
        return
    names = {unit.index: unit.name for unit in results.units}
    weak = [
        names.get(unit, str(unit))
        for unit, strongest in zip(reads.units, reads.strongest, strict=True)
        if strongest < WEAK_READING
    ]
    if weak:
        yield (
            f"Hiding any one patch moves {numbers.units(weak)} by less than "
            f"{numbers.number(WEAK_READING)} sd: no patch alone holds what such a unit reads."
        )
