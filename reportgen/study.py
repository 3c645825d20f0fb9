"""What all analyses share, computed once: codes, reconstructions, rows, statistics, the decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from reportgen.autoencoder import Autoencoder, Units
from reportgen.coalitions import Coalitions
from reportgen.decoder import Decoder
from reportgen.rows import Rows, choose_rows, split_rows
from reportgen.settings import Settings
from reportgen.statistics.bootstrap import Bootstrap
from reportgen.statistics.off_data import OffData, calibrate
from reportgen.statistics.pca import Pca, fit_pca

if TYPE_CHECKING:
    from reportgen.images import ImageSet

Shared = TypeVar("Shared")
LARGEST_PCA = 1024
NO_EFFECT = 1e-10


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
    """

    images: np.ndarray
    codes: np.ndarray
    reconstructions: np.ndarray
    names: tuple[str, ...]
    labels: tuple[str, ...] | None
    factors: dict[str, tuple[Any, ...]]

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def squared_errors(self) -> np.ndarray:
        """(n,) ‖x − x̂‖², summed over pixels, accumulated in float64."""
        return squared_norms(self.images - self.reconstructions)

    def take(self, rows: np.ndarray) -> Sample:
        """The sample of these rows only."""
        return Sample(
            images=self.images[rows],
            codes=self.codes[rows],
            reconstructions=self.reconstructions[rows],
            names=tuple(self.names[row] for row in rows),
            labels=None if self.labels is None else tuple(self.labels[row] for row in rows),
            factors={name: tuple(c[row] for row in rows) for name, c in self.factors.items()},
        )


@dataclass(frozen=True)
class Study:
    """One model on one data set, ready to be analysed.

    Attributes
    ----------
    fit, test : means, sds, PCA and regressions come from `fit`; every printed number from `test`.
        Where there are too few images they are the same object ("in sample").
    rows : which test rows each kind of number uses.
    baseline : (code_size,) z0, the mean code of the fit rows.
    players : the units that are not constant; only these take part in interventions.
    player_units : (players,) their indices among all units.
    replicates : other trainings of the model.
    """

    autoencoder: Autoencoder
    decoder: Decoder
    settings: Settings
    units: Units
    fit: Sample
    test: Sample
    rows: Rows
    pixel_range: tuple[float, float]
    pca: Pca
    replicates: tuple[Autoencoder, ...] = ()
    _shared: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def in_sample(self) -> bool:
        """Whether the numbers are computed on the rows that the statistics were fitted on."""
        return self.fit is self.test

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.autoencoder.input_shape

    @cached_property
    def baseline(self) -> np.ndarray:
        """(code_size,) float32 mean code m of the fit rows."""
        return self.fit.codes.mean(axis=0, dtype=np.float64).astype(np.float32)

    @cached_property
    def deviations(self) -> np.ndarray:
        """(K,) s, the sd (ddof 0) of each unit's value over the fit rows."""
        return self.units.values(self.fit.codes).std(axis=0)

    @cached_property
    def player_units(self) -> np.ndarray:
        """Indices of the units that are not constant: sd > 1e-6 · max |z| at some coordinate."""
        moving = _moving(self.fit.codes, self.settings)
        return np.array([k for k, m in enumerate(self.units.members) if moving[m].any()], np.intp)

    @cached_property
    def players(self) -> Units:
        """The units that take part in interventions."""
        return self.units.subset(self.player_units)

    @cached_property
    def coalitions(self) -> Coalitions:
        """v over the players, from the mean baseline."""
        return Coalitions(self.decoder, self.players, self.baseline)

    @cached_property
    def off_data(self) -> OffData:
        """Both off-data flags, calibrated on the fit rows' codes."""
        with self.decoder.charged_to("off data"):
            return calibrate(self.units, self.fit.codes, self.player_units, self.decoder)

    @cached_property
    def pca_components(self) -> int:
        """K_pca: PCA's components at equal code size, fewer where rows or pixels run out."""
        return min(self.autoencoder.code_size, len(self.pca.components))

    def is_negligible(self, squares: float, rows: int) -> bool:
        """Whether a sum of squares over rows is rounding: below 1e-10 of the model's own.

        The model's own is Σ‖x̂‖² of as many test rows.
        """
        own = np.square(self.test.reconstructions, dtype=np.float64).sum() / len(self.test)
        return not squares > NO_EFFECT * own * rows

    def bootstrap(self, rows: int) -> Bootstrap:
        """Resamples of that many rows, the same whoever asks."""
        return self.shared_by(("bootstrap", rows), lambda: self._new_bootstrap(rows))

    def _new_bootstrap(self, rows: int) -> Bootstrap:
        return Bootstrap(rows, self.settings.bootstrap_resamples, self.settings.seed)

    def shared(self, compute: Callable[[Study], Shared]) -> Shared:
        """`compute(self)`, computed once for all analyses that ask, charged to its own name."""

        def charged() -> Shared:
            with self.decoder.charged_to(compute.__name__.replace("_", " ")):
                return compute(self)

        return self.shared_by(compute, charged)

    def shared_by(self, key: Any, compute: Callable[[], Shared]) -> Shared:
        """`compute()`, computed once for each key."""
        if key not in self._shared:
            self._shared[key] = compute()
        return self._shared[key]

    def off_data_share(self, codes: Sequence[np.ndarray] | np.ndarray) -> float:
        """Share of a panel's codes that either flag marks, on a seeded sample of at most 256."""
        panel = np.concatenate([np.atleast_2d(part) for part in codes])
        limit = self.settings.off_data_sample
        if len(panel) > limit:
            generator = np.random.default_rng([self.settings.seed, len(panel)])
            panel = panel[np.sort(generator.choice(len(panel), limit, replace=False))]
        flag = self.off_data
        with self.decoder.charged_to("off data"):
            return float(flag.flags(panel, self.decoder).mean())

    def standing_in(
        self, autoencoder: Autoencoder, codes_of: Callable[[Sample, Decoder], Sample]
    ) -> Study:
        """The same images and rows with another autoencoder in the model's place.

        `codes_of` gives a sample the other's codes and, where they differ, reconstructions.
        """
        decoder = Decoder(autoencoder)
        fit = codes_of(self.fit, decoder)
        test = fit if self.in_sample else codes_of(self.test, decoder)
        fit, test = _hold_constants(fit, test, decoder, self.settings)
        return replace(
            self,
            autoencoder=autoencoder,
            decoder=decoder,
            units=Units.of(autoencoder.code_shape),
            fit=fit,
            test=test,
            _shared={},
        )

    def decoded_by(self, autoencoder: Autoencoder) -> Study:
        """The same codes, units and rows with another decoder."""

        def decoded(sample: Sample, decoder: Decoder) -> Sample:
            return replace(sample, reconstructions=decoder.decode(sample.codes))

        return replace(self.standing_in(autoencoder, decoded), units=self.units)

    def encoded_by(self, autoencoder: Autoencoder) -> Study:
        """The same images and rows with another training in the model's place."""
        return self.standing_in(autoencoder, _with_codes)

    def linear_control(self) -> Study:
        """PCA of equal code size in the model's place."""
        pca = self.pca.as_autoencoder(self.pca_components, self.image_shape)
        return self.encoded_by(pca)


def squared_norms(vectors: np.ndarray) -> np.ndarray:
    """(…, P) → (…) squared Euclidean norms, accumulated in float64."""
    vectors = np.asarray(vectors, dtype=np.float64)
    return np.einsum("...p,...p->...", vectors, vectors)


def make_study(
    autoencoder: Autoencoder,
    images: ImageSet,
    settings: Settings,
    *,
    fit_images: ImageSet | None = None,
    replicates: tuple[Autoencoder, ...] = (),
    groups: dict[str, tuple[int, ...]] | None = None,
    on_progress: Callable[[int], None] = lambda decoded: None,
) -> Study:
    """Encode and decode every image, choose the rows, and fit PCA.

    With `fit_images`, statistics are fitted on those and every image of `images` is a test row.
    `groups` names units that move together as one. Raises SettingsError for groups that overlap
    or name a unit that the code does not have.
    """
    decoder = Decoder(autoencoder, on_progress=on_progress)
    everything = _encode(images, decoder)
    if fit_images is None:
        fit_rows, test_rows = split_rows(len(everything), settings.seed)
        fit = everything.take(fit_rows)
        test = fit if np.array_equal(fit_rows, test_rows) else everything.take(test_rows)
    elif fit_images.source.sha256 == images.source.sha256:
        fit = test = everything
    else:
        fit, test = _encode(fit_images, decoder), everything
    fit, test = _hold_constants(fit, test, decoder, settings)
    units = Units.of(autoencoder.code_shape).together(groups or {})
    size = autoencoder.code_size
    wanted = max(64, 2 * size) if 2 * size <= LARGEST_PCA else max(LARGEST_PCA, size)
    return Study(
        autoencoder=autoencoder,
        decoder=decoder,
        settings=settings,
        units=units,
        fit=fit,
        test=test,
        rows=choose_rows(test.codes, test.squared_errors, len(units), settings),
        pixel_range=images.pixel_range,
        pca=fit_pca(fit.images, wanted, settings.seed),
        replicates=replicates,
    )


def _moving(codes: np.ndarray, settings: Settings) -> np.ndarray:
    """(code_size,) which coordinates vary by more than rounding, on their own scale."""
    codes = codes.astype(np.float64)
    return codes.std(axis=0) > settings.constant_deviation * np.abs(codes).max(axis=0)


def _hold_constants(
    fit: Sample, test: Sample, decoder: Decoder, settings: Settings
) -> tuple[Sample, Sample]:
    """Coordinates that are constant up to rounding are exactly so, at their mean.

    They are in no coalition; left to jitter, they would add to the image what no unit accounts for.
    """
    constant = ~_moving(fit.codes, settings)
    mean = fit.codes.mean(axis=0, dtype=np.float64).astype(np.float32)

    def held(sample: Sample) -> Sample:
        if np.array_equal(sample.codes[:, constant], np.tile(mean[constant], (len(sample), 1))):
            return sample
        codes = np.where(constant, mean, sample.codes)
        return replace(sample, codes=codes, reconstructions=decoder.decode(codes))

    fitted = held(fit)
    return fitted, fitted if test is fit else held(test)


def _encode(images: ImageSet, decoder: Decoder) -> Sample:
    pixels = np.concatenate([batch.reshape(len(batch), -1) for _, batch in images.batches(256)])
    unfinished = Sample(
        images=pixels,
        codes=np.zeros((0, 0), np.float32),
        reconstructions=np.zeros((0, 0), np.float32),
        names=tuple(images.names),
        labels=images.labels,
        factors=dict(images.factors or {}),
    )
    return _with_codes(unfinished, decoder)


def _with_codes(sample: Sample, decoder: Decoder) -> Sample:
    codes = decoder.encode(sample.images)
    return replace(sample, codes=codes, reconstructions=decoder.decode(codes))
