"""Contributions of directions: shares as bars, and one strip of parts for each pictured image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.contributions import Contributions
from reportgen.analyses.direction_contributions import DirectionContributions
from reportgen.analyses.direction_moves import DirectionMoves
from reportgen.analyses.shared.ranked_shares import UnitShare
from reportgen.figures.charts import IntervalBar, interval_bar
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.question import MovedCodes
from reportgen.report.results import Results
from reportgen.report.views.contributions import own_share
from reportgen.report.views.direction_moves import MovesView, moves_view
from reportgen.report.views.directions import doubts
from reportgen.statistics.bootstrap import Estimate

LARGE_REST = 0.25
SHOWN_ROWS = 1


@dataclass(frozen=True)
class DirectionRow:
    """A direction's share with its bar, and how sure the direction itself is; the rest has none."""

    share: UnitShare
    bar: IntervalBar | None
    variance_share: float | None
    repeatability: float | None
    undetermined: bool
    solo: Estimate | None = None
    rho_solo: Estimate | None = None
    last: Estimate | None = None
    rho_context: Estimate | None = None


@dataclass(frozen=True)
class ImageRow:
    """One image and its parts along directions, in the order of their pooled shares."""

    name: str
    limit: float
    strip: Strip


@dataclass(frozen=True)
class View:
    """Shares, the first images, of which the page's top shows all, and moves along directions."""

    shares: tuple[DirectionRow, ...]
    rows: tuple[ImageRow, ...]
    moves: MovesView | None


def view(result: DirectionContributions, results: Results, drawing: Drawing) -> View:
    """The images are those of `contributions`."""
    of_units = results.answers.of(Contributions)
    shown = min(SHOWN_ROWS, drawing.thinning.picture_rows)
    count = 0 if of_units is None else min(len(result.pictures), shown)
    rows = tuple(_row(result, of_units, drawing, row) for row in range(count) if of_units)
    largest = max((s.share.high for s in result.shares if np.isfinite(s.share.high)), default=1.0)
    return View(
        shares=tuple(
            _share(result, share, largest, results.answers.of(DirectionMoves))
            for share in result.shares
        ),
        rows=rows,
        moves=moves_view(results, drawing),
    )


def _share(
    result: DirectionContributions, share: UnitShare, largest: float, moves: DirectionMoves | None
) -> DirectionRow:
    if share.unit < 0:
        return DirectionRow(share, None, None, None, undetermined=False)
    return DirectionRow(
        share=share,
        bar=interval_bar(share.share.value, share.share.low, share.share.high, largest),
        variance_share=float(result.variance_shares[share.unit]),
        repeatability=float(result.repeatability[share.unit]),
        undetermined=bool(result.undetermined[share.unit]),
        solo=None if moves is None else moves.solo[share.unit],
        rho_solo=None if moves is None else moves.rho_solo[share.unit],
        last=moves.last[share.unit] if moves is not None and moves.last else None,
        rho_context=moves.rho_context[share.unit] if moves is not None and moves.last else None,
    )


def _row(
    result: DirectionContributions, of_units: Contributions, drawing: Drawing, row: int
) -> ImageRow:
    name, phi = of_units.picture_names[row], result.pictures[row]
    limit = drawing.limit(phi)
    names = [share.name.removeprefix("direction ") for share in result.shares]
    shares = [own_share(share) for share in result.row_shares[row]]
    listed = ", ".join(f"{n} ({s})" for n, s in zip(names, shares, strict=True))
    strip = Strip(
        sprite=drawing.strip(
            drawing.images(of_units.reconstructions[row]),
            drawing.images(of_units.starts()[row]),
            drawing.differences(phi, limit),
        ),
        alt=f"{name}: reconstruction, decoded mean code, then the parts of directions on "
        f"±{numbers.number(limit)} with this image's own shares: {listed}.",
        captions=("x̂ =", "g(z₀)", *(f"+ {n} {s}" for n, s in zip(names, shares, strict=True))),
        limit=limit,
        signed_from=2,
    )
    return ImageRow(name, limit, strip)


def limits(result: DirectionContributions, results: Results) -> Iterator[str]:
    """Directions that do not come back, or are not told from the next; a large rest."""
    yield from doubts(result.repeatability, result.undetermined, "not to be interpreted alone")
    rest = sum(share.share.value for share in result.shares if share.unit < 0)
    if rest > LARGE_REST:
        yield f"{numbers.percent(rest)} of the change is in no direction that is shown."


def moved(result: DirectionContributions, results: Results) -> Iterator[MovedCodes]:
    """Codes on the paths along directions."""
    yield MovedCodes("codes on the paths along directions", result.off_data_share)
