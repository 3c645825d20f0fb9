"""The first thing on the page: an image as the mean and its largest parts, and PCA's below it.

Every number under a picture is that image's own. A view of the answer to "contributions".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.contributions import Contributions
from reportgen.analyses.direction_contributions import DirectionContributions
from reportgen.analyses.reconstruction import Reconstruction
from reportgen.report import numbers, words
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.image_parts import LARGEST_PARTS, Painter, Part, Parts, Sum
from reportgen.report.results import Results

# An image opens the page where its largest parts carry so much of its change.
CLEAR_SHARE = 0.7


@dataclass(frozen=True)
class PicturedImage:
    """One image that can be chosen.

    Attributes
    ----------
    place : among the pictured images, in anchors.
    name : the image's; `limit` of its signed scale, one for the model and PCA.
    thumbnail, original : the image itself, small and at full size.
    model, pca : the sums that make its two reconstructions.
    model_otherwise : the model's sum by direction where `model` is by unit, and the other way
        round; None where there is one way only.
    """

    place: int
    name: str
    limit: float
    thumbnail: Strip
    original: Part
    model: Sum
    pca: Sum
    model_otherwise: Sum | None


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
    """

    says: tuple[str, ...]
    images: tuple[PicturedImage, ...]
    choices: tuple[PicturedImage, ...]
    opened_for: str
    led_by: str
    otherwise: str
    lead_reason: str


def hero_of(results: Results, drawing: Drawing) -> Hero | None:
    """The hero, from the answer to "contributions"; None without one, or of an earlier schema."""
    result = results.answers.of(Contributions)
    if result is None or not result.shares or not len(result.picture_names):
        return None
    by_direction = results.answers.of(DirectionContributions)
    if by_direction is not None and len(by_direction.pictures) != len(result.picture_names):
        by_direction = None
    leading = by_direction if by_direction is not None and by_direction.leads else result
    leads = leading is not result
    opening, opened_for = _opening(result, leading)
    count = min(len(result.picture_names), drawing.thinning.hero_images)
    places = sorted({opening, *range(count)} if count > 1 else {opening})
    choices = tuple(_pictured(results, result, by_direction, drawing, place) for place in places)
    others = tuple(image for image in choices if image.place != opening)
    last = tuple(image for image in choices if image.place == opening)
    return Hero(
        says=tuple(_says(results)),
        images=others + last,
        choices=choices,
        opened_for=opened_for,
        led_by="direction" if leads else "unit",
        otherwise="unit" if leads else "direction",
        lead_reason="" if by_direction is None else _lead_reason(by_direction),
    )


def _lead_reason(by_direction: DirectionContributions) -> str:
    of_directions = numbers.percent(by_direction.own_largest)
    of_units = numbers.percent(by_direction.own_largest_of_units)
    carried = f"carry {of_directions} by direction of the code and {of_units} by unit"
    return f"An image's six largest parts {carried}, on average over the pictured images."


def _opening(
    result: Contributions, leading: Contributions | DirectionContributions
) -> tuple[int, str]:
    """The place of the image that opens the page, and the rule that chose it, as a clause."""
    changes = np.square(result.reconstructions - result.baseline_image).sum(axis=1)
    alone = leading.row_shares[:, [share.unit >= 0 for share in leading.shares]]
    largest = -np.sort(-np.abs(np.nan_to_num(alone)), axis=1)
    clear = largest[:, :LARGEST_PARTS].sum(axis=1) >= CLEAR_SHARE
    clear &= changes >= np.median(changes)
    if not clear.any():
        return int(np.argmax(changes)), "it changes most from the decoded mean code"
    return (
        int(np.argmin(np.where(clear, largest[:, 0], np.inf))),
        f"several parts share in it: of the pictured half that changes most, and whose "
        f"{LARGEST_PARTS} largest parts carry {numbers.percent(CLEAR_SHARE, digits=2)} of the "
        "change or more, it is the one whose largest part is smallest",
    )


def _pictured(
    results: Results,
    result: Contributions,
    by_direction: DirectionContributions | None,
    drawing: Drawing,
    place: int,
) -> PicturedImage:
    """One image, with its parts and PCA's on one signed scale."""
    by_unit = _own_parts(result, place, "unit ")
    pca = _pca_parts(result, results, place)
    ways = [by_unit]
    if by_direction is not None:
        along = _own_parts(by_direction, place, "")
        ways = [along, by_unit] if by_direction.leads else [by_unit, along]
    limit = drawing.limit(*(parts.shown() for parts in (*ways, pca)))
    painter = Painter(drawing, limit, result.picture_names[place])
    whole = painter.image(result.reconstructions[place], "reconstruction")
    start = painter.image(result.baseline_image, "mean code")
    model, *otherwise = (painter.total(whole, start, parts) for parts in ways)
    by_pca = painter.image(result.pca_mean + result.pca_pictures[place].sum(axis=0), "PCA")
    return PicturedImage(
        place=place,
        name=result.picture_names[place],
        limit=limit,
        thumbnail=painter.thumbnail(result.originals[place]),
        original=painter.image(result.originals[place], "original"),
        model=model,
        pca=painter.total(by_pca, painter.image(result.pca_mean, "mean image"), pca),
        model_otherwise=otherwise[0] if otherwise else None,
    )


def _own_parts(
    result: Contributions | DirectionContributions, place: int, before_name: str
) -> Parts:
    return Parts(
        pictures=result.pictures[place],
        names=tuple(f"{before_name}{share.name}" for share in result.shares),
        units=tuple(share.unit if before_name else -1 for share in result.shares),
        shares=result.row_shares[place],
        sizes=result.row_sizes[place],
        last_is_many=result.shares[-1].unit < 0,
    )


def _pca_parts(result: Contributions, results: Results, place: int) -> Parts:
    """Components are orthogonal, so that a part's share is its squared size."""
    reconstruction = results.answers.of(Reconstruction)
    shares = result.pca_row_shares[place]
    components = len(shares) if reconstruction is None else reconstruction.pca_components
    return Parts(
        pictures=result.pca_pictures[place],
        names=tuple(f"PC {k + 1}" for k in range(len(shares))),
        units=(-1,) * len(shares),
        shares=shares,
        sizes=np.sqrt(shares),
        last_is_many=components > len(shares),
    )


def _says(results: Results) -> Iterator[str]:
    """Say how good the reconstruction is, and what other ways to take an image apart would give."""
    lines = {line.section: line for line in results.verdict if line.number is not None}
    if (line := lines.get("reconstruction")) is not None and line.number is not None:
        how = {words.Word.NO: "not at all"}.get(line.words[-1], line.words[-1].value)
        yield f"The model reconstructs {how} (R² {numbers.number(line.number.value)})."
    if (line := lines.get("subtraction")) is not None and line.number is not None:
        if line.words == (words.Word.VALID,):
            missed = numbers.in_scale(line.number.value, line.scale)
            yield f"Zeroing a unit and subtracting would give the same pictures to within {missed}."
        else:
            pictures = _missed(line.number.value, "these pictures' size")
            yield f"Pictures made by zeroing a unit and subtracting {pictures}."
    if (line := lines.get("additivity")) is not None and line.number is not None:
        together = _missed(line.number.value, "what they do together")
        yield f"The effects of units moved one at a time, summed, {together}."


def _missed(value: float, whole: str) -> str:
    """ "miss 58 % of it", or where it is more than that "are off by 1.25 times it"."""
    if value > 1:
        return f"are off by {numbers.in_scale(value, 'times')} {whole}"
    return f"miss {numbers.percent(value)} of {whole}"
