"""Drawing for one report: tiles of its images and differences, at the page's scales and sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.figures.sprites import Sprite, SpriteMaker
from reportgen.figures.tiles import (
    GAP,
    channel_grid,
    difference_tiles,
    image_tiles,
    is_in_colour,
    symmetric_limit,
)
from reportgen.report.thinning import WHOLE, Thinning
from reportgen.statistics.pictures import shrink_factor

LARGEST_THUMBNAIL = 32


@dataclass(frozen=True)
class Strip:
    """Tiles in one row, with a caption under each.

    Attributes
    ----------
    sprite : the picture; alt : what it shows, with its numbers.
    captions : one for each tile.
    flagged : for each tile whether its code is off data; empty where that is not known.
    on_data : for each tile whether it is within the data-supported range; empty where unknown.
    limit : the largest difference on the signed scale of its difference tiles; None without any.
    signed_from : place of the first difference tile, where `limit` is given; images come before.
    thumbnail : whether the tiles are small ones.
    """

    sprite: Sprite
    alt: str
    captions: tuple[str, ...] = ()
    flagged: tuple[bool, ...] = ()
    on_data: tuple[bool, ...] = ()
    limit: float | None = None
    signed_from: int = 0
    thumbnail: bool = False


class Drawing:
    """Draws pictures of `shape` (C, h, w) on the data's pixel range.

    Tiles larger than those of `thinning` are averaged down by a whole factor, thumbnails to 32;
    `thinning` also says how many pictures the views draw. Sprites that `maker` has made are not
    made again.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        pixel_range: tuple[float, float],
        thinning: Thinning = WHOLE,
        maker: SpriteMaker | None = None,
    ) -> None:
        self._maker = maker or SpriteMaker()
        self.thinning = thinning
        self.shape = shape
        self.pixel_range = pixel_range
        self.factor = shrink_factor(shape, self._largest(thinning.largest_tile))
        self.thumbnail_factor = shrink_factor(shape, self._largest(LARGEST_THUMBNAIL))

    @property
    def in_colour(self) -> bool:
        """Tell whether differences are shown as colours around mid-grey."""
        return is_in_colour(self.shape[0])

    @property
    def channel_grid(self) -> tuple[int, int]:
        """(rows, columns) in which channels that are no colours stand in each picture."""
        return channel_grid(self.shape[0])

    @property
    def channels_shown(self) -> int:
        """The number of channels that a pixel of a picture stands for: 1 for grey."""
        return self.shape[0] if self.in_colour else 1

    @property
    def tile_width(self) -> int:
        """The number of pixels across one tile."""
        return self._width(self.factor)

    @property
    def thumbnail_width(self) -> int:
        """The number of pixels across one thumbnail."""
        return self._width(self.thumbnail_factor)

    def tall(self, width: int) -> int:
        """The number of pixels down a tile that is so many across."""
        return max(1, self.shape[1] // max(1, self.shape[2] // width))

    def images(self, images: np.ndarray) -> np.ndarray:
        """(n, P) or (P,) → (n, h, w, 3) tiles at the pixel range."""
        return image_tiles(np.atleast_2d(images), self.shape, self.pixel_range, self.factor)

    def differences(self, differences: np.ndarray, limit: float) -> np.ndarray:
        """(n, P) or (P,) → tiles on the signed scale ± limit."""
        return difference_tiles(np.atleast_2d(differences), self.shape, limit, self.factor)

    def limit(self, *differences: np.ndarray) -> float:
        """The largest absolute value of all these differences: the limit of their one scale."""
        return symmetric_limit(*differences)

    def strip(self, *tiles: np.ndarray, blank: int = 0) -> Sprite:
        """Tiles side by side, in the order given, after `blank` empty ones."""
        return self._maker.strip(np.concatenate(tiles), blank)

    def thumbnails(self, images: np.ndarray) -> Sprite:
        """(n, P) → a strip of small tiles."""
        return self._maker.strip(
            image_tiles(images, self.shape, self.pixel_range, self.thumbnail_factor)
        )

    def sheet(self, levels: np.ndarray, shape: tuple[int, int, int], factor: int) -> Sprite:
        """(n, C·h·w) uint8 small pictures → one sheet of tiles, `factor` times smaller."""
        return self._maker.sheet(image_tiles(levels, shape, (0, 255), factor))

    def small_differences(self, differences: np.ndarray, limit: float) -> np.ndarray:
        """(n, P) → tiles of a thumbnail's size on the signed scale ± limit."""
        return difference_tiles(differences, self.shape, limit, self.thumbnail_factor)

    def patches(self, maps: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
        """(n, down · across) numbers of patches → (n, P) the same at every pixel of the patch."""
        channels, height, width = self.shape
        down, across = (np.arange(n) * g // n for n, g in zip((height, width), grid, strict=True))
        pixels = maps.reshape(-1, *grid)[:, down[:, None], across]
        return np.repeat(pixels[:, None], channels, axis=1).reshape(len(pixels), -1)

    def _width(self, factor: int) -> int:
        columns = self.channel_grid[1]
        return columns * (max(1, self.shape[2] // factor) + GAP) - GAP

    def _largest(self, side: int) -> int:
        """Pixels across one channel: a picture of several is twice as large as others are."""
        columns = self.channel_grid[1]
        return side if columns == 1 else max(1, 2 * side // columns)
