"""What all analyses share, computed once: codes, reconstructions, rows, statistics, the decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from reportgen.autoencoder import Autoencoder, Units
from reportgen.engine import Coalitions, CodePanel, Engine
from reportgen.process.ranks import ALONE, Ranks
from reportgen.settings import Settings
from reportgen.statistics.blocks import row_blocks
from reportgen.statistics.bootstrap import Bootstrap
from reportgen.statistics.norms import squared_norms
from reportgen.statistics.pca import Pca, pca_beside
from reportgen.statistics.pictures import pictures_of
from reportgen.statistics.sketch import compressor
from reportgen.study.code_cache import CodeCache
from reportgen.study.last_squash import LastSquash, find_last_squash
from reportgen.study.off_data import OffData, calibrate
from reportgen.study.rows import Rows, choose_rows, split_rows
from reportgen.study.sample import (
    Sample,
    hold_constants,
    moving_coordinates,
    read_samples,
    with_codes,
)

if TYPE_CHECKING:
    from reportgen.images import ImageSet

Shared = TypeVar("Shared")
LARGEST_CONTROL = 10
NO_EFFECT = 1e-10


@dataclass(frozen=True)
class Study:
    """One model on one data set, ready to be analysed.

    Attributes
    ----------
    autoencoder, engine, settings, units : the model, its forwards, every knob, all units.
    fit, test : means, sds, PCA and regressions come from `fit`; every printed number from `test`.
        Where there are too few images they are the same object ("in sample").
    rows : which test rows each kind of number uses.
    baseline : (code_size,) z0, the mean code of the fit rows.
    players : the units that are not constant; only these take part in interventions.
    player_units : (players,) their indices among all units.
    pca : K_pca components: as many as the code has numbers, fewer where rows or pixels run out.
    pca_errors : (n, k + 1) ‖x − x̂‖² of each test row with PCA's first 0, 1, …, k components; k
        as `pca_beside` has it, twice the code's size for most codes.
    replicates : other trainings of the model.
    squash : the decoder before its last Sigmoid, Tanh or Softplus; None where it ends in none, and
        in studies of something else in the model's place.
    pixel_range, ranks : of the data; the processes that share the rows.
    """

    autoencoder: Autoencoder
    engine: Engine
    settings: Settings
    units: Units
    fit: Sample
    test: Sample
    rows: Rows
    pixel_range: tuple[float, float]
    pca: Pca
    pca_errors: np.ndarray
    replicates: tuple[Autoencoder, ...] = ()
    squash: LastSquash | None = None
    ranks: Ranks = ALONE
    _shared: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def in_sample(self) -> bool:
        """Whether the numbers are computed on the rows that the statistics were fitted on."""
        return self.fit is self.test

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.autoencoder.input_shape

    def pictures(self, images: np.ndarray) -> np.ndarray:
        """(…, P) images, or differences of them, → (…, p) as the report keeps them."""
        return pictures_of(images, self.image_shape)

    @cached_property
    def baseline(self) -> np.ndarray:
        """(code_size,) float32 mean code m of the fit rows."""
        return self.fit.every_code.mean(axis=0, dtype=np.float64).astype(np.float32)

    @cached_property
    def deviations(self) -> np.ndarray:
        """(K,) s, the sd (ddof 0) of each unit's value over the fit rows."""
        return self.units.values(self.fit.every_code).std(axis=0)

    @cached_property
    def player_units(self) -> np.ndarray:
        """Indices of the units that are not constant: sd > 1e-6 · max |z| at some coordinate."""
        moving = moving_coordinates(self.fit.every_code, self.settings)
        return np.array([k for k, m in enumerate(self.units.members) if moving[m].any()], np.intp)

    @cached_property
    def players(self) -> Units:
        """The units that take part in interventions."""
        return self.units.subset(self.player_units)

    @cached_property
    def coalitions(self) -> Coalitions:
        """v over the players, from the mean baseline."""
        return Coalitions(self.engine, self.players, self.baseline)

    @cached_property
    def off_data(self) -> OffData:
        """Both off-data flags, calibrated on the fit rows' codes."""
        with self.engine.charged_to("off data"):
            return calibrate(
                self.units,
                self.fit.every_code,
                self.player_units,
                self.engine,
                (self.fit.codes, self.fit.reconstructions),
            )

    @property
    def pca_components(self) -> int:
        """K_pca."""
        return len(self.pca.components)

    def is_negligible(self, squares: float, rows: int) -> bool:
        """Whether a sum of squares over rows is rounding: below 1e-10 of the model's own.

        The model's own is Σ‖x̂‖² of as many test rows.
        """
        return not squares > NO_EFFECT * self._mean_squared_norm * rows

    @cached_property
    def _mean_squared_norm(self) -> float:
        images = self.test.reconstructions
        return float(sum(squared_norms(images[b]).sum() for b in row_blocks(images))) / len(images)

    def compressor(self, stacked: int) -> tuple[Callable[[np.ndarray], np.ndarray], int, bool]:
        """What to apply to images (n, P) of which `stacked` are kept together; see `sketch`."""
        limit = self.settings.memory_bytes // 8
        return compressor(self.engine.image_size, stacked, self.settings.seed, limit)

    def bootstrap(self, rows: int) -> Bootstrap:
        """Resamples of that many rows, the same whoever asks."""
        return self.shared_by(("bootstrap", rows), lambda: self._new_bootstrap(rows))

    def _new_bootstrap(self, rows: int) -> Bootstrap:
        return Bootstrap(rows, self.settings.bootstrap_resamples, self.settings.seed)

    def shared(self, compute: Callable[[Study], Shared]) -> Shared:
        """`compute(self)`, computed once for all analyses that ask, charged to its own name."""

        def charged() -> Shared:
            with self.engine.charged_to(compute.__name__.replace("_", " ")):
                return compute(self)

        return self.shared_by(compute, charged)

    def shared_by(self, key: Any, compute: Callable[[], Shared]) -> Shared:
        """`compute()`, computed once for each key."""
        if key not in self._shared:
            self._shared[key] = compute()
        return self._shared[key]

    def _bootstraps(self) -> dict[Any, Bootstrap]:
        """Resamples: they depend on nothing but the number of rows."""
        return {key: kept for key, kept in self._shared.items() if isinstance(kept, Bootstrap)}

    def decode_mine(
        self, count: int, request: Callable[[int], np.ndarray], engine: Engine | None = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Of so many requests (n_i, code_size), this rank's: their place and images.

        Another engine than the study's may decode them.
        """
        mine = self.ranks.mine(count).tolist()
        images = (engine or self.engine).decode_each(map(request, mine))
        yield from zip(mine, images, strict=True)

    def off_data_share(
        self, codes: np.ndarray | CodePanel, images: np.ndarray | None = None
    ) -> float:
        """Share of codes (n, code_size) that either flag marks, on a seeded sample of at most 256.

        `images` (n, P) are the decoded codes, where somebody has them.
        """
        limit = self.settings.off_data_sample
        chosen = np.arange(len(codes))
        if len(codes) > limit:
            generator = np.random.default_rng([self.settings.seed, len(codes)])
            chosen = np.sort(generator.choice(len(codes), limit, replace=False))
        looked_at = codes[chosen] if isinstance(codes, np.ndarray) else codes.at(chosen)
        drawn = None if images is None else images[chosen]
        flag = self.off_data
        with self.engine.charged_to("off data"):
            return float(flag.flags(looked_at, self.engine, drawn).mean())

    def decoded_panel(
        self, codes: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Of codes (n, code_size), in blocks: images, their pictures, which codes are off data."""
        for part, images in self.engine.decode_blocks(codes):
            flagged = self.off_data.flags(codes[part], self.engine, images)
            yield images, self.pictures(images), flagged

    def standing_in(
        self, autoencoder: Autoencoder, codes_of: Callable[[Sample, Engine], Sample]
    ) -> Study:
        """The same images and rows with another autoencoder in the model's place.

        `codes_of` gives a sample the other's codes and, where they differ, reconstructions.
        """
        engine = self.engine_of(autoencoder)
        fit = codes_of(self.fit, engine)
        test = fit if self.in_sample else codes_of(self.test, engine)
        fit, test = hold_constants(fit, test, engine, self.settings)
        return replace(
            self,
            autoencoder=autoencoder,
            engine=engine,
            units=Units.of(autoencoder.code_shape),
            fit=fit,
            test=test,
            squash=None,
            _shared=self._bootstraps(),
        )

    def engine_of(self, autoencoder: Autoencoder) -> Engine:
        """An engine for another autoencoder beside the study's own, made as that is."""
        memory = self.settings.memory_bytes // 4
        return Engine(autoencoder, memory=memory, plain=self.engine.plain)

    def decoded_by(self, autoencoder: Autoencoder) -> Study:
        """The same codes, units and rows with another decoder."""

        def decoded(sample: Sample, engine: Engine) -> Sample:
            return replace(sample, reconstructions=engine.decode(sample.codes))

        return replace(self.standing_in(autoencoder, decoded), units=self.units)

    def encoded_by(self, autoencoder: Autoencoder) -> Study:
        """The same images and rows with another training in the model's place."""
        return self.standing_in(autoencoder, with_codes)

    def linear_control(self) -> Study:
        """PCA in the model's place: of equal code size, at most 10 components or the code's units.

        A spatial code has thousands of numbers in a few units, and tests an instrument no better
        with as many components.
        """
        components = min(self.pca_components, max(LARGEST_CONTROL, len(self.units)))
        return self.encoded_by(self.pca.as_autoencoder(components, self.image_shape))


def make_study(
    autoencoder: Autoencoder,
    images: ImageSet,
    settings: Settings,
    *,
    fit_images: ImageSet | None = None,
    replicates: tuple[Autoencoder, ...] = (),
    groups: dict[str, tuple[int, ...]] | None = None,
    cache_folder: Path | None = None,
    ranks: Ranks = ALONE,
    on_progress: Callable[[int], None] = lambda decoded: None,
    on_encoded: Callable[[int, int], None] = lambda done, of: None,
) -> Study:
    """Encode every image, decode those that are kept, choose the rows, and fit PCA.

    With `fit_images`, statistics are fitted on those and every image of `images` is a test row.
    `groups` names units that move together as one. `cache_folder` keeps the codes for the next
    build. Raises SettingsError for groups that overlap
    or name a unit that the code does not have.
    """
    engine = Engine(autoencoder, memory=settings.memory_bytes, on_progress=on_progress)
    cache = None if cache_folder is None else CodeCache(cache_folder, autoencoder)
    read = partial(
        read_samples,
        engine=engine,
        settings=settings,
        cache=cache,
        ranks=ranks,
        on_encoded=on_encoded,
    )
    if fit_images is None:
        fit_rows, test_rows = split_rows(len(images), settings.seed)
        if np.array_equal(fit_rows, test_rows):
            fit = test = read(images, (fit_rows,))[0]
        else:
            fit, test = read(images, (fit_rows, test_rows))
    elif fit_images.source.sha256 == images.source.sha256:
        fit = test = read(images, (np.arange(len(images)),))[0]
    else:
        fit = read(fit_images, (np.arange(len(fit_images)),))[0]
        test = read(images, (np.arange(len(images)),))[0]
    fit, test = hold_constants(fit, test, engine, settings)
    units = Units.of(autoencoder.code_shape).together(groups or {})
    pca, pca_errors = pca_beside(fit.images, test.images, autoencoder.code_size, settings.seed)
    return Study(
        autoencoder=autoencoder,
        engine=engine,
        settings=settings,
        units=units,
        fit=fit,
        test=test,
        rows=choose_rows(test.codes, test.squared_errors, len(units), settings),
        pixel_range=images.pixel_range,
        pca=pca,
        pca_errors=pca_errors,
        replicates=replicates,
        squash=find_last_squash(autoencoder, test.codes),
        ranks=ranks,
    )
