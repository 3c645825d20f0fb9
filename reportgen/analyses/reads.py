"""What does a unit read? The encoder's side: how codes move when a patch of the image is hidden.

A patch is replaced by what stands there in the fit images on average. Beside it stands what the
unit paints there, on the same grid. Nothing is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import ImageArray, UnanswerableError
from reportgen.analyses.shared.path_contributions import path_shares, picture_paths
from reportgen.statistics.footprints import holding_radius
from reportgen.statistics.pictures import picture_shape
from reportgen.study.study import Study

MOST_PATCHES = 14


@dataclass(frozen=True)
class Reads:
    """Maps of the units that a path names, at most 32, on a grid of patches.

    Attributes
    ----------
    grid : (patches down, patches across), at most 14 each.
    units : the unit behind each map, by share.
    reads : (units, down · across) rms over images of what hiding the patch moves the unit by, in
        sd of the unit over the fit rows. A channel, or a group, is read as its value.
    signed : the same, mean over images: positive where hiding the patch lowers the unit.
    paints : (units, down · across) rms over the pictured images and the patch's pixels of the
        unit's contribution, in pixel units.
    strongest : (units,) the largest of its `reads`.
    agreement : (units,) cosine of `reads` and `paints`; NaN where one is 0 everywhere.
    field_radius : of a spatial code, the median over its sites of the radius, in pixels, about the
        centroid of what all channels of a site read that holds 90 % of its square: the receptive
        field as far as it is used, to the patches' size; None for flat codes.
    rows : images behind `reads`; picture_rows : behind `paints`.
    """

    grid: tuple[int, int]
    units: tuple[int, ...]
    reads: ImageArray
    signed: ImageArray
    paints: ImageArray
    strongest: np.ndarray
    agreement: np.ndarray
    field_radius: float | None
    rows: int
    picture_rows: int


def run(study: Study) -> Reads:
    """Hide each patch of the table's rows in turn, and encode what is left.

    Raises UnanswerableError where no unit varies.
    """
    if len(study.players) == 0:
        raise UnanswerableError("no unit of the code varies over the images.")
    _, height, width = study.image_shape
    grid = study.patch_grid(MOST_PATCHES)
    rows = study.rows.table
    pooled = study.shared(path_shares)
    named = [player for player in pooled.order if pooled.player_units[player] >= 0]
    units = pooled.player_units[named]
    moved = _Moved(study, rows, grid)
    deviations = study.deviations[units][:, None]
    reads = np.sqrt(moved.squares[:, units].T / len(rows)) / deviations
    phi = study.shared(picture_paths).pictures[:, named]
    paints = _painted(phi, picture_shape(study.image_shape), grid)
    size = height / grid[0], width / grid[1]
    return Reads(
        grid=grid,
        units=tuple(units.tolist()),
        reads=reads.astype(np.float32),
        signed=(moved.sums[:, units].T / len(rows) / deviations).astype(np.float32),
        paints=paints.astype(np.float32),
        strongest=reads.max(axis=1),
        agreement=_cosines(reads, paints),
        field_radius=moved.field_radius(size),
        rows=len(rows),
        picture_rows=len(phi),
    )


class _Moved:
    """By how much hiding each of p patches moves the code, over r rows.

    Attributes
    ----------
    squares, sums : (p, K) Σ of squares and of the units' moves, z − E(x without the patch).
    sites : (p, H, W) Σ of squares over a spatial code's channels, each in sd; None for flat codes.
    """

    def __init__(self, study: Study, rows: np.ndarray, grid: tuple[int, int]) -> None:
        self._grid = grid
        patches, shape = _patches(study.image_shape, grid), study.autoencoder.code_shape
        mean = study.fit.images.mean(axis=0, dtype=np.float64).astype(np.float32)
        scale = _scales(study)
        self.squares, self.sums = np.zeros((2, len(patches), len(study.units)))
        self._sites = np.zeros((len(patches), *shape[1:])) if len(shape) == 3 else None
        for place in study.ranks.mine(len(rows)):
            image = study.test.images[rows[place]]
            label = study.engine.labels_in(study.test.codes[rows[place]][None])
            own = study.engine.encode(image[None], label)
            for start in range(0, len(patches), study.engine.block_size):
                part = slice(start, start + study.engine.block_size)
                hidden = np.where(patches[part], mean, image)
                labels = None if label is None else np.repeat(label, len(hidden))
                codes = own - study.engine.encode(hidden, labels)
                values = study.units.values(codes)
                self.squares[part] += values**2
                self.sums[part] += values
                if self._sites is not None:
                    # What stands behind a code is its class.
                    squares = np.square(codes / scale, dtype=np.float64)[:, : int(np.prod(shape))]
                    self._sites[part] += squares.reshape(-1, *shape).sum(axis=1)
        study.ranks.add_up(self.squares, self.sums)
        if self._sites is not None:
            study.ranks.add_up(self._sites)

    def field_radius(self, size: tuple[float, float]) -> float | None:
        """The median radius of what a site reads; patches are of `size` pixels (down, across)."""
        if self._sites is None:
            return None
        fields = self._sites.reshape(len(self._sites), -1).T.reshape(-1, *self._grid)
        radii = np.array([holding_radius(field, size) for field in fields])
        return float(np.nanmedian(radii)) if np.isfinite(radii).any() else float("nan")


def _scales(study: Study) -> np.ndarray:
    """(code_size,) sd of each number of the code over the fit rows; infinite where it is 0."""
    deviations = study.fit.codes.std(axis=0, dtype=np.float64)
    return np.where(deviations > 0, deviations, np.inf)


def _patches(shape: tuple[int, int, int], grid: tuple[int, int]) -> np.ndarray:
    """(p, P) bool: which values of a flattened image are in each patch, row by row."""
    _, height, width = shape
    down, across = (np.arange(n) * g // n for n, g in zip((height, width), grid, strict=True))
    owner = np.broadcast_to(down[:, None] * grid[1] + across, shape).ravel()
    return owner == np.arange(grid[0] * grid[1])[:, None]


def _painted(phi: np.ndarray, shape: tuple[int, int, int], grid: tuple[int, int]) -> np.ndarray:
    """(r, units, p) contributions → (units, patches) their root mean square in each patch."""
    patches = _patches(shape, grid).T.astype(np.float64)
    squares = np.square(phi, dtype=np.float64).mean(axis=0) @ patches
    counts = patches.sum(axis=0)
    return np.sqrt(np.divide(squares, counts, out=np.zeros_like(squares), where=counts > 0))


def _cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(units,) cosine of each pair of rows."""
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    products = np.vecdot(one, other)
    return np.divide(products, norms, out=np.full(len(one), np.nan), where=norms > 0)
