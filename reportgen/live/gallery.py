"""Test images that the page explains by itself: their codes, small pictures and paths."""

from __future__ import annotations

import numpy as np

from reportgen.analyses import DoesNotApplyError, UnanswerableError
from reportgen.analyses.contributions import Contributions
from reportgen.analyses.direction_contributions import DirectionContributions
from reportgen.analyses.shared.found_directions import FoundDirections, found_directions
from reportgen.analyses.shared.path_contributions import path_order, path_shares
from reportgen.analyses.shared.strongest_rows import NOWHERE
from reportgen.live.near import near_codes
from reportgen.live.program import (
    LEVELS,
    CloudOfCodes,
    Gallery,
    GalleryComponents,
    LiveDirections,
    LiveLengths,
    LiveUnits,
)
from reportgen.statistics.pictures import averaged_down, picture_shape, shrink_factor
from reportgen.study.study import Study

# Steps of a path in the page: as near to 16 of them as units' order is to another order.
STEPS = 8
# Numbers of all codes together, and of what directions are made from: 16 and 32 bits each.
MOST_CODE_NUMBERS, MOST_DIRECTION_NUMBERS = 200_000, 70_000
MOST_LIVE_UNITS = 128
# Numbers of all principal components together, of 16 bits.
MOST_COMPONENT_NUMBERS = 40_000
# Values of all small pictures together; they are smaller where there would be more.
MOST_PIXELS = 6_000_000
LARGE_THUMBNAIL, SMALL_THUMBNAIL = 64, 32


def gallery_of(
    study: Study,
    by_unit: Contributions | None,
    by_direction: DirectionContributions | None,
    steps: np.ndarray,
) -> Gallery | None:
    """The picture rows, and as many other test rows as the settings and a page have room for.

    `steps` (m, code_size) are those by which the walked units' sliders move a code.
    None where the units have no contributions, or codes are too long for a page.
    """
    room = MOST_CODE_NUMBERS // study.units.code_size
    if by_unit is None or room < len(study.rows.pictures):
        return None
    rows = _rows(study, min(study.settings.gallery, room))
    labels = study.test.labels
    shape, thumbnails = _thumbnails(study, rows)
    cloud = _cloud(study)
    return Gallery(
        names=tuple(study.test.names[row] for row in rows),
        classes=tuple("" if labels is None else str(labels[row]) for row in rows),
        pictured=len(study.rows.pictures),
        test_images=len(study.test),
        codes=study.test.codes[rows],
        thumbnail_shape=shape,
        thumbnails=thumbnails,
        baseline=study.baseline,
        steps=STEPS,
        units=_units(study, rows),
        directions=None if by_direction is None else _directions(study, rows, cloud is None),
        directions_lead=by_direction is not None and by_direction.leads,
        cloud=cloud,
        near=None if cloud else near_codes(study.off_data, study.test.codes[rows], steps),
        pca=_components(study, rows),
    )


def _rows(study: Study, wanted: int) -> np.ndarray:
    """The picture rows, those where units are strong, and others spread over the test half."""
    pictures = study.rows.pictures
    room = max(0, wanted - len(pictures))
    shares = study.shared(path_shares)
    strong = np.zeros(0, np.intp)
    if shares.strongest is not None:
        told = shares.strongest.rows[shares.player_units >= 0]
        strong = np.setdiff1d(told[told != NOWHERE], pictures)[:room]
    others = np.setdiff1d(study.test_rows, np.concatenate([pictures, strong]))
    count = min(len(others), room - len(strong))
    spread = np.linspace(0, len(others) - 1, count).round().astype(np.intp)
    return np.concatenate([pictures, np.sort(np.concatenate([strong, others[spread]]))])


def _thumbnails(study: Study, rows: np.ndarray) -> tuple[tuple[int, int, int], np.ndarray]:
    """Their shape, and (n, C·h·w) uint8."""
    images, shape = study.test.images[rows], study.image_shape
    low, high = study.pixel_range
    largest = LARGE_THUMBNAIL
    if len(rows) * shape[0] * LARGE_THUMBNAIL**2 > MOST_PIXELS:
        largest = SMALL_THUMBNAIL
    small = averaged_down(images, shape, shrink_factor(shape, largest))
    levels = np.clip((small - low) / (high - low), 0, 1)
    _, channels, height, width = levels.shape
    pixels = np.rint(255 * np.nan_to_num(levels)).astype(np.uint8)
    return (channels, height, width), pixels.reshape(len(rows), -1)


def _orders(study: Study, rows: np.ndarray, by_share: np.ndarray) -> np.ndarray:
    """(n, players) uint16: the order of each row's own path, in places by share."""
    place = np.argsort(by_share)
    orders = [place[path_order(study, row, len(by_share))] for row in rows]
    return np.array(orders, dtype=np.uint16).reshape(len(rows), len(by_share))


def _units(study: Study, rows: np.ndarray) -> LiveUnits:
    shares = study.shared(path_shares)
    players, by_share = shares.players, shares.order
    return LiveUnits(
        names=tuple(players.names[place] for place in by_share),
        units=tuple(int(shares.player_units[place]) for place in by_share),
        members=tuple(tuple(int(n) for n in players.members[place]) for place in by_share),
        orders=_orders(study, rows, by_share),
    )


def _directions(study: Study, rows: np.ndarray, with_near: bool) -> LiveDirections | None:
    """Directions, in their own order; None where they are too large for a page."""
    try:
        shared = study.shared(found_directions)
    except (DoesNotApplyError, UnanswerableError):
        return None
    found = shared.directions
    if found.readout.size + found.drawn.size > MOST_DIRECTION_NUMBERS:
        return None
    count = len(shared) + 1
    return LiveDirections(
        names=shared.players.names,
        coordinates=tuple(int(n) for n in shared.coordinates),
        readout=found.readout.astype(np.float32),
        drawn=found.drawn.astype(np.float32),
        orders=_orders(study, rows, np.arange(count)),
        lengths=_lengths(study, rows, shared, with_near),
    )


def _lengths(
    study: Study, rows: np.ndarray, shared: FoundDirections, with_near: bool
) -> LiveLengths:
    fitted = shared.lengths(study.fit.every_code)
    near = near_codes(study.off_data, study.test.codes[rows], shared.steps()) if with_near else None
    return LiveLengths(
        baseline=shared.lengths(study.baseline[None])[0],
        means=fitted.mean(axis=0),
        quantiles=np.quantile(fitted, LEVELS, axis=0).T,
        near=near,
    )


def _cloud(study: Study) -> CloudOfCodes | None:
    off_data = study.off_data
    if not 0 < len(off_data.live) <= MOST_LIVE_UNITS:
        return None
    members = study.units.members
    return CloudOfCodes(
        members=tuple(tuple(int(n) for n in members[unit]) for unit in off_data.live),
        mean=off_data.mean,
        precision=off_data.precision,
    )


def _components(study: Study, rows: np.ndarray) -> GalleryComponents | None:
    count = study.pca_components
    pixels = int(np.prod(picture_shape(study.image_shape)))
    if not 0 < count * pixels <= MOST_COMPONENT_NUMBERS:
        return None
    pca = study.pca.first(count)
    return GalleryComponents(
        mean=study.pictures(pca.mean),
        components=study.pictures(pca.components),
        scores=pca.scores(study.test.images[rows]).astype(np.float32),
    )
