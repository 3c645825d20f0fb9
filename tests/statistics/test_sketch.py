"""The CountSketch: linear, nearly unbiased, and absent when not needed."""

from __future__ import annotations

import numpy as np
import pytest

from reportgen.statistics.sketch import SKETCH_SIZE, compressor

PIXELS = 30_000
LIMIT = 512 * 2**20
MANY = LIMIT // (4 * PIXELS) + 1
SPECKLED = np.random.default_rng(0).normal(size=(40, PIXELS)) ** 3
# Added from the same place on, blocks of pixels would be one pixel.
STRIPED = np.tile(np.random.default_rng(1).normal(size=(40, 4096)) ** 3, 8)[:, :PIXELS]
SMOOTH = np.cos(np.outer(np.arange(1, 41), np.linspace(0, np.pi, PIXELS)))


def test_below_half_a_gigabyte_images_are_kept_as_they_are() -> None:
    compress, length, sketched = compressor(PIXELS, MANY - 1, seed=0, limit=LIMIT)
    images = np.random.default_rng(0).normal(size=(3, PIXELS))
    assert (length, sketched) == (PIXELS, False)
    assert compress(images) is images


def test_above_it_they_become_4096_numbers() -> None:
    compress, length, sketched = compressor(PIXELS, MANY, seed=0, limit=LIMIT)
    assert (length, sketched) == (SKETCH_SIZE, True) == (4096, True)
    assert compress(np.ones((2, PIXELS), np.float32)).shape == (2, 4096)


def test_images_smaller_than_a_sketch_are_never_sketched() -> None:
    assert compressor(4096, 10**6, seed=0, limit=LIMIT)[2] is False


def test_a_sketch_commutes_with_sums() -> None:
    compress, _, _ = compressor(PIXELS, MANY, seed=0, limit=LIMIT)
    one, other = np.random.default_rng(0).normal(size=(2, 1, PIXELS))
    np.testing.assert_allclose(
        compress(3 * one - other), 3 * compress(one) - compress(other), atol=1e-9
    )


@pytest.mark.parametrize(
    "images", [SPECKLED, STRIPED, SMOOTH], ids=["speckled", "striped", "smooth"]
)
def test_one_squared_norm_is_off_by_about_two_percent_and_many_by_less_than_half(images) -> None:
    true = np.square(images).sum(axis=1)
    errors = []
    for seed in range(10):
        compress, _, _ = compressor(PIXELS, MANY, seed, LIMIT)
        errors.append(np.square(compress(images)).sum(axis=1) / true - 1)
    errors = np.concatenate(errors)
    assert 0.018 < errors.std() < 0.027  # √(2 / 4096) = 2.2 %
    assert abs(errors.mean()) < 0.004


def test_the_same_seed_gives_the_same_sketch() -> None:
    images = np.random.default_rng(0).normal(size=(2, PIXELS))
    first, second, other = (compressor(PIXELS, MANY, seed, LIMIT)[0](images) for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
