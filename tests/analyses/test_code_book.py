"""M29: words of a code book, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from reportgen.analyses import DoesNotApplyError, code_book
from reportgen.analyses.code_book import CodeBook
from reportgen.settings import Settings
from reportgen.study.sample import Sample
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders

WORDS, NUMBERS, SITES, SIDE = 6, 3, 2, 4
BOOK = np.random.default_rng(5).normal(size=(WORDS, NUMBERS)).astype(np.float32)
PAINTED = np.random.default_rng(6).random((WORDS, SIDE, SIDE)).astype(np.float32)


def quantised(settings: Settings = FEW) -> tuple[Study, np.ndarray]:
    """Images of 2 × 2 patches, each painted by a word; word 5 is never used. And their words."""
    generator = np.random.default_rng(7)
    words = generator.choice(WORDS, size=(90, SITES, SITES), p=[0.4, 0.3, 0.15, 0.1, 0.05, 0])
    images = PAINTED[words].transpose(0, 1, 3, 2, 4).reshape(90, 1, SITES * SIDE, SITES * SIDE)
    images = images + 1e-3 * generator.random(images.shape).astype(np.float32)
    book, painted = torch.from_numpy(BOOK), torch.from_numpy(PAINTED).reshape(WORDS, -1)

    def encode(x: torch.Tensor) -> torch.Tensor:
        patches = x.reshape(-1, SITES, SIDE, SITES, SIDE).transpose(2, 3).reshape(-1, SIDE * SIDE)
        nearest = torch.cdist(patches, painted).argmin(dim=1)
        return book[nearest].reshape(-1, SITES, SITES, NUMBERS).permute(0, 3, 1, 2)

    def decode(z: torch.Tensor) -> torch.Tensor:
        at_sites = z.permute(0, 2, 3, 1).reshape(-1, NUMBERS)
        shown = painted[torch.cdist(at_sites, book).argmin(dim=1)]
        shown = shown.reshape(-1, SITES, SITES, SIDE, SIDE).transpose(2, 3)
        return shown.reshape(-1, 1, SITES * SIDE, SITES * SIDE)

    study = decoders.of_pixels(
        images.reshape(90, -1),
        shape=(1, SITES * SIDE, SITES * SIDE),
        encode=encode,
        decode=decode,
        code_shape=(NUMBERS, SITES, SITES),
        code_book=BOOK,
        settings=settings,
    )
    own = [int(name.split("[")[1][:-1]) for name in study.test.names]
    return study, words[own]


@pytest.fixture(scope="module")
def counted() -> tuple[Study, np.ndarray, CodeBook]:
    study, words = quantised()
    return study, words, code_book.run(study)


def test_words_are_counted(counted) -> None:
    _, words, result = counted
    counts = np.bincount(words.ravel(), minlength=WORDS)
    np.testing.assert_array_equal(result.counts, counts)
    assert result.perplexity == pytest.approx(np.exp(entropy(counts)))
    assert result.unused == 1
    assert (result.words, result.length, result.sites) == (WORDS, NUMBERS, (SITES, SITES))
    assert result.rows == len(words)


def test_a_word_s_picture_is_the_mean_patch_of_its_sites(counted) -> None:
    _, words, result = counted
    assert result.patch == (SIDE, SIDE)
    order = np.argsort(-np.bincount(words.ravel(), minlength=WORDS), kind="stable")[:5]
    np.testing.assert_array_equal(result.painted, order)
    for word, shown in zip(result.painted, result.patches, strict=True):
        enlarged = PAINTED[word].repeat(SITES, axis=0).repeat(SITES, axis=1)
        np.testing.assert_allclose(shown.reshape(enlarged.shape), enlarged, atol=1e-5)


def test_words_that_paint_always_the_same_explain_everything(counted) -> None:
    assert counted[2].explained.value == pytest.approx(1, abs=1e-9)


def test_patches_that_words_do_not_decide_are_explained_in_part() -> None:
    """Half of the patches' variance is the image's own: R² is that of NumPy's group means."""
    study, words = quantised()
    import dataclasses

    lift = np.random.default_rng(8).normal(size=(2, len(study.fit) + len(study.test), 1)) / 4
    parts = []
    for part, own in ((study.fit, lift[0]), (study.test, lift[1])):
        moved = part.reconstructions + own[: len(part)].astype(np.float32)
        parts.append(dataclasses.replace(part, reconstructions=moved))
    study = dataclasses.replace(study, fit=parts[0], test=parts[1], _shared={})
    result = code_book.run(study)

    def at_sites(images: np.ndarray) -> np.ndarray:
        split = images.reshape(-1, SITES, SIDE, SITES, SIDE).transpose(0, 1, 3, 2, 4)
        return split.reshape(-1, SIDE * SIDE).astype(np.float64)

    fit_words = code_book._words_of(study.fit.codes, BOOK, 0, (SITES, SITES)).ravel()
    fit, test = at_sites(study.fit.reconstructions), at_sites(study.test.reconstructions)
    means = np.stack([fit[fit_words == word].mean(axis=0) for word in range(5)])
    missed = ((test - means[words.ravel()]) ** 2).sum()
    total = ((test - fit.mean(axis=0)) ** 2).sum()
    assert result.explained.value == pytest.approx(1 - missed / total, rel=1e-6)


def test_a_flat_code_is_one_word_that_paints_the_whole_image() -> None:
    book = np.array([[0.0, 0.0], [1.0, 0.5], [0.2, 1.0]], np.float32)
    words = np.random.default_rng(9).integers(3, size=80)
    study = decoders.carrying(decoders.linear(2), book[words], code_book=book, settings=FEW)
    result = code_book.run(study)
    assert result.sites == (1, 1)
    assert result.patch == (decoders.HEIGHT, decoders.WIDTH)
    assert result.counts.sum() == len(study.test)
    decoded = study.engine.decode(book[result.painted])
    np.testing.assert_allclose(result.patches, decoded, atol=1e-5)


def test_a_code_of_numbers_has_no_words() -> None:
    study = decoders.carrying(decoders.linear(2), decoders.gaussian_codes(40, 2), settings=FEW)
    with pytest.raises(DoesNotApplyError, match="code book"):
        code_book.run(study)


def test_words_are_counted_in_the_channels_that_hold_them(counted) -> None:
    study, _, whole = counted

    def beside(sample: Sample) -> Sample:
        others = np.random.default_rng(0).random((len(sample.codes), 2 * SITES * SITES))
        return replace(sample, codes=np.hstack([others, sample.codes]).astype(np.float32))

    wider = replace(study.autoencoder, code_shape=(2 + NUMBERS, SITES, SITES), code_book_start=2)
    result = code_book.run(
        replace(study, autoencoder=wider, fit=beside(study.fit), test=beside(study.test))
    )
    assert (result.start, result.channels, result.length) == (2, 5, NUMBERS)
    assert (whole.start, whole.channels) == (0, NUMBERS)
    np.testing.assert_array_equal(result.counts, whole.counts)
    assert result.explained.value == pytest.approx(whole.explained.value)
