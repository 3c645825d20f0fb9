"""Contributions: shares as bars, and for each picture row pictures that add up, beside PCA's.

Shares are pooled over images; what stands with an image are its own shares, in its own order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.contributions import Contributions
from reportgen.analyses.shared.ranked_shares import UnitShare
from reportgen.figures.charts import IntervalBar, interval_bar
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.question import MovedCodes
from reportgen.report.results import Results
from reportgen.report.views.thinning import MOST_COLUMNS, first_and_rest

LARGE_REST = 0.25
# All pictured images have their largest parts at the top of the page.
SHOWN_ROWS, SHOWN_BESIDE_LIVE = 3, 2
OPERATOR = "+ "
COLUMNS_BEFORE_START = 2
IMAGES_FIRST = 3


@dataclass(frozen=True)
class ShareRow:
    """A unit's share with its bar; the rest, which is many units, has none."""

    share: UnitShare
    bar: IntervalBar | None


@dataclass(frozen=True)
class ContributionRow:
    """One image: its contributions and running sum, PCA's likewise, on one signed scale."""

    name: str
    limit: float
    model: Strip
    model_sum: Strip
    pca: Strip
    pca_sum: Strip


@dataclass(frozen=True)
class View:
    """Shares and rows of pictures; `thinned` whether the weakest are summed, `left_out` images."""

    shares: tuple[ShareRow, ...]
    rows: tuple[ContributionRow, ...]
    left_out: int
    thinned: bool
    pca_thinned: bool
    shown: int
    pca_columns: int


def view(result: Contributions, results: Results, drawing: Drawing) -> View:
    """Columns beyond ten are summed as "rest"; an image shows its own strongest units."""
    alone = [share for share in result.shares if share.unit >= 0] or result.shares
    largest = max((s.share.high for s in alone if np.isfinite(s.share.high)), default=1.0)
    most = SHOWN_ROWS if results.live is None else SHOWN_BESIDE_LIVE
    shown = min(len(result.picture_names), drawing.thinning.picture_rows, most)
    rows = tuple(_row(result, drawing, row) for row in range(shown))
    return View(
        shares=tuple(
            ShareRow(
                s,
                interval_bar(s.share.value, s.share.low, s.share.high, largest)
                if s in alone
                else None,
            )
            for s in result.shares
        ),
        rows=rows,
        left_out=len(result.picture_names) - len(rows),
        thinned=len(result.shares) > MOST_COLUMNS + 1,
        pca_thinned=len(result.pca_shares) > MOST_COLUMNS + 1,
        shown=MOST_COLUMNS,
        pca_columns=len(result.pca_shares),
    )


def _row(result: Contributions, drawing: Drawing, row: int) -> ContributionRow:
    order = _own_order(result, row)
    phi, rest = first_and_rest(result.pictures[row, order])
    components, pca_rest = first_and_rest(result.pca_pictures[row])
    limit = drawing.limit(phi, components)
    name = result.picture_names[row]
    original = drawing.images(result.originals[row])
    pca_whole = result.pca_mean + result.pca_pictures[row].sum(axis=0)
    alone = order[: len(phi) - rest]
    names = [result.shares[place].name for place in alone] + ["rest"] * rest
    shares = [own_share(result.row_shares[row, place]) for place in alone]
    if rest:
        shares.append(own_share(result.row_shares[row, order[len(alone) :]].sum()))
    components_named = [f"PC {k + 1}" for k in range(len(components) - pca_rest)]
    listed = ", ".join(f"{_unit(n)} ({s})" for n, s in zip(names, shares, strict=True))
    model = Strip(
        sprite=drawing.strip(
            original,
            drawing.images(result.reconstructions[row]),
            drawing.images(result.starts()[row]),
            drawing.differences(phi, limit),
        ),
        alt=f"{name}: original, reconstruction, decoded mean code, then contributions on "
        f"±{numbers.number(limit)} with this image's own shares: {listed}.",
        captions=(
            *("x", "x̂ =", "g(z₀)"),
            *(f"{OPERATOR}{_unit(n)} {s}" for n, s in zip(names, shares, strict=True)),
        ),
        limit=limit,
        signed_from=IMAGES_FIRST,
    )
    pca = Strip(
        sprite=drawing.strip(
            original,
            drawing.images(pca_whole),
            drawing.images(result.pca_mean),
            drawing.differences(components, limit),
        ),
        alt=f"{name}: original, PCA's reconstruction, mean image, then {len(components)} PCA "
        f"contributions (score times component) on the same scale.",
        captions=(
            "x",
            "PCA =",
            "mean",
            *(OPERATOR + c for c in components_named),
            *([OPERATOR + "rest"] if pca_rest else []),
        ),
        limit=limit,
        signed_from=IMAGES_FIRST,
    )
    return ContributionRow(
        name=name,
        limit=limit,
        model=model,
        model_sum=_running(drawing, result.starts()[row], phi, f"{name}: the model's running sum"),
        pca=pca,
        pca_sum=_running(drawing, result.pca_mean, components, f"{name}: PCA's running sum"),
    )


def _own_order(result: Contributions, row: int) -> np.ndarray:
    """Players by this image's own share, largest first, the rest last; as pooled without one."""
    ranking = -result.row_shares[row]
    ranking[[share.unit < 0 for share in result.shares]] = np.inf
    return np.argsort(ranking, kind="stable")


def own_share(value: float) -> str:
    """An image's own share, in few digits, since it stands under a small picture."""
    return "no share" if np.isnan(value) else numbers.percent(float(value), digits=2)


def _running(drawing: Drawing, start: np.ndarray, parts: np.ndarray, what: str) -> Strip:
    """The start and the sums with the first 1, 2, … parts, under their own columns."""
    sums = start + np.cumsum(np.pad(parts, ((1, 0), (0, 0))), axis=0)
    alt = f"{what}, from the start to all {len(parts)} parts."
    return Strip(drawing.strip(drawing.images(sums), blank=COLUMNS_BEFORE_START), alt)


def _unit(name: str) -> str:
    return "rest" if name == "rest" else f"unit {name}"


def limits(result: Contributions, results: Results) -> Iterator[str]:
    """Ranks that are not settled, a large rest, negative shares."""
    alone = [share for share in result.shares if share.unit >= 0]
    tied = [share.name for share in alone if share.rank_low != share.rank_high]
    if tied:
        yield f"The ranks of {numbers.units(tied)} are not settled by {result.rows} images."
    rest = sum(share.share.value for share in result.shares if share.unit < 0)
    if alone and rest > LARGE_REST:
        yield (
            f"The weakest units, moved as one, carry {numbers.percent(rest)} of the change: which "
            "of them is not told, and a list of the strongest leaves much out."
        )
    negative = [share.name for share in alone if share.share.high < 0]
    if negative:
        yield (
            f"The shares of {numbers.units(negative)} are negative and work against the change: "
            "the others' shares sum to more than 100 %."
        )


def moved(result: Contributions, results: Results) -> Iterator[MovedCodes]:
    """Codes on the paths."""
    yield MovedCodes("codes on the paths", result.off_data_share)
