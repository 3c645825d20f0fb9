"""Pictures that add up to one image's change: which of them are shown alone, and how."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from reportgen.analyses.contributions import Contributions
from reportgen.analyses.direction_contributions import DirectionContributions
from reportgen.analyses.reconstruction import Reconstruction
from reportgen.figures.tiles import symmetric_limit
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.results import Results
from reportgen.statistics.largest_parts import LARGEST_PARTS

# A part whose largest value stays below so much of the scale looks blank beside the others: no
# pixel is further than ΔE 11 (CIELAB) from the colour of no change. One of a larger share is shown.
FAINT, FAINT_IN_COLOUR = 0.1, 0.2
SMALL_SHARE = 0.05


@dataclass(frozen=True)
class Part:
    """One picture of a sum.

    Attributes
    ----------
    picture : its one tile; None where nothing of it would be seen on the scale.
    name : what it is, as printed above it.
    share, size : ⟨φ, Δ⟩ / ‖Δ‖² and ‖φ‖ / ‖Δ‖ of this image, as printed; "" where not measured.
    unit : place of the unit in the code, or of the direction among directions, for a link to what
        is known of it; −1 for none.
    """

    picture: Strip | None
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
    faint_below : absolute value below which nothing is seen on the scale.
    """

    pictures: np.ndarray
    names: tuple[str, ...]
    units: tuple[int, ...]
    shares: np.ndarray
    sizes: np.ndarray
    last_is_many: bool
    faint_below: float = 0.0

    def order(self) -> np.ndarray:
        """Places by absolute share, largest first; many in one come last."""
        ranking = -np.abs(np.nan_to_num(self.shares))
        if self.last_is_many:
            ranking[-1] = np.inf
        return np.argsort(ranking, kind="stable")

    def largest(self) -> np.ndarray:
        """Places of those that are shown alone: of those that can be seen, or else the first."""
        alone = self.order()[: len(self.names) - self.last_is_many]
        seen = [p for p in alone if not self._is_faint(self.pictures[p], self.shares[p])]
        return np.array(seen[:LARGEST_PARTS] or alone[:1], dtype=np.intp)

    def _is_faint(self, picture: np.ndarray, share: float) -> bool:
        return abs(share) < SMALL_SHARE and float(np.abs(picture).max()) < self.faint_below

    def others(self) -> np.ndarray:
        """Places of those that are shown as one."""
        order = self.order()
        return order[~np.isin(order, self.largest())]

    def shown(self) -> np.ndarray:
        """The pictures that are shown."""
        alone, rest = self.pictures[self.largest()], self.together()
        return alone if rest is None else np.concatenate([alone, rest[None]])

    def together(self) -> np.ndarray | None:
        """(P,) the others' picture; None where there are none, or nothing of it would be seen."""
        others = self.others()
        if not len(others):
            return None
        rest = self.pictures[others].sum(axis=0)
        return None if self._is_faint(rest, self.shares[others].sum()) else rest

    def cancelling(self) -> float:
        """The size of the largest part: by so many times it is larger than the change."""
        return float(np.nan_to_num(self.sizes).max(initial=0.0))

    def name_of_others(self) -> str:
        """ "4 others", or the name of one; "the rest" where nobody counted those in the last."""
        others = self.others()
        if self.last_is_many:
            return "the rest"
        return self.names[others[0]] if len(others) == 1 else f"{len(others)} others"


# A part that is so many times as large as the change it is a part of is mostly undone by others.
PARTS_CANCEL = 2.0


def parts_of(result: Contributions | DirectionContributions, place: int) -> Parts:
    """The parts of the pictured image at a place, by unit or by direction."""
    by_unit = isinstance(result, Contributions)
    return Parts(
        pictures=result.pictures[place],
        names=tuple(f"unit {s.name}" if by_unit else s.name for s in result.shares),
        units=tuple(share.unit for share in result.shares),
        shares=result.row_shares[place],
        sizes=result.row_sizes[place],
        last_is_many=result.shares[-1].unit < 0,
    )


def pca_parts(result: Contributions, results: Results, place: int) -> Parts:
    """PCA's; components are orthogonal, so that a part's share is its squared size."""
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


def by_direction(results: Results) -> DirectionContributions | None:
    """Contributions of directions to the images of `contributions`; None of an earlier schema."""
    by_unit = results.answers.of(Contributions)
    found = results.answers.of(DirectionContributions)
    if by_unit is None or found is None:
        return None
    return found if len(found.pictures) == len(by_unit.picture_names) else None


def on_one_scale(*sums: Parts, in_colour: bool) -> tuple[Parts, ...]:
    """The same sums, in which parts that cannot be seen on their one scale are among the others."""
    scale = symmetric_limit(*(parts.shown() for parts in sums))
    faint_below = (FAINT_IN_COLOUR if in_colour else FAINT) * scale
    return tuple(replace(parts, faint_below=faint_below) for parts in sums)


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
        others = parts.others()
        if len(others):
            only = others[0] if len(others) == 1 else None
            shown.append(
                self._part(
                    parts.together(),
                    parts.name_of_others(),
                    parts.shares[others].sum(),
                    np.nan if only is None else parts.sizes[only],
                    -1 if only is None else parts.units[only],
                )
            )
        size = parts.cancelling()
        cancelling = numbers.number(size) if size > PARTS_CANCEL else ""
        return Sum(whole, start, tuple(shown), _printed(parts.shares.sum()), cancelling)

    def _part(
        self, picture: np.ndarray | None, name: str, share: float, size: float, unit: int
    ) -> Part:
        said = f": {_printed(share)} of this image's change" if _printed(share) else ""
        said += f", size {_printed(size)}" if _printed(size) else ""
        strip = None
        if picture is not None:
            strip = Strip(
                self._drawing.strip(self._drawing.differences(picture, self.limit)),
                alt=f"{self._image_name}, part of {name}{said}.",
                limit=self.limit,
            )
        return Part(strip, name, _printed(share), _printed(size), unit)


def _printed(share: float) -> str:
    """A percentage in two digits, since it stands over a small picture; "" for none."""
    return "" if np.isnan(share) else numbers.percent(float(share), digits=2)
