"""The study that all analyses share: codes, reconstructions, rows, statistics, the decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from reportgen.autoencoder import Autoencoder, Units
from reportgen.engine import Coalitions, CodePanel, Engine
from reportgen.process.ranks import ALONE, Ranks
from reportgen.settings import Settings
from reportgen.statistics.blocks import row_blocks
from reportgen.statistics.bootstrap import Bootstrap, Estimate
from reportgen.statistics.norms import squared_norms
from reportgen.statistics.pca import Pca
from reportgen.statistics.pictures import pictures_of
from reportgen.statistics.proportions import sampled_share
from reportgen.statistics.sketch import compressor
from reportgen.study.last_squash import LastSquash
from reportgen.study.live_units import live_units
from reportgen.study.off_data import OffData, calibrate, conditional_deviations
from reportgen.study.rows import Rows
from reportgen.study.sample import (
    Sample,
    hold_constants,
    moving_coordinates,
    with_codes,
)

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
    pca_errors_without : (10, j + 1) Σ over test rows of the same, of PCA fitted without each tenth
        of the fit rows; j = k, at most 512.
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
    pca_errors_without: np.ndarray
    replicates: tuple[Autoencoder, ...] = ()
    squash: LastSquash | None = None
    ranks: Ranks = ALONE
    _shared: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def in_sample(self) -> bool:
        """Tell whether the numbers are computed on the rows that the statistics were fitted on."""
        return self.fit is self.test

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.autoencoder.input_shape

    def patch_grid(self, most: int) -> tuple[int, int]:
        """(down, across) how many patches an image is cut into, at most so many each way."""
        _, height, width = self.image_shape
        return min(height, most), min(width, most)

    def pictures(self, images: np.ndarray) -> np.ndarray:
        """(…, P) images, or differences of them, → (…, p) as the report keeps them."""
        return pictures_of(images, self.image_shape)

    @cached_property
    def baseline(self) -> np.ndarray:
        """(code_size,) float32 mean code m of the fit rows, of the commonest class."""
        mean = self.fit.every_code.mean(axis=0, dtype=np.float64).astype(np.float32)
        labels = self.engine.labels_in(self.fit.every_code)
        if labels is not None:
            self.engine.label_codes(mean[None], np.array([np.bincount(labels).argmax()]))
        return mean

    def baseline_images(self, codes: np.ndarray) -> Iterator[np.ndarray]:
        """Yield g(z0), (P,) float64, for each code (n, code_size).

        For a conditional model it is of the code's own class.
        """
        if not self.autoencoder.is_conditional:
            image = self.engine.decode(self.baseline[None])[0].astype(np.float64)
            yield from (image for _ in codes)
            return
        for code in codes:
            beside = self.coalitions.codes(code, self.coalitions.empty)
            yield self.engine.decode(beside)[0].astype(np.float64)

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
    def live_units(self) -> np.ndarray:
        """(m,) indices of the units that shape judgements about data, rising.

        They are the units that are not *constant* (sd > 1e-6 · max|z|), not *ignored* by the
        decoder (solo or last-in effect, as in `ablation`, of at least .01 / K) and not *collapsed*
        (of a VAE: KL or the variance of the posterior mean of at least .01). What is a matter of
        the data and not of moving a unit looks at these alone: both off-data flags, r_k, the
        nearest donors, correlation warnings, duplicates, R² on the others, matching of replicates.

        The effects are those of `single_moves`, which therefore must not ask for `off_data`.
        """
        return live_units(self)

    @cached_property
    def off_data(self) -> OffData:
        """Both off-data flags over the live units, calibrated on the fit rows' codes."""
        live = self.live_units
        with self.engine.charged_to("off data"):
            return calibrate(
                self.units,
                self.fit.every_code,
                live,
                self.engine,
                (self.fit.codes, self.fit.reconstructions),
            )

    @cached_property
    def conditional_deviations(self) -> np.ndarray:
        """(players,) r_k: the sd of each player's value given the other live units', if Gaussian.

        Without other live units it is the player's own sd.
        """
        values = self.units.values(self.fit.every_code)
        return conditional_deviations(self.off_data, values)[self.player_units]

    @property
    def pca_components(self) -> int:
        """K_pca."""
        return len(self.pca.components)

    def is_negligible(self, squares: float, rows: int) -> bool:
        """Tell whether a sum of squares over rows is rounding: below 1e-10 of the model's own.

        The model's own is Σ‖x̂‖² of as many test rows.
        """
        return not squares > NO_EFFECT * self._mean_squared_norm * rows

    @cached_property
    def _mean_squared_norm(self) -> float:
        images = self.test.reconstructions
        return float(sum(squared_norms(images[b]).sum() for b in row_blocks(images))) / len(images)

    def compressor(self, stacked: int) -> tuple[Callable[[np.ndarray], np.ndarray], int, bool]:
        """Choose a compressor of images (n, P), `stacked` of them kept together; see `sketch`."""
        limit = self.settings.memory_bytes // 8
        return compressor(self.engine.image_size, stacked, self.settings.seed, limit)

    @cached_property
    def test_rows(self) -> np.ndarray:
        """(n,) all rows of the test sample."""
        return np.arange(len(self.test))

    def bootstrap(self, rows: np.ndarray | int) -> Bootstrap:
        """Resamples of test rows (n,), copies of an image together; the same whoever asks.

        Or of a number of things that are no images.
        """
        clusters = None if isinstance(rows, int) else self.test.copy_of[rows]
        count = rows if isinstance(rows, int) else len(rows)
        if clusters is None or len(np.unique(clusters)) == count:
            clusters = None
        key = ("bootstrap", count, None if clusters is None else clusters.tobytes())
        resamples, seed = self.settings.bootstrap_resamples, self.settings.seed
        return self.shared_by(key, lambda: Bootstrap(count, resamples, seed, clusters))

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
        kept: Shared = self._shared[key]
        return kept

    def _bootstraps(self) -> dict[Any, Bootstrap]:
        """Resamples: they depend on nothing but the number of rows."""
        return {key: kept for key, kept in self._shared.items() if isinstance(kept, Bootstrap)}

    def decode_mine(
        self, count: int, request: Callable[[int], np.ndarray], engine: Engine | None = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Decode this rank's of so many requests (n_i, code_size): their place and images.

        Another engine than the study's may decode them.
        """
        mine = self.ranks.mine(count).tolist()
        images = (engine or self.engine).decode_each(map(request, mine))
        yield from zip(mine, images, strict=True)

    def off_data_share(
        self, codes: np.ndarray | CodePanel, images: np.ndarray | None = None
    ) -> Estimate:
        """Share of codes (n, code_size) that either flag marks.

        Of all of them where they are at most 256, without an interval; else of a seeded sample of
        256, with the interval that its size leaves. `images` (n, P) are the decoded codes, where
        somebody has them.
        """
        limit = self.settings.off_data_sample
        chosen = np.arange(len(codes))
        if len(codes) > limit:
            generator = np.random.default_rng([self.settings.seed, len(codes)])
            chosen = np.sort(generator.choice(len(codes), limit, replace=False))
        looked_at = codes[chosen] if isinstance(codes, np.ndarray) else codes.at(chosen)
        drawn = None if images is None else images[chosen]
        flag = self.off_data  # Its live units need decodes of their own, charged elsewhere.
        with self.engine.charged_to("off data"):
            flags = flag.flags(looked_at, self.engine, drawn)
        return sampled_share(flags, len(codes))

    def decoded_panel(
        self, codes: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Decode codes (n, code_size) by blocks: images, pictures, which codes are off data."""
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
            units=Units.of(autoencoder.code_shape, autoencoder.label_size),
            fit=fit,
            test=test,
            squash=None,
            _shared=self._bootstraps(),
        )

    def engine_of(self, autoencoder: Autoencoder) -> Engine:
        """An engine for another autoencoder beside the study's own, made as that is."""
        memory = self.settings.memory_bytes // 4
        own = self.engine
        return Engine(autoencoder, memory=memory, plain=own.plain, before_batch=own.before_batch)

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
        control = self.encoded_by(self.pca.as_autoencoder(components, self.image_shape))
        # Steps of a path change nothing of a linear decoder.
        settings = replace(control.settings, most_path_steps=control.settings.pooled_path_steps)
        return replace(control, settings=settings)
