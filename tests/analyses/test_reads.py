"""M22: what a unit reads, of linear and blind encoders in closed form; paints from pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reportgen.analyses import UnanswerableError, reads
from reportgen.analyses.reads import Reads
from reportgen.analyses.shared.path_contributions import path_shares, picture_paths
from reportgen.settings import Settings
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders

HEIGHT, WIDTH = 16, 20
PIXELS = HEIGHT * WIDTH


def linear_encoder(rows: int = 120, units: int = 3) -> tuple[Study, np.ndarray]:
    """E(x) = x W, W (P, units) random but 0 for unit 1 in the upper half of the image."""
    generator = np.random.default_rng(0)
    weights = generator.normal(size=(HEIGHT, WIDTH, units)) / np.sqrt(PIXELS)
    weights[: HEIGHT // 2, :, 1] = 0
    flat = torch.from_numpy(weights.reshape(PIXELS, units).astype(np.float32))
    pictures = torch.from_numpy(generator.normal(size=(units, PIXELS)).astype(np.float32))
    study = decoders.of_pixels(
        generator.random((rows, PIXELS)),
        shape=(1, HEIGHT, WIDTH),
        encode=lambda x: x.reshape(len(x), -1) @ flat,
        decode=lambda z: (z @ pictures).reshape(-1, 1, HEIGHT, WIDTH),
        code_shape=(units,),
        settings=FEW,
    )
    return study, flat.double().numpy()


def patches_of() -> np.ndarray:
    """(14 · 14, P) membership, written out pixel by pixel."""
    member = np.zeros((196, HEIGHT, WIDTH), bool)
    for y in range(HEIGHT):
        for x in range(WIDTH):
            member[(y * 14 // HEIGHT) * 14 + x * 14 // WIDTH, y, x] = True
    return member.reshape(196, PIXELS)


@pytest.fixture(scope="module")
def linear() -> tuple[Study, np.ndarray, Reads]:
    study, weights = linear_encoder()
    return study, weights, reads.run(study)


def test_a_linear_encoder_reads_its_weights_times_the_distance_from_the_mean(linear) -> None:
    study, weights, result = linear
    rows = study.rows.table
    centred = study.test.images[rows].astype(np.float64) - study.fit.images.mean(axis=0)
    moves = np.einsum("np,gp,pk->ngk", centred, patches_of(), weights)
    units = list(result.units)
    scale = study.fit.codes.std(axis=0)[units]
    rms = np.sqrt((moves[:, :, units] ** 2).mean(axis=0)) / scale
    np.testing.assert_allclose(result.reads.T, rms, atol=1e-5)
    np.testing.assert_allclose(result.signed.T, moves[:, :, units].mean(axis=0) / scale, atol=1e-5)
    np.testing.assert_allclose(result.strongest, rms.max(axis=0), rtol=1e-4)
    assert result.grid == (14, 14)
    assert result.rows == len(rows) == 12


def test_an_encoder_blind_to_half_the_image_reads_nothing_there(linear) -> None:
    _, _, result = linear
    maps = result.reads.reshape(-1, 14, 14)
    upper, lower = maps[result.units.index(1), :7], maps[result.units.index(1), 7:]
    assert np.abs(upper).max() < 1e-6
    assert lower.min() > 0
    assert maps[result.units.index(0)].min() > 0


def test_paints_are_the_root_mean_square_of_the_pictured_contributions(linear) -> None:
    study, _, result = linear
    pooled, pictures = study.shared(path_shares), study.shared(picture_paths).pictures
    assert result.picture_rows == len(pictures)
    for unit, painted in zip(result.units, result.paints, strict=True):
        phi = pictures[:, pooled.player_units.tolist().index(unit)].astype(np.float64)
        expected = [np.sqrt((phi[:, patch] ** 2).mean()) for patch in patches_of()]
        np.testing.assert_allclose(painted, expected, rtol=1e-5)
    one = result.reads.astype(np.float64)
    other = result.paints.astype(np.float64)
    cosine = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    np.testing.assert_allclose(result.agreement, cosine, rtol=1e-5)
    assert result.field_radius is None


def test_units_come_by_share(linear) -> None:
    study, _, result = linear
    pooled = study.shared(path_shares)
    assert result.units == tuple(pooled.player_units[pooled.order].tolist())


def test_images_smaller_than_the_grid_are_read_pixel_by_pixel() -> None:
    study = decoders.carrying(decoders.linear(3), decoders.gaussian_codes(80, 3), settings=FEW)
    result = reads.run(study)
    assert result.grid == (decoders.HEIGHT, decoders.WIDTH)
    # Each unit is one pixel of its own.
    for unit, own in zip(result.units, result.reads, strict=True):
        assert own[unit] == pytest.approx(result.strongest[result.units.index(unit)], rel=1e-6)
        assert own[unit] > 0.5
        assert np.abs(np.delete(own, unit)).max() < 1e-6


def test_a_site_that_reads_its_own_patch_has_a_field_of_that_size() -> None:
    """A code of 4 × 4 sites on 28 × 28 pixels: each the mean of its 7 × 7."""
    generator = np.random.default_rng(1)
    study = decoders.of_pixels(
        generator.random((60, 784)),
        shape=(1, 28, 28),
        encode=lambda x: torch.nn.functional.avg_pool2d(x, 7).repeat(1, 2, 1, 1),
        decode=lambda z: z[:, :1].repeat_interleave(7, dim=2).repeat_interleave(7, dim=3),
        code_shape=(2, 4, 4),
        settings=FEW,
    )
    result = reads.run(study)
    # Patches of 2 × 2 pixels: from the centre to a corner of 3 or 4 of them.
    assert 2 <= result.field_radius <= 4.3
    assert result.units  # Channels are units.


def test_a_code_that_does_not_vary_reads_nothing_and_says_so() -> None:
    study = decoders.carrying(
        decoders.linear(2), np.ones((40, 2), np.float32), settings=Settings(rows=8)
    )
    with pytest.raises(UnanswerableError, match="no unit of the code varies"):
        reads.run(study)


def test_images_of_a_model_that_takes_classes_are_read_with_their_own() -> None:
    """E(x, y) = x W + 10 y: with another image's class every patch would be read."""
    generator = np.random.default_rng(2)
    weights = torch.from_numpy(generator.normal(size=(20, 2)).astype(np.float32))
    weights[10:] = 0
    labels = tuple("ab"[k % 2] for k in range(80))
    study = decoders.of_pixels(
        generator.random((80, 20)),
        encode=lambda x, y: x.reshape(len(x), -1) @ weights + 10 * y[:, None].float(),
        decode=lambda z: (z[:, :2] @ weights.T).reshape(-1, 1, decoders.HEIGHT, decoders.WIDTH),
        code_shape=(2,),
        labels=labels,
        label_numbers={"a": 0, "b": 1},
        settings=FEW,
    )
    result = reads.run(study)
    rows = study.rows.table
    centred = study.test.images[rows].astype(np.float64) - study.fit.images.mean(axis=0)
    moves = centred[:, :, None] * weights.double().numpy()
    expected = np.sqrt((moves**2).mean(axis=0)) / study.deviations[:2]
    np.testing.assert_allclose(result.reads.T, expected[:, list(result.units)], atol=1e-5)
