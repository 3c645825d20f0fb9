"""A report as one picture, for previews of links."""

from __future__ import annotations

from reportgen.figures.preview import PreviewPicture, preview_png
from reportgen.report import numbers
from reportgen.report.drawing import Drawing
from reportgen.report.hero import hero_of
from reportgen.report.image_parts import Part
from reportgen.report.results import Results
from reportgen.report.thinning import Thinning
from reportgen.shown import shown

SOFT_HYPHEN = "\u00ad"


def preview_of(results: Results, *, has_pictures: bool = True) -> bytes:
    """The verdict's words and the sum that opens the page, as a PNG file of 1200 × 630.

    Where the results have no pictures, as those of a page have not, the words alone.
    """
    provenance = results.provenance
    about = f"{numbers.count(provenance.images)} images from {results.data_name}"
    return preview_png(
        shown(results.title),
        shown(about),
        [(line.question, shown(line.word)) for line in results.verdict],
        _pictures(results) if has_pictures else [],
    )


def _pictures(results: Results) -> list[PreviewPicture]:
    drawing = Drawing(
        results.provenance.picture_shape, results.pixel_range, Thinning(hero_images=1)
    )
    hero = hero_of(results, drawing)
    if hero is None:
        return []
    opening = hero.images[-1]
    total = opening.led.model
    return [
        *_picture(opening.original, ""),
        *_picture(total.whole, ""),
        *_picture(total.start, "="),
        *(picture for part in total.parts for picture in _picture(part, "+")),
    ]


def _picture(part: Part, sign: str) -> list[PreviewPicture]:
    """The part's picture, where it has one."""
    if part.picture is None:
        return []
    name = f"{part.name}  {part.share}".replace(SOFT_HYPHEN, "").replace("reconstruction", "output")
    title = numbers.with_plain_spaces(name).strip()
    return [PreviewPicture(part.picture.sprite.data, title, sign)]
