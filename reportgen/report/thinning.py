"""Which pictures go first where a page would be too large; the page names them."""

from __future__ import annotations

from dataclasses import dataclass, replace

EVERYTHING = 10_000


@dataclass(frozen=True)
class Thinning:
    """How many pictures a page has.

    Attributes
    ----------
    picture_rows : images in Contributions and Partial reconstruction.
    walk_rows : images that units are walked from.
    unit_cards : units with a card; the others get a line.
    full_walks : whether cards have the walk over the full range.
    plane_rows : images behind each plane of two units.
    left_out : what the page says is not there.
    """

    picture_rows: int = EVERYTHING
    walk_rows: int = EVERYTHING
    unit_cards: int = 32
    full_walks: bool = True
    plane_rows: int = EVERYTHING
    left_out: tuple[str, ...] = ()


def _ever_thinner() -> tuple[Thinning, ...]:
    steps: tuple[tuple[dict[str, object], str], ...] = (
        ({"picture_rows": 3}, "all but 3 images in Contributions and Partial reconstruction"),
        ({"walk_rows": 2}, "all but 2 images in Latent walk"),
        ({"unit_cards": 16}, "the cards of all but the 16 strongest units"),
        ({"full_walks": False}, "the full-range walks in the units' cards"),
        ({"plane_rows": 1}, "all but one image in Two units at once"),
        ({"unit_cards": 4}, "the cards of all but the 4 strongest units"),
        (
            {"picture_rows": 1, "walk_rows": 1},
            "all but one image in Contributions, Partial reconstruction and Latent walk",
        ),
        ({"unit_cards": 0, "plane_rows": 0}, "all units' cards, and Two units at once"),
    )
    thinnings = [Thinning()]
    for step, sentence in steps:
        last = thinnings[-1]
        said = (*last.left_out, sentence)
        thinnings.append(replace(last, left_out=said, **step))  # type: ignore[arg-type]
    return tuple(thinnings)


THINNINGS = _ever_thinner()
WHOLE = THINNINGS[0]
