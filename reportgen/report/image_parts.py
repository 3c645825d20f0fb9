"""Pictures that add up to one image's change: which of them are shown alone, and how."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.statistics.largest_parts import LARGEST_PARTS


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
    parts : the largest by absolute share, then the others together, where they show anything.
    total : all shares together, as printed.
    cancelling : how many times as large as the change the largest part is, where parts cancel; ""
        where they do not.
    """

    whole: Part
    start: Part
    parts: tuple[Part, ...]
    total: str
    cancelling: str


@dataclass(frozen=True)
class Parts:
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
        alone, rest = self.pictures[self.largest()], self.together()
        return alone if rest is None else np.concatenate([alone, rest[None]])

    def together(self) -> np.ndarray | None:
        """(P,) the others' picture; None where there are none, or it would be blank."""
        rest = self.pictures[self.others()].sum(axis=0)
        largest = float(np.abs(self.pictures[self.largest()]).max(initial=0.0))
        seen = len(self.others()) > 0 and float(np.abs(rest).max()) > BLANK * largest
        return rest if seen else None

    def cancelling(self) -> float:
        """The size of the largest part: by so many times it is larger than the change."""
        return float(np.nan_to_num(self.sizes).max(initial=0.0))

    def name_of_others(self) -> str:
        """ "4 others"; "the rest" where nobody counted those in the last."""
        count = len(self.others())
        if self.last_is_many:
            return "the rest"
        return f"{count} other" if count == 1 else f"{count} others"


# Of the largest value of a picture beside it: half a step of the 256 that a pixel has.
BLANK = 1 / 512
# A part that is so many times as large as the change it is a part of is mostly undone by others.
PARTS_CANCEL = 2.0


class Painter:
    """Draws the pictures of one image, differences on one scale."""

    def __init__(self, drawing: Drawing, limit: float, image_name: str) -> None:
        self.limit, self._drawing, self._image_name = limit, drawing, image_name

    def image(self, image: np.ndarray, name: str) -> Part:
        """A picture on the pixel range; its name, which may be long for its tile, can be broken."""
        sprite = self._drawing.strip(self._drawing.images(image))
        breakable = name.replace("reconstruction", "recon\u00adstruction")
        return Part(Strip(sprite, alt=f"{self._image_name}: {name}."), breakable)

    def thumbnail(self, image: np.ndarray) -> Strip:
        """The image, small."""
        alt = f"Show what {self._image_name} is made of"
        return Strip(self._drawing.thumbnails(image[None]), alt=alt, thumbnail=True)

    def total(self, whole: Part, start: Part, parts: Parts) -> Sum:
        """A sum with its largest parts alone and the others as one."""
        shown = [
            self._part(
                parts.pictures[p], parts.names[p], parts.shares[p], parts.sizes[p], parts.units[p]
            )
            for p in parts.largest()
        ]
        if (picture := parts.together()) is not None:
            share = parts.shares[parts.others()].sum()
            shown.append(self._part(picture, parts.name_of_others(), share))
        size = parts.cancelling()
        cancelling = numbers.number(size) if size > PARTS_CANCEL else ""
        return Sum(whole, start, tuple(shown), _printed(parts.shares.sum()), cancelling)

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
