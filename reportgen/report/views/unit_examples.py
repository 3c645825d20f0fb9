"""Two images where a unit is strong: its largest contributions above its mean and below."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses.contributions import Contributions
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.results import Results, Unit
from reportgen.report.views.contributions import own_share
from reportgen.statistics.norms import squared_norms

EXAMPLES = 2


@dataclass(frozen=True)
class StrongImages:
    """Images where one unit is strong.

    Attributes
    ----------
    names : of the images, the strongest first; shares : the unit's of their own change, as printed.
    originals, parts : (n, P) the images, and the unit's contributions φ to them.
    """

    names: tuple[str, ...]
    shares: tuple[str, ...]
    originals: np.ndarray
    parts: np.ndarray


@dataclass(frozen=True)
class Examples:
    """Pictures of what a unit adds to two images where it is strong, and the images."""

    parts: Strip
    images: Strip


def strong_images(results: Results, unit: Unit) -> StrongImages | None:
    """The images with the largest ‖φ‖ above the unit's mean and below.

    None for a unit without contributions of its own.
    """
    result = results.answers.of(Contributions)
    if result is None:
        return None
    if result.strong is None:
        return _among_pictured(result, unit)
    strong = result.strong
    chosen = [place for place, image in enumerate(strong.images) if image.unit == unit.index]
    if not chosen:
        return None
    return StrongImages(
        names=tuple(strong.images[place].name for place in chosen),
        shares=tuple(own_share(strong.images[place].share) for place in chosen),
        originals=strong.originals[chosen],
        parts=strong.parts[chosen],
    )


def _among_pictured(result: Contributions, unit: Unit) -> StrongImages | None:
    """Of results that do not tell them: the largest ‖φ‖, and the largest that is opposed to it."""
    places = [share.unit for share in result.shares]
    if unit.index not in places or not len(result.picture_names):
        return None
    player = places.index(unit.index)
    phi = np.asarray(result.pictures[:, player], dtype=np.float64)
    sizes = squared_norms(phi)
    first = int(np.argmax(sizes))
    opposed = phi @ phi[first] < 0
    ranking = np.where(opposed, sizes + sizes.max(), sizes)
    ranking[first] = -np.inf
    chosen = [first, int(np.argmax(ranking))][: min(EXAMPLES, len(phi))]
    return StrongImages(
        names=tuple(result.picture_names[row] for row in chosen),
        shares=tuple(own_share(result.row_shares[row, player]) for row in chosen),
        originals=result.originals[chosen],
        parts=result.pictures[chosen, player],
    )


def draw_examples(drawing: Drawing, unit: Unit, strong: StrongImages, limit: float) -> Examples:
    """Parts on the signed scale ± limit, with the unit's share of each image, and the images."""
    listed = " and ".join(
        f"{name} ({share} of its change)"
        for name, share in zip(strong.names, strong.shares, strict=True)
    )
    return Examples(
        parts=Strip(
            drawing.strip(drawing.differences(strong.parts, limit)),
            f"What unit {unit.name} adds to {listed}, on ±{numbers.number(limit)}.",
            strong.shares,
            limit=limit,
        ),
        images=Strip(
            drawing.strip(drawing.images(strong.originals)),
            f"The images: {', '.join(strong.names)}.",
            tuple(name.replace("/", "/\u200b") for name in strong.names),
        ),
    )


def contribution_to(results: Results, unit: Unit, name: str) -> tuple[np.ndarray | None, str]:
    """A unit's contribution to one image, and its share of that image's change as text."""
    result = results.answers.of(Contributions)
    if result is None or name not in result.picture_names:
        return None, ""
    units = [share.unit for share in result.shares]
    if unit.index not in units:
        return None, ""
    place = result.picture_names.index(name), units.index(unit.index)
    return result.pictures[place], own_share(result.row_shares[place])
