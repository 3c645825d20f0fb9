"""The first thing on the page: an image as the mean and its largest parts, and PCA's below it.

Every number under a picture is that image's own. A view of the answer to "contributions".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from reportgen.analyses.additivity import Additivity
from reportgen.analyses.contributions import Contributions
from reportgen.analyses.direction_contributions import DirectionContributions
from reportgen.analyses.subtraction import Subtraction
from reportgen.report import numbers, phrases, words
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.headline import WORRYING_OFF_DATA
from reportgen.report.image_parts import (
    Painter,
    Part,
    Parts,
    Sum,
    by_direction,
    on_one_scale,
    parts_of,
    pca_parts,
)
from reportgen.report.results import Results, VerdictLine
from reportgen.report.script_data import safe_in_script
from reportgen.statistics.largest_parts import LARGEST_PARTS, largest_parts

# An image opens the page where its largest parts carry so much of its change.
CLEAR_SHARE = 0.7
# Two sums have one scale where the fainter one's largest value is so much of it or more.
SAME_SCALE = 0.25


@dataclass(frozen=True)
class Way:
    """One way to take an image apart, beside PCA's.

    `limit` and `pca_limit` are of their signed scales, one unless one of them would be too faint.
    """

    limit: float
    pca_limit: float
    model: Sum
    pca: Sum


@dataclass(frozen=True)
class PicturedImage:
    """One image that can be chosen.

    Attributes
    ----------
    place : among the pictured images, in anchors.
    name : the image's.
    thumbnail, original : the image itself, small and at full size.
    led, otherwise : its reconstruction as sums by unit and by direction, the page's first way
        first; `otherwise` is None where there is one way only.
    """

    place: int
    name: str
    thumbnail: Strip
    original: Part
    led: Way
    otherwise: Way | None


@dataclass(frozen=True)
class Hero:
    """The opening of the page, above all sections.

    Attributes
    ----------
    says : what the pictures show and what they do not, a sentence each, from the verdict.
    images : the image that opens the page comes last, so that a style sheet can hide it.
    choices : the same images in the order of their places.
    opened_for : why that image opens the page.
    led_by, otherwise : "unit" and "direction", the one that carries more of an image first.
    lead_reason : how much more, as a sentence; "" without directions.
    own_shares : JSON of every pictured image's own shares and sizes, by unit, for the scripts.
    """

    says: tuple[str, ...]
    images: tuple[PicturedImage, ...]
    choices: tuple[PicturedImage, ...]
    opened_for: str
    led_by: str
    otherwise: str
    lead_reason: str
    own_shares: Any


def hero_of(results: Results, drawing: Drawing) -> Hero | None:
    """The hero, from the answer to "contributions"; None without one, or of an earlier schema."""
    result = results.answers.of(Contributions)
    if result is None or not result.shares or not len(result.picture_names):
        return None
    along = by_direction(results)
    leading = along if along is not None and along.leads else result
    leads = leading is not result
    opening, opened_for = _opening(result, leading)
    count = min(len(result.picture_names), drawing.thinning.hero_images)
    places = sorted({opening, *range(count)} if count > 1 else {opening})
    choices = tuple(_pictured(results, result, along, drawing, place) for place in places)
    others = tuple(image for image in choices if image.place != opening)
    last = tuple(image for image in choices if image.place == opening)
    return Hero(
        says=tuple(_says(results)),
        images=others + last,
        choices=choices,
        opened_for=opened_for,
        led_by="direction" if leads else "unit",
        otherwise="unit" if leads else "direction",
        lead_reason=" ".join(filter(None, (_lead_reason(result, along), _spread(result, leading)))),
        own_shares=_own_shares(result),
    )


def _own_shares(result: Contributions) -> Any:
    """Every pictured image's shares and sizes, in four digits, NaN as null."""
    from markupsafe import Markup

    def rounded(table: np.ndarray) -> list[list[float | None]]:
        return [[float(f"{n:.4g}") if np.isfinite(n) else None for n in row] for row in table]

    data = {
        "names": result.picture_names,
        "units": [share.unit for share in result.shares],
        "shares": rounded(result.row_shares),
        "sizes": rounded(result.row_sizes),
    }
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(safe_in_script(text))


def _spread(result: Contributions, leading: Contributions | DirectionContributions) -> str:
    """The reason why an image's largest parts show little of it, where they do; "" else."""
    alone = leading.row_shares[:, [share.unit >= 0 for share in leading.shares]]
    carried = largest_parts(alone[~np.isnan(alone).any(axis=1)]).sum(axis=1)
    if not len(carried) or carried.mean() >= CLEAR_SHARE:
        return ""
    said = (
        "Few parts do not make up most of an image here: its change is spread over as many as "
        f"{numbers.number(result.effective_units)} equal units"
    )
    if isinstance(leading, DirectionContributions):
        said += (
            f", and the {len(leading.variance_shares)} directions that were found hold "
            f"{numbers.percent(leading.held_share)} of what is linear in the code"
        )
    return f"{said}."


def _lead_reason(result: Contributions, along: DirectionContributions | None) -> str:
    if along is None:
        return ""
    alone = [sum(s.unit >= 0 for s in each.shares) for each in (result, along)]
    if max(alone) <= LARGEST_PARTS and len(result.shares) == alone[0]:
        return "By unit and by direction, all parts stand here; units come first."
    of_directions = numbers.percent(along.own_largest)
    of_units = numbers.percent(along.own_largest_of_units)
    if np.isnan(along.own_largest - along.own_largest_of_units):
        return ""
    first, why = (
        ("Directions", "that is over 5 percentage points more")
        if along.leads
        else ("Units", "directions would have to carry over 5 percentage points more")
    )
    return (
        f"An image's largest parts, six at most, carry {of_directions} by direction of the code "
        f"and {of_units} by unit, on average over the pictured images. {first} come first: {why}."
    )


def _opening(
    result: Contributions, leading: Contributions | DirectionContributions
) -> tuple[int, str]:
    """The place of the image that opens the page, and the rule that chose it, as a clause."""
    changes = np.square(result.reconstructions - result.starts()).sum(axis=1)
    alone = leading.row_shares[:, [share.unit >= 0 for share in leading.shares]]
    largest = largest_parts(np.nan_to_num(alone))
    clear = largest.sum(axis=1) >= CLEAR_SHARE
    clear &= changes >= np.median(changes)
    if not clear.any():
        return int(np.argmax(changes)), "it changes most from the decoded mean code"
    carry = ""
    if alone.shape[1] > LARGEST_PARTS:
        share = numbers.percent(CLEAR_SHARE, digits=2)
        carry = f" and its {LARGEST_PARTS} largest parts carry {share} of its change or more"
    return (
        int(np.argmin(np.where(clear, np.abs(largest[:, 0]), np.inf))),
        f"it is in that half of the pictured images that changes most{carry}; of all such images "
        "it is the one whose largest part is smallest",
    )


def _pictured(
    results: Results,
    result: Contributions,
    along: DirectionContributions | None,
    drawing: Drawing,
    place: int,
) -> PicturedImage:
    """One image, by unit and by direction."""
    by_unit = parts_of(result, place)
    pca = pca_parts(result, results, place)
    ways = [by_unit]
    if along is not None:
        parts = parts_of(along, place)
        ways = [parts, by_unit] if along.leads else [by_unit, parts]
    led, *otherwise = (_way(result, drawing, place, parts, pca) for parts in ways)
    painter = Painter(drawing, led.limit, result.picture_names[place])
    return PicturedImage(
        place=place,
        name=result.picture_names[place],
        thumbnail=painter.thumbnail(result.originals[place]),
        original=painter.image(result.originals[place], "original"),
        led=led,
        otherwise=otherwise[0] if otherwise else None,
    )


def _way(result: Contributions, drawing: Drawing, place: int, parts: Parts, pca: Parts) -> Way:
    """The model's sum and PCA's, on one signed scale where both can be seen on it."""
    in_colour, largest = drawing.in_colour, [drawing.limit(each.shown()) for each in (parts, pca)]
    apart = 0 < min(largest) < SAME_SCALE * max(largest)
    if apart:
        (parts,), (pca,) = (on_one_scale(each, in_colour=in_colour) for each in (parts, pca))
    else:
        parts, pca = on_one_scale(parts, pca, in_colour=in_colour)
    limits = [drawing.limit(each.shown()) for each in (parts, pca)]
    if not apart:
        limits = [max(limits)] * 2
    name = result.picture_names[place]
    model_painter, pca_painter = (Painter(drawing, limit, name) for limit in limits)
    whole = model_painter.image(result.reconstructions[place], "reconstruction")
    start = model_painter.image(result.starts()[place], "mean code")
    by_pca = pca_painter.image(result.pca_mean + result.pca_pictures[place].sum(axis=0), "PCA")
    return Way(
        limit=limits[0],
        pca_limit=limits[1],
        model=model_painter.total(whole, start, parts),
        pca=pca_painter.total(by_pca, pca_painter.image(result.pca_mean, "mean image"), pca),
    )


def _says(results: Results) -> Iterator[str]:
    """Say how good the reconstruction is, and what other ways to take an image apart would give."""
    yield from _reconstructs(results)
    yield from _zeroing(results)
    yield from _summing(results)
    yield from _off_data(results)


def _line(results: Results, section: str) -> VerdictLine | None:
    """The verdict's line of a section, where it has a number."""
    lines = (line for line in results.verdict if line.section == section)
    return next((line for line in lines if line.number is not None), None)


def _reconstructs(results: Results) -> Iterator[str]:
    line = _line(results, "reconstruction")
    if line is not None and line.number is not None and line.words:
        graded = ["not at all" if word == words.Word.NO else word.value for word in line.words]
        how = " to ".join(dict.fromkeys([graded[0], graded[-1]]))
        measure = line.measure.removeprefix("R² ")
        yield f"The model reconstructs {how} (R² {numbers.number(line.number.value)} {measure})."


def _zeroing(results: Results) -> Iterator[str]:
    line, result = _line(results, "subtraction"), results.answers.of(Subtraction)
    if line is None or line.number is None or result is None:
        return
    missed = phrases.misses(line.number.value, "the contributions' size")
    if line.words == (words.Word.VALID,):
        missed = f"gives contributions from the zero code: it {missed}"
    yield f"Zeroing a unit and subtracting {missed} ({_images(result.rows)})."


def _summing(results: Results) -> Iterator[str]:
    line, result = _line(results, "additivity"), results.answers.of(Additivity)
    if line is None or line.number is None or result is None:
        return
    missed = phrases.misses(line.number.value, "their joint effect")
    if result.cannot_be_judged:
        yield (
            "The parts below add up; the sum of units' single effects cannot be judged from the "
            f"mean code: from a real code it {missed} ({_images(result.sweep_rows)})."
        )
    else:
        yield (
            f"The parts below add up; the sum of units' single effects {missed} "
            f"({_images(result.rows)})."
        )


def _off_data(results: Results) -> Iterator[str]:
    """Warn where parts such as these are the decoder away from data."""
    result = results.answers.of(Contributions)
    if result is not None and result.off_data_share.value > WORRYING_OFF_DATA:
        share = numbers.percent(result.off_data_share.value)
        yield (
            f"Beware: {share} of the codes that parts are made from are off data, unlike real "
            f"images' codes ({_images(result.rows)})."
        )


def _images(count: int) -> str:
    return f"{numbers.count(count)} image{'' if count == 1 else 's'}"
