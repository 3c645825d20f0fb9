"""Samples: images with their codes and reconstructions, as many as memory has room for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from reportgen.engine import Engine
from reportgen.process.ranks import ALONE, Ranks
from reportgen.process.scratch import Scratch
from reportgen.settings import Settings
from reportgen.statistics.blocks import column_deviations, row_blocks
from reportgen.statistics.norms import squared_norms
from reportgen.study.code_cache import CodeCache
from reportgen.study.copies import first_copies, with_their_copies
from reportgen.study.encoding import encode_all

if TYPE_CHECKING:
    from reportgen.images import ImageSet
    from reportgen.images.image_set import Factors

FEWEST_KEPT = 64
FEWEST_TO_SPLIT = 20
DECODED_TOGETHER = 1024


@dataclass(frozen=True)
class Sample:
    """Images with what the model makes of them.

    Attributes
    ----------
    images, reconstructions : (n, P) float32 on the data's pixel scale.
    codes : (n, code_size) float32.
    names : (n,) file names.
    labels : (n,) class names, or None.
    factors : columns of labels.csv, each (n,), or empty.
    every_code : (m, code_size) the codes of these images and of those whose pixels there was no
        room for; m = n unless the images are many.
    fingerprints, every_fingerprint : (n, 2) and (m, 2), equal where pixels are equal.
    """

    images: np.ndarray
    codes: np.ndarray
    reconstructions: np.ndarray
    names: tuple[str, ...]
    labels: tuple[str, ...] | None
    factors: Factors
    every_code: np.ndarray
    fingerprints: np.ndarray
    every_fingerprint: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def squared_errors(self) -> np.ndarray:
        """(n,) ‖x − x̂‖², summed over pixels, accumulated in float64."""
        blocks = row_blocks(self.images)
        errors = [squared_norms(self.images[b] - self.reconstructions[b]) for b in blocks]
        return np.concatenate(errors)

    @cached_property
    def copy_of(self) -> np.ndarray:
        """(n,) for each image the first of these with the same pixels; itself for the first."""
        return first_copies(self.fingerprints)

    @cached_property
    def every_copy_of(self) -> np.ndarray:
        """(m,) the same for `every_code`."""
        return first_copies(self.every_fingerprint)


def moving_coordinates(codes: np.ndarray, settings: Settings) -> np.ndarray:
    """(code_size,) which coordinates vary by more than rounding, on their own scale."""
    largest = np.maximum(codes.max(axis=0), -codes.min(axis=0))
    return column_deviations(codes) > settings.constant_deviation * largest


def hold_constants(
    fit: Sample, test: Sample, engine: Engine, settings: Settings
) -> tuple[Sample, Sample]:
    """Coordinates that are constant up to rounding are exactly so, at their mean.

    They are in no coalition; left to jitter, they would add to the image what no unit accounts for.
    What stands behind a code for its class is left as it is, also of a class that no fit row has.
    """
    constant = ~moving_coordinates(fit.every_code, settings)
    constant[engine.code_size - engine.label_size :] = False
    mean = fit.every_code.mean(axis=0, dtype=np.float64).astype(np.float32)

    def held(sample: Sample) -> Sample:
        if np.array_equal(sample.codes[:, constant], np.tile(mean[constant], (len(sample), 1))):
            return sample
        codes = np.where(constant, mean, sample.codes)
        every = codes
        if sample.every_code is not sample.codes:
            every = np.where(constant, mean, sample.every_code)
        reconstructions = engine.decode(codes)
        return replace(sample, codes=codes, every_code=every, reconstructions=reconstructions)

    fitted = held(fit)
    return fitted, fitted if test is fit else held(test)


def read_samples(
    images: ImageSet,
    parts: tuple[np.ndarray, ...],
    *,
    engine: Engine,
    settings: Settings,
    cache: CodeCache | None = None,
    ranks: Ranks = ALONE,
    scratch: Scratch | None = None,
    on_encoded: Callable[[int, int], None] = lambda done, of: None,
) -> list[Sample]:
    """One sample for each part (rows of the image set), encoded in one pass and decoded.

    Of each part, as many images are kept as an eighth of the memory has room for beside their
    reconstructions; which ones is a seeded choice. Copies of an image go to the part that the first
    of them is in. Where fewer than 20 differ, all images are one sample.
    """
    room = settings.memory_bytes // 8 // (2 * len(parts) * 4 * engine.image_size)
    kept = [_some_of(rows, max(FEWEST_KEPT, room), settings.seed) for rows in parts]
    kept_rows = np.concatenate(kept)
    order = np.argsort(kept_rows)
    encoded = encode_all(
        images,
        engine,
        kept_rows,
        cache=cache,
        ranks=ranks,
        scratch=scratch,
        on_encoded=on_encoded,
    )
    codes, prints = encoded.codes, encoded.fingerprints
    if len(parts) > 1:
        first = first_copies(prints)
        parts = with_their_copies(parts, first)
        if len(np.unique(first)) < FEWEST_TO_SPLIT:
            parts = (np.arange(len(images)),)
    samples = []
    for rows in parts:
        chosen = rows[np.isin(rows, kept_rows)]
        own_pixels = encoded.pixels[order[np.searchsorted(kept_rows, chosen, sorter=order)]]
        own = codes[chosen]
        samples.append(
            Sample(
                images=own_pixels,
                codes=own,
                reconstructions=_decoded(own, engine, ranks),
                names=tuple(images.names[row] for row in chosen),
                labels=None if images.labels is None else tuple(images.labels[r] for r in chosen),
                factors={
                    name: tuple(column[row] for row in chosen)
                    for name, column in (images.factors or {}).items()
                },
                every_code=own if len(chosen) == len(rows) else codes[rows],
                fingerprints=prints[chosen],
                every_fingerprint=prints[rows],
            )
        )
    return samples


def _decoded(codes: np.ndarray, engine: Engine, ranks: Ranks) -> np.ndarray:
    images = np.zeros((len(codes), engine.image_size), dtype=np.float32)
    together = min(DECODED_TOGETHER, engine.block_size)
    for block in ranks.mine(-(-len(codes) // together)):
        rows = slice(block * together, (block + 1) * together)
        images[rows] = engine.decode(codes[rows])
    ranks.add_up(images)
    return images


def _some_of(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng([seed, 10]).choice(rows, most, replace=False))


def with_codes(sample: Sample, engine: Engine) -> Sample:
    """The sample's images with this decoder's codes and reconstructions."""
    codes = engine.encode(sample.images, engine.labels_in(sample.codes))
    return replace(
        sample,
        codes=codes,
        every_code=codes,
        every_fingerprint=sample.fingerprints,
        reconstructions=engine.decode(codes),
    )
