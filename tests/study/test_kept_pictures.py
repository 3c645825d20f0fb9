"""Images as the report keeps them: as they are, or averaged down to what the page shows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reportgen.analyses import contributions, reconstruction, traversal
from reportgen.autoencoder import Autoencoder
from reportgen.settings import Settings
from reportgen.statistics.pictures import averaged_down, picture_shape, pictures_of, shrink_factor
from reportgen.study.assemble import make_study
from reportgen.study.study import Study
from tests.oracles import decoders

SHAPE, KEPT = (1, 160, 150), 53 * 50


def test_large_images_are_averaged_down_by_a_whole_factor() -> None:
    assert shrink_factor((1, 512, 300), 64) == 8
    assert shrink_factor((1, 28, 28), 64) == 1
    image = np.arange(16.0).reshape(1, -1)
    assert averaged_down(image, (1, 4, 4), 2).ravel().tolist() == [2.5, 4.5, 10.5, 12.5]


def test_an_image_thinner_than_the_factor_is_still_drawn() -> None:
    assert averaged_down(np.ones((1, 300)), (1, 1, 300), 5).shape == (1, 1, 1, 60)


@pytest.mark.parametrize(
    ("shape", "kept"),
    [
        ((3, 128, 128), (3, 128, 128)),
        ((1, 28, 100), (1, 28, 100)),
        ((3, 129, 129), (3, 43, 43)),
        ((3, 512, 512), (3, 64, 64)),
        ((1, 1, 300), (1, 1, 60)),
    ],
)
def test_images_beyond_128_pixels_are_kept_as_the_page_shows_them(shape, kept) -> None:
    assert picture_shape(shape) == kept
    assert pictures_of(np.ones((2, 3, int(np.prod(shape)))), shape).shape == (
        *(2, 3),
        int(np.prod(kept)),
    )


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 256, 256)])
def test_no_images_are_no_pictures(shape: tuple[int, int, int]) -> None:
    none = np.zeros((2, 0, int(np.prod(shape))), np.float32)
    assert pictures_of(none, shape).shape == (2, 0, int(np.prod(picture_shape(shape))))


def test_a_large_image_and_its_picture_have_the_same_tile() -> None:
    shape = (3, 192, 192)
    images = np.random.default_rng(0).normal(size=(2, 3 * 192 * 192))
    kept = pictures_of(images, shape)
    direct = averaged_down(images, shape, shrink_factor(shape, 64))
    np.testing.assert_allclose(kept, direct.reshape(2, -1), atol=1e-6)


def test_small_images_are_kept_bit_for_bit() -> None:
    images = np.random.default_rng(0).normal(size=(4, 2, 75)).astype(np.float32)
    assert pictures_of(images, (3, 5, 5)) is images


@pytest.fixture(scope="module")
def large() -> Study:
    """A bent decoder of images of 160 × 150 pixels."""
    inner, codes = decoders.smooth(3), torch.from_numpy(decoders.gaussian_codes(60, 3))

    def decode(z: torch.Tensor) -> torch.Tensor:
        small = inner(z).reshape(len(z), 1, decoders.HEIGHT, decoders.WIDTH)
        return torch.nn.functional.interpolate(small, SHAPE[1:], mode="bilinear")

    images = decode(codes)

    def encode(given: torch.Tensor) -> torch.Tensor:
        return codes[torch.cdist(given.flatten(1), images.flatten(1)).argmin(dim=1)]

    autoencoder = Autoencoder(encode=encode, decode=decode, input_shape=SHAPE, code_shape=(3,))
    return make_study(autoencoder, decoders.ArrayImages(images.numpy()), Settings())


@pytest.mark.slow
def test_pictures_of_contributions_add_up_as_images_do(large: Study) -> None:
    found = contributions.run(large)
    assert found.pictures.shape == (8, 3, KEPT)
    change = found.reconstructions - found.baseline_image
    np.testing.assert_allclose(found.pictures.sum(axis=1), change, atol=1e-5)


def test_frames_of_walks_are_pictures_of_what_was_decoded(large: Study) -> None:
    found = traversal.run(large)
    row, frame = 1, -1
    code = large.test.codes[large.rows.walks[row]].copy()
    code[found.units[0]] = found.full.values[row, 0, frame]
    image = large.autoencoder.decode(torch.from_numpy(code[None])).reshape(1, -1).numpy()
    np.testing.assert_allclose(
        found.full.frames[row, 0, frame], pictures_of(image, SHAPE)[0], atol=1e-5
    )


def test_end_cosines_are_of_whole_images(large: Study) -> None:
    found = traversal.run(large)
    row = 2
    own = large.test.codes[large.rows.walks[row]]
    ends = np.stack([own, own, own])
    ends[1:, found.units[0]] = found.full.values[row, 0, [0, -1]]
    here, first, last = large.engine.decode(ends).astype(np.float64)
    after, before = last - here, here - first
    cosine = after @ before / np.linalg.norm(after) / np.linalg.norm(before)
    assert found.full.end_cosine[row, 0] == pytest.approx(cosine, abs=1e-5)


def test_errors_of_pictured_rows_are_of_whole_images(large: Study) -> None:
    found = reconstruction.run(large)
    rows = large.rows.pictures
    missed = large.test.images[rows] - large.test.reconstructions[rows]
    assert found.picture_mse == pytest.approx(np.square(missed).mean(), rel=1e-5, abs=1e-12)
