"""Economies of a study whose time is limited: fewer images, fewer rows, coarser walks and paths."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from reportgen.images.image_set import ImageSet, PixelStore
from reportgen.settings import Settings
from reportgen.study.study import Study

# METHODS' floors; below them rows go only where a report could not be made otherwise.
FEWEST_STATISTIC_ROWS, FEWEST_TABLE_ROWS = 32, 8
LAST_STATISTIC_ROWS, LAST_TABLE_ROWS = 8, 4
ALL_ROWS = 2**31
# The most of each setting, by how coarse walks, paths and the rest are to be.
COARSER: dict[str, tuple[float, int, int, int]] = {
    "picture_rows": (math.inf, 4, 2, 2),
    "walk_rows": (math.inf, 4, 2, 1),
    "walk_units": (math.inf, 16, 4, 4),
    "walk_frames": (math.inf, 7, 5, 5),
    "path_steps": (math.inf, 4, 2, 2),
    "miss_path_steps": (math.inf, 2, 1, 1),
    "pooled_path_steps": (math.inf, 2, 1, 1),
    "most_path_steps": (math.inf, 2, 1, 1),
    "table_players": (math.inf, 6, 4, 3),
    "drawn_rows": (math.inf, 4, 2, 2),
    "off_data_sample": (math.inf, 64, 16, 8),
}


@dataclass(frozen=True)
class Economy:
    """Savings of a study.

    Attributes
    ----------
    statistics, table : the most rows behind statistics, and of the coalition table.
    coarse : 1 where walks have fewer frames, paths fewer steps, which are not doubled, the
        coalition table fewer players, and pictures, off-data shares and drawn mean codes fewer
        rows; 2 where all of these are fewer still, and fewer units are walked; 3 where a single
        image is walked and off-data shares are of a few codes; else 0.
    """

    statistics: int = ALL_ROWS
    table: int = ALL_ROWS
    coarse: int = 0

    def of_settings(self, settings: Settings) -> Settings:
        """The settings of a study that spares so much."""
        coarser = {knob: steps[self.coarse] for knob, steps in COARSER.items() if self.coarse}
        least = {knob: min(getattr(settings, knob), most) for knob, most in coarser.items()}
        return replace(settings, **least)

    def of_study(self, study: Study) -> Study:
        """The study with so few rows; its settings are spared already."""
        if self.statistics == self.table == ALL_ROWS:
            return study
        return replace(study, rows=study.rows.fewer(self.statistics, self.table), _shared={})


@dataclass(frozen=True)
class _SomeRows:
    """Some images of a store."""

    whole: PixelStore
    rows: np.ndarray

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(n,) row numbers among these → (n, C, H, W)."""
        return self.whole.read(self.rows[rows])


def some_of(images: ImageSet, count: int, seed: int) -> ImageSet:
    """So many of the images, chosen at random, in their order; all where there are no more."""
    if count >= len(images):
        return images
    generator = np.random.default_rng([seed, 12])
    rows = np.sort(generator.choice(len(images), count, replace=False))
    labels, factors = images.labels, images.factors
    return replace(
        images,
        names=tuple(images.names[row] for row in rows),
        labels=None if labels is None else tuple(labels[row] for row in rows),
        factors=None
        if factors is None
        else {name: tuple(column[row] for row in rows) for name, column in factors.items()},
        pixels=_SomeRows(images.pixels, rows),
    )
