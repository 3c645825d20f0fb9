"""M21: what encoding a unit's own picture gives back, in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from reportgen.analyses import UnanswerableError, latent_responses
from tests.conftest import FEW
from tests.oracles import decoders


def mixing(matrix: np.ndarray):
    """A study whose encoder gives back z A for every image g(z), and its codes."""
    units = len(matrix)
    pictures = decoders.directions(units)
    codes = decoders.gaussian_codes(240, units) * np.arange(1, units + 1, dtype=np.float32)
    mixed = torch.from_numpy(matrix.astype(np.float32))
    return decoders.of_pixels(
        codes @ pictures.numpy(),
        encode=lambda x: x.reshape(len(x), -1) @ pictures.T @ mixed,
        decode=lambda z: (z @ pictures).reshape(-1, 1, decoders.HEIGHT, decoders.WIDTH),
        code_shape=(units,),
        settings=FEW,
    )


def test_pca_responds_with_the_identity() -> None:
    pixels = decoders.correlated_pixels(200)
    model = decoders.pca_model(PCA(3, svd_solver="full").fit(pixels.astype(np.float64)))
    result = latent_responses.run(decoders.of_pixels(pixels, **model, settings=FEW))
    np.testing.assert_allclose(result.responses, np.eye(3), atol=1e-3)
    np.testing.assert_allclose(result.recognised, 1, atol=1e-3)
    np.testing.assert_allclose(result.own_share, 1, atol=1e-4)


def test_an_encoder_that_mixes_responds_with_its_matrix_in_sd() -> None:
    matrix = np.array([[1.0, 0.5, 0.0], [0.0, 0.8, 0.0], [-0.3, 0.0, 0.0]])
    study = mixing(matrix)
    result = latent_responses.run(study)
    units = list(result.units)
    # Unit 2 is always 0: constant, and no row of the table.
    assert units == [0, 1]
    scale = study.deviations[units]
    expected = np.abs(matrix[np.ix_(units, units)]) * scale[:, None] / scale
    np.testing.assert_allclose(result.responses, expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(result.recognised, np.diag(expected), rtol=1e-3)
    own = np.diag(expected) ** 2 / (expected**2).sum(axis=1)
    np.testing.assert_allclose(result.own_share, own, rtol=1e-3)
    assert result.rows == len(study.rows.shifts)


def test_a_duplicate_answers_as_the_unit_does() -> None:
    """Two units that carry one number: what one paints both read, half of it each."""
    study = mixing(np.eye(2))
    pictures = decoders.directions(1)
    codes = np.repeat(decoders.gaussian_codes(240, 1), 2, axis=1)
    study = decoders.of_pixels(
        codes[:, :1] @ pictures.numpy(),
        encode=lambda x: (x.reshape(len(x), -1) @ pictures.T).repeat(1, 2),
        decode=lambda z: (z.mean(dim=1, keepdim=True) @ pictures).reshape(
            -1, 1, decoders.HEIGHT, decoders.WIDTH
        ),
        code_shape=(2,),
        settings=FEW,
    )
    result = latent_responses.run(study)
    np.testing.assert_allclose(result.responses, 0.5, rtol=1e-3)
    np.testing.assert_allclose(result.own_share, 0.5, rtol=1e-3)


def test_at_most_32_units_are_encoded_again() -> None:
    units = 36
    pixels = np.random.default_rng(0).normal(size=(120, 64)) * np.linspace(2, 1, 64)
    study = decoders.of_pixels(
        pixels,
        shape=(1, 8, 8),
        encode=lambda x: x.reshape(len(x), -1)[:, :units],
        decode=lambda z: torch.nn.functional.pad(z, (0, 64 - units)).reshape(-1, 1, 8, 8),
        code_shape=(units,),
        settings=FEW,
    )
    result = latent_responses.run(study)
    assert len(result.units) == 32
    np.testing.assert_allclose(result.responses, np.eye(32), atol=1e-3)


def test_a_code_without_effect_has_no_responses_and_says_so() -> None:
    study = decoders.carrying(
        lambda z: 0 * z @ decoders.directions(2) + 0.5,
        decoders.gaussian_codes(100, 2),
        settings=FEW,
    )
    with pytest.raises(UnanswerableError, match="no unit of the code has an effect"):
        latent_responses.run(study)
