"""Images with equal pixels: in one half, resampled together, no donors of each other, and said."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from reportgen.analyses import baselines, reconstruction
from reportgen.report.provenance import make_provenance
from reportgen.settings import Settings
from reportgen.study.copies import fingerprints, first_copies, with_their_copies
from reportgen.study.study import Study
from reportgen.suite.answers import Answers
from tests.conftest import FEW
from tests.oracles import decoders

DISTINCT = 100


def study_of(pixels: np.ndarray, settings: Settings = FEW, **known) -> Study:
    """The code is the first three pixels, and the reconstruction those alone."""

    def decode(z):
        images = z.new_zeros(len(z), decoders.PIXELS)
        images[:, :3] = z
        return images.reshape(-1, 1, decoders.HEIGHT, decoders.WIDTH)

    return decoders.of_pixels(
        pixels,
        encode=lambda images: images.reshape(len(images), -1)[:, :3],
        decode=decode,
        code_shape=(3,),
        settings=settings,
        **known,
    )


def four_times(seed: int = 0) -> np.ndarray:
    """Every image four times, in a random order."""
    generator = np.random.default_rng(seed)
    images = generator.normal(size=(DISTINCT, decoders.PIXELS)) * np.linspace(3, 0.3, 20)
    return images.astype(np.float32)[generator.permutation(np.repeat(np.arange(DISTINCT), 4))]


def test_fingerprints_are_equal_exactly_where_every_pixel_is() -> None:
    pixels = np.array([[1, 2], [1, 2], [1, np.nextafter(2, 3, dtype="f4")], [2, 1]], np.float32)
    assert first_copies(fingerprints(pixels)).tolist() == [0, 0, 2, 3]


def test_copies_follow_the_first_of_them_and_nothing_else_moves() -> None:
    parts = np.array([0, 3, 4]), np.array([1, 2, 5])
    first = np.array([0, 1, 2, 1, 4, 0])
    fit, test = with_their_copies(parts, first)
    assert (fit.tolist(), test.tolist()) == ([0, 4, 5], [1, 2, 3])
    assert with_their_copies(parts, np.arange(6)) is parts


def test_no_image_stands_in_both_halves() -> None:
    study = study_of(four_times())
    fit, test = (set(map(bytes, sample.images)) for sample in (study.fit, study.test))
    assert len(fit) + len(test) == DISTINCT and not fit & test
    assert len(study.fit) == 4 * len(fit) and len(study.test) == 4 * len(test)


def test_copies_do_not_narrow_an_interval() -> None:
    """R² of images that are there four times has scipy's interval over the distinct ones."""
    settings = Settings(bootstrap_resamples=20_000)
    study = study_of(four_times(), settings)
    found = reconstruction.run(study).r2
    distinct = np.unique(study.test.copy_of)
    missed = study.test.squared_errors[distinct]
    total = study.pca_errors[distinct, 0]
    of_rows = stats.bootstrap(
        (missed, total),
        lambda m, t, axis: 1 - m.sum(axis=axis) / t.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    width = of_rows.high - of_rows.low
    weights = study.bootstrap(study.test_rows).weights
    resampled = 1 - (weights @ study.test.squared_errors) / (weights @ study.pca_errors[:, 0])
    low, high = np.percentile(resampled, [2.5, 97.5])
    assert low == pytest.approx(of_rows.low, abs=0.05 * width)
    assert high == pytest.approx(of_rows.high, abs=0.05 * width)
    assert found.low <= low + 1e-12 and found.high >= high - 1e-12


def test_a_copy_is_no_donor() -> None:
    study = study_of(four_times())
    donors = baselines._nearest_donors(study)
    copy_of = study.test.copy_of
    assert (copy_of[donors] != copy_of[study.rows.statistics][:, None, None]).all()


def test_fewer_than_twenty_distinct_images_serve_as_both_halves() -> None:
    some = np.random.default_rng(1).normal(size=(19, decoders.PIXELS)).astype(np.float32)
    assert study_of(np.repeat(some, 3, axis=0)).in_sample
    assert len(study_of(np.repeat(some, 3, axis=0)).test) == 57
    one_more = np.vstack([np.repeat(some, 3, axis=0), 7 * np.ones((1, decoders.PIXELS), "f4")])
    assert not study_of(one_more).in_sample


def notes_of(study: Study, pixels: np.ndarray) -> list[str]:
    images = decoders.ArrayImages(pixels.reshape(-1, 1, decoders.HEIGHT, decoders.WIDTH))
    answers = Answers({})
    made = make_provenance(study, images, None, answers, command="", notes=())  # type: ignore[arg-type]
    return [note.text for note in made.data_notes if note.topic == "copies"]


def test_provenance_counts_copies_and_says_where_they_are() -> None:
    pixels = four_times()
    (said,) = notes_of(study_of(pixels), pixels)
    assert said.startswith("300 of the 400 images have the same pixels as another. All copies of")
    distinct = np.unique(pixels, axis=0)
    assert notes_of(study_of(distinct), distinct) == []


def test_images_that_are_among_those_to_fit_on_are_counted() -> None:
    pixels = np.random.default_rng(1).normal(size=(60, decoders.PIXELS)).astype(np.float32)
    study = study_of(pixels[:40], fit_pixels=pixels[25:])
    (said,) = notes_of(study, pixels)
    assert said.startswith("15 of the 40 images are among those of --fit-data too")
