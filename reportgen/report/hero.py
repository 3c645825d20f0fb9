"""The first thing on the page: an image as the mean and its largest parts, and PCA's below it.

Every number under a picture is that image's own. A view of the answer to "contributions".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.contributions import Contributions
from reportgen.analyses.reconstruction import Reconstruction
from reportgen.report import numbers, words
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.results import Results

LARGEST_PARTS = 6
# An image opens the page where its largest parts carry so much of its change.
CLEAR_SHARE = 0.7


@dataclass(frozen=True)
class Part:
    """One picture of a sum.

    Attributes
    ----------
    picture : its one tile.
    name : what it is, as printed above it.
    share, size : ⟨φ, Δ⟩ / ‖Δ‖² and ‖φ‖ / ‖Δ‖ of this image, as printed; "" where not measured.
    unit : place of the unit in the code, for a link to its card; −1 for none.
    """

    picture: Strip
    name: str
    share: str = ""
    size: str = ""
    unit: int = -1


@dataclass(frozen=True)
class Sum:
    """A whole and what it is the sum of: start, parts, and the other parts as one.

    Attributes
    ----------
    whole, start : pictures of x̂ and of what the parts are added to.
    parts : the largest by absolute share, then the others together.
    total : all shares together, as printed.
    """

    whole: Part
    start: Part
    parts: tuple[Part, ...]
    total: str


@dataclass(frozen=True)
class PicturedImage:
    """One image that can be chosen.

    Attributes
    ----------
    place : among the pictured images, in anchors.
    name : the image's; `limit` of its signed scale, one for the model and PCA.
    thumbnail, original : the image itself, small and at full size.
    model, pca : the sums that make its two reconstructions.
    """

    place: int
    name: str
    limit: float
    thumbnail: Strip
    original: Part
    model: Sum
    pca: Sum


@dataclass(frozen=True)
class Hero:
    """What stands above all sections.

    Attributes
    ----------
    says : what the pictures show and what they do not, a sentence each, from the verdict.
    images : the image that opens the page comes last, so that a style sheet can hide it.
    choices : the same images in the order of their places.
    opened_for : why that image opens the page.
    """

    says: tuple[str, ...]
    images: tuple[PicturedImage, ...]
    choices: tuple[PicturedImage, ...]
    opened_for: str


def hero_of(results: Results, drawing: Drawing) -> Hero | None:
    """The hero, from the answer to "contributions"; None without one, or of an earlier schema."""
    result = results.answers.of(Contributions)
    if result is None or not result.shares or not len(result.picture_names):
        return None
    opening, opened_for = _opening(result)
    count = min(len(result.picture_names), drawing.thinning.hero_images)
    places = sorted({opening, *range(count)} if count > 1 else {opening})
    choices = tuple(_pictured(result, results, drawing, place) for place in places)
    others = tuple(image for image in choices if image.place != opening)
    last = tuple(image for image in choices if image.place == opening)
    return Hero(
        says=tuple(_says(results)), images=others + last, choices=choices, opened_for=opened_for
    )


def _opening(result: Contributions) -> tuple[int, str]:
    """The place of the image that opens the page, and the rule that chose it, as a clause."""
    changes = np.square(result.reconstructions - result.baseline_image).sum(axis=1)
    alone = result.row_shares[:, [share.unit >= 0 for share in result.shares]]
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
    result: Contributions, results: Results, drawing: Drawing, place: int
) -> PicturedImage:
    """One image, with its parts and PCA's on one signed scale."""
    model = _Parts(
        pictures=result.pictures[place],
        names=tuple(f"unit {share.name}" for share in result.shares),
        units=tuple(share.unit for share in result.shares),
        shares=result.row_shares[place],
        sizes=result.row_sizes[place],
        last_is_many=any(share.unit < 0 for share in result.shares),
    )
    pca = _pca_parts(result, results, place)
    painter = _Painter(
        drawing, drawing.limit(model.shown(), pca.shown()), result.picture_names[place]
    )
    reconstructed = result.pca_mean + result.pca_pictures[place].sum(axis=0)
    return PicturedImage(
        place=place,
        name=result.picture_names[place],
        limit=painter.limit,
        thumbnail=painter.thumbnail(result.originals[place]),
        original=painter.image(result.originals[place], "original"),
        model=painter.total(
            painter.image(result.reconstructions[place], "reconstruction"),
            painter.image(result.baseline_image, "mean code"),
            model,
        ),
        pca=painter.total(
            painter.image(reconstructed, "PCA"), painter.image(result.pca_mean, "mean image"), pca
        ),
    )


def _pca_parts(result: Contributions, results: Results, place: int) -> _Parts:
    """Components are orthogonal, so that a part's share is its squared size."""
    reconstruction = results.answers.of(Reconstruction)
    shares = result.pca_row_shares[place]
    components = len(shares) if reconstruction is None else reconstruction.pca_components
    return _Parts(
        pictures=result.pca_pictures[place],
        names=tuple(f"PC {k + 1}" for k in range(len(shares))),
        units=(-1,) * len(shares),
        shares=shares,
        sizes=np.sqrt(shares),
        last_is_many=components > len(shares),
    )


@dataclass(frozen=True)
class _Parts:
    """The parts of one image's change, in any order.

    Attributes
    ----------
    pictures : (n, P).
    names, units, shares, sizes : of each.
    last_is_many : whether the last is many parts in one, the weakest.
    """

    pictures: np.ndarray
    names: tuple[str, ...]
    units: tuple[int, ...]
    shares: np.ndarray
    sizes: np.ndarray
    last_is_many: bool

    def order(self) -> np.ndarray:
        """Places by absolute share, largest first; many in one come last."""
        ranking = -np.abs(np.nan_to_num(self.shares))
        if self.last_is_many:
            ranking[-1] = np.inf
        return np.argsort(ranking, kind="stable")

    def largest(self) -> np.ndarray:
        """Places of those that are shown alone."""
        alone = len(self.names) - self.last_is_many
        return self.order()[: min(LARGEST_PARTS, alone)]

    def others(self) -> np.ndarray:
        """Places of those that are shown as one."""
        return self.order()[len(self.largest()) :]

    def shown(self) -> np.ndarray:
        """The pictures that are shown."""
        alone, others = self.pictures[self.largest()], self.pictures[self.others()]
        return np.concatenate([alone, others.sum(axis=0, keepdims=True)]) if len(others) else alone

    def name_of_others(self) -> str:
        """ "4 others"; "all others" where nobody counted those in the last."""
        count = len(self.others())
        if self.last_is_many:
            return "all others"
        return f"{count} other" if count == 1 else f"{count} others"


class _Painter:
    """Draws the pictures of one image, differences on one scale."""

    def __init__(self, drawing: Drawing, limit: float, image_name: str) -> None:
        self.limit, self._drawing, self._image_name = limit, drawing, image_name

    def image(self, image: np.ndarray, name: str) -> Part:
        """A picture on the pixel range."""
        sprite = self._drawing.strip(self._drawing.images(image))
        return Part(Strip(sprite, alt=f"{self._image_name}: {name}."), name)

    def thumbnail(self, image: np.ndarray) -> Strip:
        """The image, small."""
        alt = f"Show what {self._image_name} is made of"
        return Strip(self._drawing.thumbnails(image[None]), alt=alt, thumbnail=True)

    def total(self, whole: Part, start: Part, parts: _Parts) -> Sum:
        """A sum with its largest parts alone and the others as one."""
        shown = [
            self._part(
                parts.pictures[p], parts.names[p], parts.shares[p], parts.sizes[p], parts.units[p]
            )
            for p in parts.largest()
        ]
        if len(others := parts.others()):
            picture, share = parts.pictures[others].sum(axis=0), parts.shares[others].sum()
            shown.append(self._part(picture, parts.name_of_others(), share))
        return Sum(whole, start, tuple(shown), _printed(parts.shares.sum()))

    def _part(
        self, picture: np.ndarray, name: str, share: float, size: float = np.nan, unit: int = -1
    ) -> Part:
        said = f": {_printed(share)} of this image's change" if _printed(share) else ""
        said += f", size {_printed(size)}" if _printed(size) else ""
        strip = Strip(
            self._drawing.strip(self._drawing.differences(picture, self.limit)),
            alt=f"{self._image_name}, part of {name}{said}.",
            limit=self.limit,
        )
        return Part(strip, name, _printed(share), _printed(size), unit)


def _printed(share: float) -> str:
    """A percentage in two digits, since it stands over a small picture; "" for none."""
    return "" if np.isnan(share) else numbers.percent(float(share), digits=2)


def _says(results: Results) -> Iterator[str]:
    """How good the reconstruction is, and what other ways to take the image apart would give."""
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
