"""What would make a section misleading for this model, from the numbers of its own results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from reportgen.analyses.additivity import BaselineGap
from reportgen.report import numbers
from reportgen.report.headline import WORRYING_OFF_DATA
from reportgen.report.moved_codes import moved_codes
from reportgen.report.results import Results

FEW_IMAGES = 32
NOTHING = 0.01
IMAGES_FOR_A_REGRESSOR = 10
BOUND_UNIT = 0.2
POOR_REPEAT = 0.5
MOST_NAMED = 6
SATURATED_PIXELS = 0.2
LARGE_REST = 0.25
ROWS_FOR_A_BIN, BINS = 25, 20
WORSE_R2 = 0.05
MOVES_UNITS = frozenset({"units", "partial_reconstruction", "subtraction", "baselines"})
DESCRIBES_THE_BUILD = frozenset({"method", "provenance", "control"})


def limits_of(results: Results, section: str) -> tuple[str, ...]:
    """Sentences on what to beware of in a section of this report; empty where nothing stands out.

    The cut-offs: a quarter of moved codes off data, fewer than 32 images, fewer than 10 images for
    each regressor or 25 for each bin, a unit that is free to vary by less than a fifth of its sd, a
    fifth of pixels at an end of the range, a quarter of the change in the rest, another training
    whose R² is .05 below.
    """
    if section in DESCRIBES_THE_BUILD:
        return ()
    return (
        *_in_sample(results),
        *_few_images(results, section),
        *(_correlated(results) if section in MOVES_UNITS else ()),
        *_off_data(results, section),
        *OWN.get(section, _nothing)(results),
    )


def _nothing(results: Results) -> Iterator[str]:
    yield from ()


def _in_sample(results: Results) -> Iterator[str]:
    if results.trust is not None and results.trust.in_sample:
        yield (
            f"The {numbers.count(results.provenance.images)} images were too few to split: "
            "everything was fitted and tested on the same ones, and looks better than it is."
        )


def _few_images(results: Results, section: str) -> Iterator[str]:
    result = getattr(results, section, None)
    rows = getattr(result, "rows", None)
    if isinstance(rows, int) and rows <= FEW_IMAGES:
        yield f"Only {rows} images stand behind these numbers, too few for intervals to be exact."


def _correlated(results: Results) -> Iterator[str]:
    pairs = {
        (min(unit.index, other), max(unit.index, other)): r
        for unit in results.units
        for other, r in unit.correlated_with
    }
    if not pairs:
        return
    names = {unit.index: unit.name for unit in results.units}
    strongest = sorted(pairs.items(), key=lambda pair: -abs(pair[1]))
    listed = [
        f"{names[first]} and {names[second]} (r {numbers.signed(r)})"
        for (first, second), r in strongest[:MOST_NAMED]
    ]
    more = f", and {len(pairs) - MOST_NAMED} more pairs" if len(pairs) > MOST_NAMED else ""
    yield (
        f"Some units go together: {', '.join(listed)}{more}. Moving one of them without the other "
        "makes codes that images do not have, and each looks less needed than the pair is."
    )


def _off_data(results: Results, section: str) -> Iterator[str]:
    if results.off_data is None:
        return
    for what, share in moved_codes(results, section):
        if share > WORRYING_OFF_DATA:
            yield (
                f"{numbers.percent(share)} of {what} are off data, against "
                f"{numbers.percent(results.off_data.real_codes)} of real codes: much of what is "
                "shown is the decoder away from the images it was made for."
            )


def _reconstruction(results: Results) -> Iterator[str]:
    result = results.reconstruction
    if result is None or result.pca_r2 is None:
        return
    if result.fit_rows < IMAGES_FOR_A_REGRESSOR * result.pca_components:
        yield (
            f"PCA's {result.pca_components} components were fitted on {result.fit_rows} images, "
            "few for so many: with more, PCA would reconstruct better."
        )
    undetermined = np.flatnonzero(result.order_undetermined)[: result.pca_components]
    if undetermined.size:
        yield (
            f"The order of PCA's components {_listed(undetermined + 1)} and the one after each is "
            "not determined by these images: take such neighbours together."
        )


def _contributions(results: Results) -> Iterator[str]:
    result = results.contributions
    if result is None:
        return
    alone = [share for share in result.shares if share.unit >= 0]
    tied = [share.name for share in alone if share.rank_low != share.rank_high]
    if tied:
        yield f"The ranks of {_units(tied)} are not settled by {result.rows} images."
    rest = sum(share.share.value for share in result.shares if share.unit < 0)
    if alone and rest > LARGE_REST:
        yield (
            f"The weakest units, moved as one, carry {numbers.percent(rest)} of the change: which "
            "of them is not told, and a list of the strongest leaves much out."
        )
    negative = [share.name for share in alone if share.share.high < 0]
    if negative:
        yield (
            f"The shares of {_units(negative)} are negative and work against the change: "
            "the others' shares sum to more than 100 %."
        )


def _linearity(results: Results) -> Iterator[str]:
    result = results.linearity
    if result is not None and result.fit_rows < IMAGES_FOR_A_REGRESSOR * result.regressors:
        yield (
            f"{result.fit_rows} images for {result.regressors} regressors are few: the map fits "
            "their noise, and the linear share on other images is too low."
        )
    if result is not None and result.curved is not None and result.curved.value < -NOTHING:
        yield "Curves of the fit images do worse than none on others: not additive is too high."


def _traversal(results: Results) -> Iterator[str]:
    result = results.traversal
    if result is None:
        return
    bound = [
        name
        for name, ratio in zip(result.names, result.deviation_ratios, strict=True)
        if ratio < BOUND_UNIT
    ]
    if bound:
        yield (
            f"Given the others, what {_units(bound)} may do is less than "
            f"{numbers.percent(BOUND_UNIT)} of an sd: such walks are short because the data are, "
            "not because the units do little."
        )


def _interactions(results: Results) -> Iterator[str]:
    result = results.interactions
    if result is not None and -1 in result.units:
        yield "The weakest units move as one, so interactions among them count as one unit's own."


def _additivity(results: Results) -> Iterator[str]:
    result = results.additivity
    if result is None:
        return
    mean, *others = result.by_baseline
    apart = [
        row
        for row in others
        if row.gap.gap.low > mean.gap.gap.high or row.gap.gap.high < mean.gap.gap.low
    ]
    if apart:
        listed = "; ".join(f"the {row.baseline} {_gap(row)}" for row in apart)
        yield (
            f"Where one starts matters here: from the {mean.baseline} the gap of "
            f"{numbers.count(result.sweep_rows)} images is {_gap(mean)}, from {listed}."
        )
    if result.rows_left_out:
        yield (
            f"{numbers.count(result.rows_left_out)} of the images are too close to the mean code "
            "to have a gap of their own and are not among the dots."
        )


def _gap(row: BaselineGap) -> str:
    return numbers.plain(row.gap.gap, "percent")


def _permuted_codes(results: Results) -> Iterator[str]:
    result = results.permuted_codes
    if result is not None and result.far_share > WORRYING_OFF_DATA:
        yield (
            f"{numbers.percent(result.far_share)} of these codes lie outside the ellipse of real "
            "codes, against 1 % of real ones: much of this is about codes that no image has."
        )


def _pre_activation(results: Results) -> Iterator[str]:
    result = results.pre_activation
    if result is not None and result.saturated_share > SATURATED_PIXELS:
        yield (
            f"{numbers.percent(result.saturated_share)} of the pixels are at an end of the range, "
            f"where what goes into the {result.squash} can change without a trace in the image."
        )


def _label_metrics(results: Results) -> Iterator[str]:
    result = results.label_metrics
    if result is None:
        return
    if result.rows < ROWS_FOR_A_BIN * BINS:
        yield (
            f"{numbers.count(result.rows)} images are {result.rows // BINS} for each of a unit's "
            f"{BINS} bins: small entries may be chance."
        )
    if result.gap is not None and any(unit.correlated_with for unit in results.units):
        yield (
            "Units that go together share what they know of a label, which lowers the gap and "
            "completeness although nothing is missing from the code."
        )


def _replicates(results: Results) -> Iterator[str]:
    result, own = results.replicates, results.reconstruction
    if result is None or own is None:
        return
    worse = [
        name for name, r2 in zip(result.names, result.r2, strict=True) if r2 < own.r2.low - WORSE_R2
    ]
    if worse:
        yield (
            f"{_listed(worse)} reconstructs less well than this model (R² more than "
            f"{numbers.short(WORSE_R2)} below): its units may differ because of that."
        )


def _one_picture(results: Results) -> Iterator[str]:
    result = results.one_picture
    if result is None:
        return
    health = results.health
    several = health is not None and any(unit.coordinates > 1 for unit in health.units)
    if several:
        yield (
            "A unit here is several numbers of the code that move together, and a linear decoder "
            "would draw as many pictures with them: ρ below 1 does not say that the decoder bends."
        )
    above = {
        "alone": result.pooled_solo,
        "in context": result.pooled_context,
    }
    for where, rho in above.items():
        if rho.value > rho.high:
            yield (
                f"ρ {where} of these {numbers.count(result.rows)} images, "
                f"{numbers.number(rho.value)}, is too large: few images look more alike than many. "
                f"Of many it would be {numbers.interval(rho)}."
            )


def _directions(results: Results) -> Iterator[str]:
    result = results.directions
    if result is None:
        return
    poor = np.flatnonzero(np.asarray(result.repeatability) < POOR_REPEAT) + 1
    if poor.size:
        yield (
            "Not found again on the other half of the images "
            f"(|cos| below {numbers.short(POOR_REPEAT)}), so not to be interpreted: "
            f"{_numbered('direction', poor.tolist())}."
        )
    undetermined = np.flatnonzero(result.undetermined) + 1
    if undetermined.size:
        yield (
            "Too nearly as strong as the next one to be told from it: "
            f"{_numbered('direction', undetermined.tolist())}."
        )


def _trust(results: Results) -> Iterator[str]:
    trust = results.trust
    if trust is not None and trust.covariance_shrunk:
        yield (
            "The images are few for so many units, so the covariance behind the flag is shrunk "
            "(Ledoit–Wolf) and the flag is coarse."
        )


def _units(names: Sequence[object]) -> str:
    return _numbered("unit", names)


def _numbered(noun: str, names: Sequence[object]) -> str:
    return f"{noun}{'' if len(names) == 1 else 's'} {_listed(names)}"


def _listed(names: Iterable[object]) -> str:
    """The first six, and how many more."""
    texts = [str(name) for name in names]
    more = len(texts) - MOST_NAMED
    return ", ".join(texts[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


OWN: dict[str, Callable[[Results], Iterator[str]]] = {
    "reconstruction": _reconstruction,
    "contributions": _contributions,
    "linearity": _linearity,
    "traversal": _traversal,
    "interactions": _interactions,
    "additivity": _additivity,
    "one_picture": _one_picture,
    "directions": _directions,
    "permuted_codes": _permuted_codes,
    "pre_activation": _pre_activation,
    "label_metrics": _label_metrics,
    "replicates": _replicates,
    "trust": _trust,
}
