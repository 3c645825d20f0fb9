"""Where do images lie in the code? Maps of the codes in two dimensions.

A map shows which images are neighbours, and where between them no image is. Two numbers of many
cannot keep all distances: how far neighbours on a map are neighbours in the code is its
trustworthiness (Venna & Kaski, 2001).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from reportgen.analyses import DoesNotApplyError, ImageArray
from reportgen.analyses.shared.path_contributions import units_by_share
from reportgen.statistics.pca import fit_pca
from reportgen.statistics.trustworthiness import trustworthiness
from reportgen.study.study import Study

MOST_CODES, MOST_CODES_THOROUGH = 500, 2_000
FEWEST_CODES = 8
NEIGHBOURS, PERPLEXITY = 15, 30.0
# Of a map's width and height: pictures as large as that do not cover each other.
APART = 1 / 11
DECIMALS = 4

MapKind = Literal["the code itself", "principal axes", "t-SNE"]


@dataclass(frozen=True)
class Map:
    """One map of the codes.

    Attributes
    ----------
    kind : how it was made: two numbers of the code as they are, the code's first two principal
        axes, or t-SNE (van der Maaten & Hinton, 2008), in which only nearness means something.
    points : (n, 2) across and up, to a ten-thousandth of the largest.
    trustworthiness : 1 where all of a code's nearest on the map are among its nearest in the code,
        about ½ for a random map; NaN below 8 codes.
    held_variance : share of the codes' variance along the map's two axes; NaN for t-SNE.
    pictured : (p,) places of codes, among the n, whose images are shown: as many as do not cover
        each other.
    pictures : (p, P) those images.
    """

    kind: MapKind
    points: np.ndarray
    trustworthiness: float
    held_variance: float
    pictured: np.ndarray
    pictures: ImageArray


@dataclass(frozen=True)
class CodeMap:
    """Maps of the test images' codes, over the numbers of live units.

    Attributes
    ----------
    maps : the first is linear: the code itself or its principal axes. t-SNE follows with
        `--effort thorough`.
    code_numbers : numbers of the code that are looked at.
    neighbours : as many nearest codes are looked at for trustworthiness: 15, or fewer of few codes.
    classes : names, by number; class_of (n,) the number of each code's class; empty where the
        images have no classes.
    unit : the strongest unit by share; unit_values (n,) its value, which colours maps of images
        without classes.
    walk_starts : (rows, 2) where the walk rows are on the first map.
    unit_steps : (K, 2) by how far one more of each unit moves a code there.
    rows : n, at most 500 of the test images, and 2,000 with `--effort thorough`.
    """

    maps: tuple[Map, ...]
    code_numbers: int
    neighbours: int
    classes: tuple[str, ...]
    class_of: np.ndarray
    unit: int
    unit_values: np.ndarray
    walk_starts: np.ndarray
    unit_steps: np.ndarray
    rows: int


def run(study: Study) -> CodeMap:
    """Draw the maps; nothing is decoded.

    Raises DoesNotApplyError where fewer than two numbers of live units vary.
    """
    coordinates = _coordinates(study)
    thorough = study.settings.effort == "thorough"
    rows = _some_rows(study, MOST_CODES_THOROUGH if thorough else MOST_CODES)
    codes = study.test.codes[np.ix_(rows, coordinates)].astype(np.float64)
    axes, held = _axes(study, coordinates)
    kind: MapKind = "the code itself" if len(coordinates) == 2 else "principal axes"
    flat = [(kind, codes @ axes.T, held)]
    if thorough and len(rows) >= FEWEST_CODES:
        flat.append(("t-SNE", _t_sne(codes, study.settings.seed), float("nan")))
    neighbours = min(NEIGHBOURS, (len(rows) - 1) // 2)
    classes, class_of = _classes(study, rows)
    unit = int(study.player_units[units_by_share(study)[0]])
    on_axes = np.zeros((study.units.code_size, 2))
    on_axes[coordinates] = axes.T
    return CodeMap(
        maps=tuple(_map(study, rows, codes, neighbours, *each) for each in flat),
        code_numbers=len(coordinates),
        neighbours=neighbours,
        classes=classes,
        class_of=class_of,
        unit=unit,
        unit_values=study.units.values(study.test.codes[rows])[:, unit],
        walk_starts=study.test.codes[study.rows.walks].astype(np.float64) @ on_axes,
        unit_steps=np.array([on_axes[m].sum(axis=0) for m in study.units.members]).reshape(-1, 2),
        rows=len(rows),
    )


def _coordinates(study: Study) -> np.ndarray:
    """(m,) the numbers of live units that vary over the fit rows."""
    members = [study.units.members[unit] for unit in study.live_units]
    mine = np.sort(np.concatenate([*members, np.zeros(0, np.intp)])).astype(np.intp)
    varying = mine[np.ptp(study.fit.codes[:, mine], axis=0) > 0]
    if len(varying) < 2:
        raise DoesNotApplyError("fewer than two numbers of the code's live units vary.")
    return varying


def _some_rows(study: Study, most: int) -> np.ndarray:
    """Test rows, a seeded choice where they are more than `most`."""
    rows = study.test_rows
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng([study.settings.seed, 24]).choice(rows, most, False))


def _axes(study: Study, coordinates: np.ndarray) -> tuple[np.ndarray, float]:
    """(2, m) the map's axes, of the fit rows' codes, and their share of the test codes' variance.

    Two numbers of a code stay as they are.
    """
    if len(coordinates) == 2:
        return np.eye(2), 1.0
    fit, test = (part.codes[:, coordinates] for part in (study.fit, study.test))
    axes = fit_pca(fit, 2, study.settings.seed).components
    # Of two images there is one axis.
    axes = np.pad(axes, ((0, 2 - len(axes)), (0, 0)))
    codes = test.astype(np.float64)
    total = codes.var(axis=0).sum()
    return axes, float((codes @ axes.T).var(axis=0).sum() / total) if total > 0 else float("nan")


def _t_sne(codes: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(codes) - 1) / 3)
    fitted: np.ndarray = TSNE(
        2, perplexity=perplexity, init="pca", random_state=seed
    ).fit_transform(codes)
    return fitted


def _map(
    study: Study,
    rows: np.ndarray,
    codes: np.ndarray,
    neighbours: int,
    kind: MapKind,
    points: np.ndarray,
    held: float,
) -> Map:
    trust = float("nan")
    if len(rows) >= FEWEST_CODES:
        trust = trustworthiness(codes, points, neighbours)
    pictured = _apart(points, np.random.default_rng([study.settings.seed, 25]))
    largest = float(np.abs(points).max()) or 1.0
    return Map(
        kind=kind,
        points=np.round(points / largest, DECIMALS) * largest,
        trustworthiness=trust,
        held_variance=held,
        pictured=pictured,
        pictures=study.pictures(study.test.images[rows[pictured]]),
    )


def _apart(points: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Places of points (n, 2), in a random order those that are not near one taken before."""
    span = np.ptp(points, axis=0)
    scaled = points / np.where(span > 0, span, 1)
    taken: list[int] = []
    for place in generator.permutation(len(points)):
        if not taken or np.abs(scaled[taken] - scaled[place]).max(axis=1).min() >= APART:
            taken.append(int(place))
    return np.sort(np.array(taken, np.intp))


def _classes(study: Study, rows: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    labels = study.test.labels
    if labels is None or len(set(labels)) < 2:
        return (), np.zeros(0)
    names = sorted(set(labels))
    return tuple(names), np.array([names.index(labels[row]) for row in rows], np.intp)
