"""Where in the image does each site of a spatial code act, and what do its channels show?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from reportgen.analyses import DoesNotApplyError, UnanswerableError
from reportgen.autoencoder import UnitKind, Units
from reportgen.engine import Coalitions, CodePanel
from reportgen.statistics.blocks import (
    cached_columns,
    centred_squares,
    in_parallel,
    over_pixels,
)
from reportgen.statistics.bootstrap import Estimate
from reportgen.statistics.footprints import holding_radius
from reportgen.statistics.norms import squared_norms
from reportgen.statistics.regression import Affine
from reportgen.study.study import Study

MOST_SITES = 256
MAP_BYTES = 2**26


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
    off_data_share: Estimate
    rows: int


def run(study: Study) -> Spatial:
    """Set every site back to its mean on the table rows.

    Raises DoesNotApplyError for flat codes, UnanswerableError where the reconstruction does not
    vary.
    """
    shape = study.autoencoder.code_shape
    if len(shape) != 3:
        raise DoesNotApplyError("the code is flat: it has no sites.")
    channels, height, width = shape
    block = _block(height, width)
    sites, grid = _sites(shape, block, study.units.code_size)
    rows = study.rows.table
    spread = centred_squares(study.test.reconstructions[rows])
    if study.is_negligible(float(spread.sum()), len(rows)):
        raise UnanswerableError("the reconstruction is the same for every row.")
    coalitions = Coalitions(study.engine, sites, study.baseline)
    moved = coalitions.panel(study.test.codes[rows], coalitions.without_one())
    by_row, radii = _effects_and_radii(study, moved, rows)
    effects = study.bootstrap(rows).ratios(by_row, spread)
    values, low, high = (
        np.array([getattr(effect, end) for effect in effects]).reshape(grid)
        for end in ("value", "low", "high")
    )
    colour_r2, weights = _colours(study, channels, height, width)
    return Spatial(
        code_shape=(channels, height, width),
        block=block,
        site_effects=values,
        site_effects_low=low,
        site_effects_high=high,
        footprint_radii=radii.reshape(grid),
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


def _sites(shape: tuple[int, ...], block: int, code_size: int) -> tuple[Units, tuple[int, int]]:
    """Blocks of sites as units, row by row, and how many there are down and across."""
    channels, height, width = shape
    coordinates = np.arange(channels * height * width).reshape(shape)
    members, names = [], []
    down, across = range(0, height, block), range(0, width, block)
    for top in down:
        for left in across:
            members.append(coordinates[:, top : top + block, left : left + block].ravel())
            names.append(f"{top},{left}")
    units = Units(tuple(members), tuple(names), UnitKind.SITE, code_size)
    return units, (len(down), len(across))


def _effects_and_radii(
    study: Study, moved: CodePanel, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(rows, sites) ΣD² over pixels, and (sites,) the radius of ΣD² over rows and channels.

    As many sites at a time as 64 MiB hold maps of.
    """
    sites, (channels, height, width) = moved.each, study.image_shape
    together = max(1, MAP_BYTES // (8 * height * width))
    by_row, radii = np.zeros((len(rows), sites)), np.empty(sites)
    for some in (slice(start, start + together) for start in range(0, sites, together)):
        requests = (moved.of_row(place, some) for place in range(len(rows)))
        decoded = study.engine.decode_blocks_of_each(requests)
        energy = np.zeros((min(together, sites - some.start), height * width))
        for row, blocks, sums in zip(rows, decoded, by_row[:, some], strict=True):
            whole = study.test.reconstructions[row].reshape(channels, -1)
            for part, images in blocks:
                add = partial(
                    _add_squares, energy[part], whole, images.reshape(-1, channels, height * width)
                )
                sums[part] = sum(over_pixels(add, height * width))
        radii[some] = list(in_parallel(holding_radius, energy.reshape(-1, height, width)))
    return by_row, radii


def _add_squares(
    energy: np.ndarray, whole: np.ndarray, images: np.ndarray, part: slice
) -> np.ndarray:
    """Some columns of ΣD² over channels are added to the energy (n, H·W).

    D is x̂ (C, H·W) less each image (n, C, H·W). Gives the sum over these columns, (n,).
    """
    sums = np.zeros(len(images))
    energy, whole, images = energy[:, part], whole[:, part], images[..., part]
    for columns in cached_columns(energy):
        changes = (whole[:, columns] - images[..., columns]).astype(np.float64)
        squares = np.square(changes, out=changes).sum(axis=1)
        energy[:, columns] += squares
        sums += squares.sum(axis=1)
    return sums


def _colours(study: Study, channels: int, height: int, width: int) -> tuple[Estimate, np.ndarray]:
    """R² on the test rows and slopes of the map from a site's channels to its patch's colour."""

    def regressors(codes: np.ndarray) -> np.ndarray:
        # What stands behind a code is its class.
        own = codes[:, : channels * height * width]
        spatial = own.reshape(-1, channels, height, width).astype(np.float64)
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
    return study.bootstrap(study.test_rows).explained(*by_image), fitted.coefficients


def _patches(pixels: int, sites: int) -> list[slice]:
    """The pixels below each site along one axis; sites finer than pixels share them."""
    starts = np.arange(sites) * pixels // sites
    stops = np.maximum(starts + 1, np.arange(1, sites + 1) * pixels // sites)
    return [slice(start, stop) for start, stop in zip(starts, stops, strict=True)]
