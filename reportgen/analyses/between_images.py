"""What lies between two images? The straight line between their codes, beside a cross-fade."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from reportgen.analyses import DoesNotApplyError, ImageArray, UnanswerableError
from reportgen.statistics.bootstrap import Estimate
from reportgen.statistics.norms import squared_norms
from reportgen.statistics.proportions import sampled_share
from reportgen.study.study import Study

FRAMES = 9

Chosen = Literal["median distance", "largest distance", "two classes"]


@dataclass(frozen=True)
class Between:
    """The line between two images' codes.

    Attributes
    ----------
    names, classes : of the two images; classes are empty where they have none.
    chosen : why these two.
    distance : between their codes, in sd of each live unit, root mean square over units.
    frames : (9, P) the decoded codes (1 − t) a + t b.
    fades : (9, P) the cross-fade (1 − t) g(a) + t g(b) of the reconstructions.
    flagged : (9,) whether the code is off data.
    bend : the largest distance between a frame and the cross-fade, over ‖g(a) − g(b)‖: 0 for a
        linear decoder.
    bent_most : place of that frame.
    """

    names: tuple[str, str]
    classes: tuple[str, ...]
    chosen: Chosen
    distance: float
    frames: ImageArray
    fades: ImageArray
    flagged: np.ndarray
    bend: float
    bent_most: int


@dataclass(frozen=True)
class BetweenImages:
    """Lines between two pictured images each.

    Attributes
    ----------
    pairs : the pair of the picture rows at the median distance, that at the largest, and where
        images have classes the nearest pair of two classes; each once. For a conditional model the
        first two, each of one class.
    off_data_share : of the frames between the images, those flagged.
    """

    pairs: tuple[Between, ...]
    off_data_share: Estimate


def run(study: Study) -> BetweenImages:
    """Decode nine codes from one image of each pair to the other, both included.

    For a conditional model both are of one class: a code between two classes has none.

    Raises DoesNotApplyError with fewer than two picture rows, or for a conditional model where no
    two are of one class; UnanswerableError where no unit has an effect or all these images have
    one code.
    """
    rows = study.rows.pictures
    if len(rows) < 2:
        raise DoesNotApplyError("there is one image.")
    if len(study.live_units) == 0:
        raise UnanswerableError("no unit of the code has an effect on the image.")
    pairs = tuple(_between(study, *pair) for pair in _pairs(study, rows))
    between = np.concatenate([pair.flagged[1:-1] for pair in pairs])
    return BetweenImages(pairs=pairs, off_data_share=sampled_share(between, len(between)))


def _distances(study: Study, rows: np.ndarray) -> np.ndarray:
    """(r, r) between codes, in sd of each live unit, root mean square over units."""
    live = study.live_units
    values = study.units.values(study.test.codes[rows])[:, live] / study.deviations[live]
    return np.sqrt(np.square(values[:, None] - values).mean(axis=-1))


def _pairs(study: Study, rows: np.ndarray) -> list[tuple[int, int, float, Chosen]]:
    """Test rows of each pair, their distance and why they were chosen."""
    first, second = np.triu_indices(len(rows), 1)
    kinds = study.engine.labels_in(study.test.codes[rows])
    if kinds is not None:
        alike = kinds[first] == kinds[second]
        first, second = first[alike], second[alike]
        if len(first) == 0:
            raise DoesNotApplyError(
                "the model takes classes, which a code between two classes has none of, and no two "
                "of the pictured images are of one."
            )
    distances = _distances(study, rows)[first, second]
    order = np.argsort(distances, kind="stable")
    found: list[tuple[int, Chosen]] = [
        (int(order[(len(order) - 1) // 2]), "median distance"),
        (int(order[-1]), "largest distance"),
    ]
    if study.test.labels is not None and kinds is None:
        labels = [study.test.labels[row] for row in rows]
        apart = [int(p) for p in order if labels[first[p]] != labels[second[p]]]
        found += [(place, "two classes") for place in apart[:1]]
    seen: set[int] = set()
    pairs = []
    for place, why in found:
        if place not in seen and distances[place] > 0:
            ends = int(rows[first[place]]), int(rows[second[place]])
            pairs.append((*ends, float(distances[place]), why))
        seen.add(place)
    if not pairs:
        raise UnanswerableError("the pictured images have one code.")
    return pairs


def _between(study: Study, one: int, other: int, distance: float, chosen: Chosen) -> Between:
    test = study.test
    t = np.linspace(0, 1, FRAMES)[:, None]
    ends = test.codes[[one, other]]
    codes = ((1 - t) * ends[0] + t * ends[1]).astype(np.float32)
    codes[[0, -1]] = ends
    images = study.engine.decode(codes)
    flagged = study.off_data.flags(codes, study.engine, images)
    fades = (1 - t) * images[0].astype(np.float64) + t * images[-1]
    missed = np.sqrt(squared_norms(images - fades))
    apart = float(np.sqrt(squared_norms(images[-1].astype(np.float64) - images[0])))
    return Between(
        names=(test.names[one], test.names[other]),
        classes=() if test.labels is None else (test.labels[one], test.labels[other]),
        chosen=chosen,
        distance=distance,
        frames=study.pictures(images),
        fades=study.pictures(fades),
        flagged=flagged,
        bend=float(missed.max()) / apart if apart > 0 else float("nan"),
        bent_most=int(np.argmax(missed)),
    )
