"""Where in the image does each site of a spatial code act, and what do its channels show?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from reportgen.analyses import DoesNotApplyError, UnanswerableError
from reportgen.autoencoder import Units
from reportgen.coalitions import Coalitions
from reportgen.settings import Settings
from reportgen.statistics.blocks import centred_squares
from reportgen.statistics.bootstrap import Estimate
from reportgen.statistics.regression import Affine
from reportgen.study import Study, squared_norms

MOST_SITES = 256
FOOTPRINT = 0.9


@dataclass(frozen=True)
class Spatial:
    """Sites of a spatial code (channels, height, width), all channels of a site moved together.

    Attributes
    ----------
    code_shape : (channels, height, width).
    block : side of the blocks of sites that moved as one, so that they are at most 256.
    site_effects : (blocks down, blocks across) last-in effect, mean baseline, over the table rows;
        `site_effects_low` and `site_effects_high` their 95 % intervals.
    footprint_radii : (blocks down, blocks across) pixels: the radius about the centroid of ΣD²
        that holds 90 % of it; NaN where a site changes nothing.
    median_radius : of these.
    colour_r2 : R² on test rows of the mean colour of each site's patch, from its channels; its
        interval resamples images.
    colour_weights : (channels, image channels) that map's slopes, for one sd of each channel.
    off_data_share : share of the codes with one site at its mean that is flagged.
    rows : images behind the effects and radii.
    """

    code_shape: tuple[int, int, int]
    block: int
    site_effects: np.ndarray
    site_effects_low: np.ndarray
    site_effects_high: np.ndarray
    footprint_radii: np.ndarray
    median_radius: float
    colour_r2: Estimate
    colour_weights: np.ndarray
    off_data_share: float
    rows: int


def run(study: Study, settings: Settings) -> Spatial:
    """Set every site back to its mean on the table rows.

    Raises DoesNotApplyError for flat codes, UnanswerableError where the reconstruction does not
    vary.
    """
    shape = study.autoencoder.code_shape
    if len(shape) != 3:
        raise DoesNotApplyError("the code is flat: it has no sites.")
    channels, height, width = shape
    block = _block(height, width)
    sites, grid = _sites(shape, block)
    rows = study.rows.table
    spread = centred_squares(study.test.reconstructions[rows])
    if study.is_negligible(float(spread.sum()), len(rows)):
        raise UnanswerableError("the reconstruction is the same for every row.")
    coalitions = Coalitions(study.decoder, sites, study.baseline)
    without_one = coalitions.without_one()
    moved = [coalitions.codes(study.test.codes[row], without_one) for row in rows]
    energy, by_row = _energy(study, moved, rows)
    effects = study.bootstrap(len(rows)).ratios(by_row, spread)
    values, low, high = (
        np.array([getattr(effect, end) for effect in effects]).reshape(grid)
        for end in ("value", "low", "high")
    )
    radii = np.array([_radius(image) for image in energy]).reshape(grid)
    colour_r2, weights = _colours(study, channels, height, width)
    return Spatial(
        code_shape=(channels, height, width),
        block=block,
        site_effects=values,
        site_effects_low=low,
        site_effects_high=high,
        footprint_radii=radii,
        median_radius=float(np.nanmedian(radii)) if np.isfinite(radii).any() else float("nan"),
        colour_r2=colour_r2,
        colour_weights=weights,
        off_data_share=study.off_data_share(moved),
        rows=len(rows),
    )


def _block(height: int, width: int) -> int:
    """The smallest side of square blocks of sites that are at most 256."""
    block = 1
    while -(-height // block) * -(-width // block) > MOST_SITES:
        block += 1
    return block


def _sites(shape: tuple[int, ...], block: int) -> tuple[Units, tuple[int, int]]:
    """Blocks of sites as units, row by row, and how many there are down and across."""
    channels, height, width = shape
    coordinates = np.arange(channels * height * width).reshape(shape)
    members, names = [], []
    down, across = range(0, height, block), range(0, width, block)
    for top in down:
        for left in across:
            members.append(coordinates[:, top : top + block, left : left + block].ravel())
            names.append(f"{top},{left}")
    units = Units(tuple(members), tuple(names), "site", coordinates.size)
    return units, (len(down), len(across))


def _energy(
    study: Study, moved: list[np.ndarray], rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(sites, H, W) ΣD² over rows and image channels, and (rows, sites) over pixels."""
    sites, (channels, height, width) = len(moved[0]), study.image_shape
    energy = np.zeros((sites, height, width))
    by_row = np.empty((len(rows), sites))
    for row, blocks, sums in zip(rows, study.decoder.decode_in_blocks(moved), by_row, strict=True):
        whole = study.test.reconstructions[row]
        for part, images in blocks:
            for site, image in zip(range(sites)[part], images, strict=True):
                squares = np.square((whole - image).astype(np.float64))
                energy[site] += squares.reshape(channels, height, width).sum(axis=0)
                sums[site] = squares.sum()
    return energy, by_row


def _radius(energy: np.ndarray) -> float:
    total = energy.sum()
    if total <= 0:
        return float("nan")
    y, x = np.mgrid[: energy.shape[0], : energy.shape[1]].astype(np.float64)
    centre_y, centre_x = (energy * y).sum() / total, (energy * x).sum() / total
    distances = np.hypot(y - centre_y, x - centre_x).ravel()
    order = np.argsort(distances, kind="stable")
    reached = np.cumsum(energy.ravel()[order]) >= FOOTPRINT * total
    return float(distances[order][np.argmax(reached)])


def _colours(study: Study, channels: int, height: int, width: int) -> tuple[Estimate, np.ndarray]:
    """R² on the test rows and slopes of the map from a site's channels to its patch's colour."""

    def regressors(codes: np.ndarray) -> np.ndarray:
        spatial = codes.reshape(-1, channels, height, width).astype(np.float64)
        return spatial.transpose(0, 2, 3, 1).reshape(-1, channels)

    def targets(images: np.ndarray) -> np.ndarray:
        pixels = images.reshape(-1, *study.image_shape)
        rows, columns = _patches(pixels.shape[2], height), _patches(pixels.shape[3], width)
        mean = partial(np.mean, axis=(2, 3), dtype=np.float64)
        patches = np.stack([[mean(pixels[:, :, r, c]) for c in columns] for r in rows])
        return patches.transpose(2, 0, 1, 3).reshape(-1, pixels.shape[1])

    fitted = Affine(regressors(study.fit.codes), targets(study.fit.images))
    colour = targets(study.test.images)
    missed = squared_norms(colour - fitted.predict(regressors(study.test.codes)))
    total = centred_squares(colour)
    # An image's sites go together, so images are resampled and not sites.
    by_image = (terms.reshape(len(study.test), -1).sum(axis=1) for terms in (missed, total))
    return study.bootstrap(len(study.test)).explained(*by_image), fitted.coefficients


def _patches(pixels: int, sites: int) -> list[slice]:
    """The pixels below each site along one axis; sites finer than pixels share them."""
    starts = np.arange(sites) * pixels // sites
    stops = np.maximum(starts + 1, np.arange(1, sites + 1) * pixels // sites)
    return [slice(start, stop) for start, stop in zip(starts, stops, strict=True)]
