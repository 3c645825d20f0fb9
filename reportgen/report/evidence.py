"""The verdict's lines as the page shows them: graded, open where something failed, each with one
picture or chart that shows what its number means.

Numbers of pooled lines come from the verdict; what stands under a picture is that image's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses.additivity import Additivity
from reportgen.analyses.contributions import Contributions
from reportgen.analyses.health import Health
from reportgen.analyses.linearity import Linearity
from reportgen.analyses.reconstruction import Reconstruction
from reportgen.analyses.shared.ranked_shares import UnitShare
from reportgen.analyses.subtraction import Subtraction
from reportgen.figures.charts import IntervalBar, interval_bar
from reportgen.report import numbers, phrases, words
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.question import Place
from reportgen.report.results import Results, VerdictLine
from reportgen.report.views import linearity
from reportgen.statistics.largest_parts import LARGEST_PARTS
from reportgen.statistics.norms import squared_norms

SCALES = {scale.question: scale for scale in words.SCALES}


@dataclass(frozen=True)
class SharePart:
    """One of the largest shares, with its bar."""

    share: UnitShare
    bar: IntervalBar


@dataclass(frozen=True)
class Evidence:
    """Pictures, parts or shares beside a line; of the three kinds one is there.

    Attributes
    ----------
    strip, limit : pictures of one image, on the signed scale ± limit; `says` what that image's own
        number is.
    parts : linear, curved and not additive, laid end to end.
    shares : the largest shares.
    """

    strip: Strip | None = None
    limit: float = 0.0
    says: str = ""
    parts: tuple[IntervalBar, ...] = ()
    shares: tuple[SharePart, ...] = ()


@dataclass(frozen=True)
class ShownLine:
    """A line of the verdict on the page.

    Attributes
    ----------
    line : what the verdict says.
    place : its anchor, where the sections behind it are folded.
    passed : whether nothing is to be held against the model there, so that one line is enough.
    evidence : None where there is nothing to show.
    over : the number of images behind the line's number; None where that is not known.
    """

    line: VerdictLine
    place: Place
    passed: bool
    evidence: Evidence | None
    over: int | None


def shown_lines(results: Results, drawing: Drawing | None) -> tuple[ShownLine, ...]:
    """Every line of the verdict, in its order; without a drawing, without evidence."""
    makers = {
        Place.RECONSTRUCTS: _reconstruction,
        Place.IS_LINEAR: _linear_parts,
        Place.CAN_BE_SUMMED: _sum,
        Place.WHICH_MATTER: _largest_shares,
        Place.ZEROING: _zeroed,
    }
    lines = []
    for line in results.verdict:
        place = Place(f"verdict-{line.section}")
        known = line.number is not None
        evidence = makers[place](results, drawing) if known and drawing is not None else None
        passed, over = known and _passed(line, results), _images_behind(place, results)
        lines.append(ShownLine(line, place, passed, evidence, over if known else None))
    return tuple(lines)


def _passed(line: VerdictLine, results: Results) -> bool:
    """Tell whether all of its interval is in the best class; for units, whether all work."""
    scale = SCALES.get(line.question)
    if scale is not None:
        return line.words == scale.words[-1:]
    health = results.answers.of(Health)
    return health is not None and health.distinct == len(health.units)


def _images_behind(place: Place, results: Results) -> int | None:
    """The number of images behind a line's number."""
    answers = results.answers
    if place is Place.CAN_BE_SUMMED:
        summed = answers.of(Additivity)
        if summed is None:
            return None
        return summed.sweep_rows if summed.cannot_be_judged else summed.rows
    if place is Place.RECONSTRUCTS:
        reconstructed = answers.of(Reconstruction)
        return None if reconstructed is None else reconstructed.test_rows
    if place is Place.IS_LINEAR:
        fitted = answers.of(Linearity)
        return None if fitted is None else fitted.test_rows
    if place is Place.WHICH_MATTER:
        shared = answers.of(Contributions)
        return None if shared is None else shared.rows
    zeroed = answers.of(Subtraction)
    return None if zeroed is None else zeroed.rows


def _nearest(own: np.ndarray, pooled: float) -> int:
    """The place of the image whose own number is nearest to the pooled one."""
    return int(np.argmin(np.nan_to_num(np.abs(own - pooled), nan=np.inf)))


def _reconstruction(results: Results, drawing: Drawing) -> Evidence | None:
    result = results.answers.of(Reconstruction)
    if result is None:
        return None
    residuals = result.originals - result.reconstructions
    errors = np.square(residuals).mean(axis=1)
    row = _nearest(errors, float(result.mse.value))
    name, images = result.picture_names[row], [result.originals[row], result.reconstructions[row]]
    captions = ["original", "model"]
    signed, signed_captions = [residuals[row]], ["original − model"]
    if result.pca_r2 is not None:
        images.append(result.pca_reconstructions[row])
        captions.append("PCA")
        signed.append(result.originals[row] - result.pca_reconstructions[row])
        signed_captions.append("original − PCA")
    limit = drawing.limit(*signed)
    says = f"{name}: squared error {numbers.number(float(errors[row]))}, nearest to the mean."
    return _pictures(drawing, images, captions, signed, signed_captions, limit, says)


def _linear_parts(results: Results, drawing: Drawing) -> Evidence | None:
    result = results.answers.of(Linearity)
    return (
        None if result is None else Evidence(parts=linearity.view(result, results, drawing).model)
    )


def _sum(results: Results, drawing: Drawing) -> Evidence | None:
    result = results.answers.of(Additivity)
    if result is None or not len(result.picture_names):
        return None
    of_all = result.sets[0]
    row = _nearest(of_all.row_gaps, result.up.gap.value)
    missed = of_all.combined[row] - of_all.summed[row]
    signed = [of_all.summed[row], of_all.combined[row], missed]
    miss = phrases.misses(float(of_all.row_gaps[row]), "what they change together")
    says = f"{result.picture_names[row]}: the sum of all units' single effects {miss}."
    captions = ["sum of single effects", "together", "together − sum"]
    return _pictures(drawing, [], [], signed, captions, drawing.limit(*signed), says)


def _largest_shares(results: Results, drawing: Drawing) -> Evidence | None:
    result = results.answers.of(Contributions)
    if result is None:
        return None
    alone = [share for share in result.shares if share.unit >= 0][:LARGEST_PARTS]
    most = max((s.share.high for s in alone if np.isfinite(s.share.high)), default=1.0)
    parts = (
        SharePart(s, interval_bar(s.share.value, s.share.low, s.share.high, most)) for s in alone
    )
    return Evidence(shares=tuple(parts))


def _zeroed(results: Results, drawing: Drawing) -> Evidence | None:
    result = results.answers.of(Subtraction)
    if result is None or not len(result.picture_names):
        return None
    missed = squared_norms(result.zeroed - result.from_zero)
    sizes = squared_norms(result.from_zero)
    own = np.sqrt(missed / np.where(sizes > 0, sizes, np.nan))
    if np.isnan(own).all():
        return None
    row = _nearest(own, result.miss_zero.value)
    signed = [result.zeroed[row], result.from_zero[row], result.zeroed[row] - result.from_zero[row]]
    unit = next((unit.name for unit in results.units if unit.index == result.unit), result.unit)
    miss = phrases.misses(float(own[row]), "the contribution's size")
    says = f"{result.picture_names[row]}: unit {unit} set to zero and subtracted {miss}."
    captions = ["zeroed and subtracted", "its contribution", "difference"]
    return _pictures(drawing, [], [], signed, captions, drawing.limit(*signed), says)


def _pictures(
    drawing: Drawing,
    images: list[np.ndarray],
    captions: list[str],
    signed: list[np.ndarray],
    signed_captions: list[str],
    limit: float,
    says: str,
) -> Evidence:
    """Images, then differences on one scale, as one strip."""
    tiles = [*map(drawing.images, images), *(drawing.differences(part, limit) for part in signed)]
    listed = ", ".join([*captions, *signed_captions])
    strip = Strip(
        sprite=drawing.strip(*tiles),
        alt=f"{listed}, signed pictures on ±{numbers.number(limit)}. {says}",
        captions=(*captions, *signed_captions),
        limit=limit,
        signed_from=len(images),
    )
    return Evidence(strip=strip, limit=limit, says=says)
