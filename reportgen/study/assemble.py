"""Assembly of a study from a model and its images: one pass, the split into halves, PCA."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from reportgen.autoencoder import Autoencoder, Units
from reportgen.engine import Engine
from reportgen.process.ranks import ALONE, Ranks
from reportgen.process.scratch import Scratch
from reportgen.settings import Settings
from reportgen.statistics.fit_uncertainty import jackknife_groups
from reportgen.statistics.jackknife import pca_errors_without_groups
from reportgen.statistics.pca import pca_beside
from reportgen.study.code_cache import CodeCache
from reportgen.study.last_squash import find_last_squash
from reportgen.study.rows import choose_rows, split_rows
from reportgen.study.sample import hold_constants, read_samples
from reportgen.study.study import Study

if TYPE_CHECKING:
    from reportgen.images import ImageSet


def make_study(
    autoencoder: Autoencoder,
    images: ImageSet,
    settings: Settings,
    *,
    fit_images: ImageSet | None = None,
    replicates: tuple[Autoencoder, ...] = (),
    groups: dict[str, tuple[int, ...]] | None = None,
    cache: CodeCache | None = None,
    ranks: Ranks = ALONE,
    scratch: Scratch | None = None,
    engine: Engine | None = None,
    on_encoded: Callable[[int, int], None] = lambda done, of: None,
) -> Study:
    """Encode every image, decode those that are kept, choose the rows, and fit PCA.

    With `fit_images`, statistics are fitted on those and every image of `images` is a test row.
    `groups` names units that move together as one. `cache` keeps the codes for the next
    build, `scratch` those that are many. `engine` is the model's, where there is one already.
    Raises SettingsError for groups that overlap or name a unit that the code does not have.
    """
    engine = engine or Engine(autoencoder, memory=settings.memory_bytes)
    read = partial(
        read_samples,
        engine=engine,
        settings=settings,
        cache=cache,
        ranks=ranks,
        scratch=scratch,
        on_encoded=on_encoded,
    )
    if fit_images is None:
        # One sample where the images, or those of them that differ, are too few.
        samples = read(images, split_rows(len(images), settings.seed))
        fit, test = samples[0], samples[-1]
    elif fit_images.source.sha256 == images.source.sha256:
        fit = test = read(images, (np.arange(len(images)),))[0]
    else:
        fit = read(fit_images, (np.arange(len(fit_images)),))[0]
        test = read(images, (np.arange(len(images)),))[0]
    fit, test = hold_constants(fit, test, engine, settings)
    units = Units.of(autoencoder.code_shape, autoencoder.label_size).together(groups or {})
    pca, pca_errors = pca_beside(fit.images, test.images, autoencoder.code_size, settings.seed)
    tenths = jackknife_groups(fit.copy_of, settings.seed)
    without = pca_errors_without_groups(pca, fit.images, test.images, tenths)
    return Study(
        autoencoder=autoencoder,
        engine=engine,
        settings=settings,
        units=units,
        fit=fit,
        test=test,
        rows=choose_rows(test.codes, test.squared_errors, len(units), settings),
        pixel_range=images.pixel_range,
        pca=pca.first(autoencoder.code_size),
        pca_errors=pca_errors,
        pca_errors_without=without,
        replicates=replicates,
        squash=find_last_squash(autoencoder, test.codes),
        ranks=ranks,
    )
