"""M28: angles between units' pictures of linear decoders, in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reportgen.analyses import DoesNotApplyError, picture_angles
from tests.conftest import FEW
from tests.oracles import decoders

ANGLE = 0.6


def two_columns_at_an_angle():
    first, second, third = decoders.directions(3)
    pictures = torch.stack([first, 2 * (np.cos(ANGLE) * first + np.sin(ANGLE) * second), third])
    return lambda z: 0.3 + z @ pictures


def test_columns_at_an_angle_have_its_cosine_and_minus_the_log_of_its_sine() -> None:
    study = decoders.carrying(
        two_columns_at_an_angle(), decoders.gaussian_codes(200, 3), settings=FEW
    )
    result = picture_angles.run(study)
    np.testing.assert_allclose(
        [result.contrast.low, result.contrast.value, result.contrast.high],
        -np.log(np.sin(ANGLE)),
        atol=1e-5,
    )
    assert result.mean_cosine.value == pytest.approx(np.cos(ANGLE) / 3, abs=1e-5)
    closest = result.closest[0]
    assert (closest.first, closest.second) == (0, 1)
    assert closest.cosine == pytest.approx(np.cos(ANGLE), abs=1e-5)
    assert len(result.closest) == 3
    assert (result.units, result.rows) == (3, len(study.rows.shifts))


def test_orthonormal_pictures_have_no_contrast() -> None:
    study = decoders.carrying(decoders.linear(4), decoders.gaussian_codes(200, 4), settings=FEW)
    result = picture_angles.run(study)
    assert result.contrast.value == pytest.approx(0, abs=1e-5)
    assert result.mean_cosine.value == pytest.approx(0, abs=1e-4)


def test_a_product_s_angle_is_averaged_over_images() -> None:
    """z₀ z₁ u: both units paint u, in every image."""
    study = decoders.carrying(decoders.product(), decoders.gaussian_codes(200, 2), settings=FEW)
    result = picture_angles.run(study)
    assert result.mean_cosine.value == pytest.approx(1, abs=1e-5)


def test_pictures_that_depend_on_each_other_have_no_contrast_that_is_a_number() -> None:
    picture = torch.eye(decoders.PIXELS)[:1]
    study = decoders.carrying(
        lambda z: z.sum(dim=1, keepdim=True) @ picture,
        decoders.gaussian_codes(200, 2),
        settings=FEW,
    )
    result = picture_angles.run(study)
    assert result.mean_cosine.value == pytest.approx(1, abs=1e-6)
    assert np.isnan(result.contrast.value) or result.contrast.value > 10


def test_one_unit_has_no_angle() -> None:
    study = decoders.carrying(decoders.linear(1), decoders.gaussian_codes(60, 1), settings=FEW)
    with pytest.raises(DoesNotApplyError, match="fewer than two units"):
        picture_angles.run(study)
