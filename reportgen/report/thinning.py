"""Thinning: the order in which pictures are left out where a page would be too large."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reportgen.analyses.health import MOST_PICTURED
from reportgen.statistics.pictures import LARGEST_TILE

EVERYTHING = 10_000
COARSE_TILE = 32


@dataclass(frozen=True)
class Thinning:
    """Limits on the number and size of a page's pictures.

    Attributes
    ----------
    hero_images : images that can be chosen at the top.
    picture_rows : images in Contributions, Partial reconstruction and at each end of Where it
        fails; pairs in Between two images.
    walk_rows : images that units are walked from.
    unit_cards : units with a card; the others get a line.
    full_walks : whether cards have the walk over the full range, and directions one where units
        come first on the page.
    plane_rows : images behind each plane of two units.
    gallery : images that the page explains on demand.
    map_pictures : whether points on the map of the codes are pictures.
    largest_tile : pixels across a picture; larger ones are averaged down by a whole factor.
    left_out : the sentences in which the page says what is not there.
    """

    hero_images: int = EVERYTHING
    picture_rows: int = EVERYTHING
    walk_rows: int = EVERYTHING
    unit_cards: int = MOST_PICTURED
    full_walks: bool = True
    plane_rows: int = EVERYTHING
    gallery: int = EVERYTHING
    map_pictures: bool = True
    largest_tile: int = LARGEST_TILE
    left_out: tuple[str, ...] = ()


_STEPS: tuple[tuple[dict[str, object], str], ...] = (
    (
        {"picture_rows": 3},
        "all but 3 images in Partial reconstruction and at both ends of Where it fails",
    ),
    ({"walk_rows": 2}, "all but 2 images in Traversal"),
    ({"largest_tile": COARSE_TILE}, "fine pixels: pictures are averaged down to 32 × 32 or less"),
    ({"unit_cards": 16}, "the cards of all but the 16 strongest units"),
    (
        {"full_walks": False},
        "the full-range traversals in the units' cards, and, where units come first, the "
        "traversals along directions",
    ),
    ({"plane_rows": 1}, "all but one image in Two units at once"),
    ({"gallery": 100}, "all but 100 of the images that can be chosen at the top"),
    ({"unit_cards": 4}, "the cards of all but the 4 strongest units"),
    (
        {"picture_rows": 1, "walk_rows": 1},
        "all but one image, or pair of images, in Contributions, Partial reconstruction, "
        "Traversal, Between two images and Where it fails",
    ),
    (
        {"unit_cards": 0, "plane_rows": 0, "map_pictures": False},
        "all units' cards, Two units at once, and the pictures on the map of the codes",
    ),
    ({"gallery": 0}, "images that can be chosen at the top beside those pictured there"),
    ({"hero_images": 1}, "all but one image at the top"),
)
WHOLE = Thinning()


def thinnings_of(shape: tuple[int, int, int]) -> tuple[Thinning, ...]:
    """The limits of the whole page, then ever lower ones, for images (C, H, W)."""
    thinnings = [WHOLE]
    for step, sentence in _STEPS:
        if "largest_tile" in step and max(shape[1:]) <= COARSE_TILE:
            continue
        last = thinnings[-1]
        said = (*last.left_out, sentence)
        thinnings.append(replace(last, left_out=said, **step))  # type: ignore[arg-type]
    return tuple(thinnings)
