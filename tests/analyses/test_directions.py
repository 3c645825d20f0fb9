"""M11: for a linear autoencoder these are the principal axes of its reconstructions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from reportgen.analyses import (
    DoesNotApplyError,
    UnanswerableError,
    directions,
    linearity,
    one_picture,
)
from reportgen.analyses.shared.gaps import gaps
from reportgen.autoencoder import Units
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders

UNITS = 4


@pytest.fixture(scope="module")
def mixed_linear() -> Study:
    """A linear decoder with oblique pictures and correlated codes: no unit is an axis."""
    generator = np.random.default_rng(0)
    weights = torch.from_numpy(
        generator.normal(size=(UNITS, decoders.PIXELS)).astype(np.float32)
    ) * torch.tensor([[4.0], [2.0], [1.0], [0.5]])
    mixing = generator.normal(size=(UNITS, UNITS))
    codes = (decoders.gaussian_codes(400, UNITS) @ mixing + 3).astype(np.float32)
    return decoders.carrying(lambda z: z @ weights, codes, settings=FEW)


@pytest.fixture(scope="module")
def axes(mixed_linear: Study) -> PCA:
    return PCA(UNITS, svd_solver="full").fit(mixed_linear.fit.reconstructions.astype(np.float64))


def test_directions_of_a_linear_decoder_are_scikit_learn_s_axes_of_x_hat(
    mixed_linear, axes
) -> None:
    pictures = directions.run(mixed_linear).pictures.astype(np.float64)
    unit_length = pictures / np.linalg.norm(pictures, axis=1, keepdims=True)
    cosines = np.abs(np.einsum("kp,kp->k", unit_length, axes.components_))
    np.testing.assert_allclose(cosines, 1, atol=1e-6)
    # One sd along a direction: the picture's length is √λ.
    n = len(mixed_linear.fit)
    lengths = np.sqrt(axes.explained_variance_ * (n - 1) / n)
    np.testing.assert_allclose(np.linalg.norm(pictures, axis=1), lengths, rtol=1e-5)


def test_shares_are_eigenvalue_shares_and_sum_to_the_linear_share(mixed_linear, axes) -> None:
    shares = directions.run(mixed_linear).variance_shares
    np.testing.assert_allclose(shares, axes.explained_variance_ratio_, atol=1e-6)
    assert shares.sum() == pytest.approx(1, abs=1e-6)


def test_shares_of_any_decoder_sum_to_r2_of_the_linear_map_on_the_fit_rows(smooth_study) -> None:
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import r2_score

    codes = smooth_study.fit.codes.astype(np.float64)
    images = smooth_study.fit.reconstructions.astype(np.float64)
    predicted = LinearRegression().fit(codes, images).predict(codes)
    expected = r2_score(images, predicted, multioutput="variance_weighted")
    found = directions.run(smooth_study).variance_shares.sum()
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_gap_along_directions_is_rounding_where_the_decoder_is_linear(mixed_linear) -> None:
    result = directions.run(mixed_linear)
    assert result.gap_up.value < 1e-5
    assert result.gap_down.value < 1e-5
    assert result.rho_solo.value == pytest.approx(1, abs=1e-6)


def test_the_gap_along_units_is_the_additivity_s_over_the_same_rows(smooth_study) -> None:
    result, (up, down, _) = directions.run(smooth_study), gaps(smooth_study)
    assert (result.gap_up_units, result.gap_down_units) == (up.gap, down.gap)
    picture = one_picture.run(smooth_study)
    assert result.rho_solo_units.value == picture.pooled_solo.value
    assert result.rho_context_units.value == picture.pooled_context.value


def test_an_additive_decoder_seen_in_rotated_codes_is_additive_again() -> None:
    """Curves along the true axes; the code is a rotation of them, so its units interact."""
    pictures = decoders.directions(2)
    angle = np.pi / 4
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    back = torch.from_numpy(turn.T.astype(np.float32))
    scale = np.array([3.0, 1.0])
    codes = ((decoders.gaussian_codes(600, 2) * scale) @ turn).astype(np.float32)

    def decode(z: torch.Tensor) -> torch.Tensor:
        return torch.tanh(z @ back / 2) @ pictures

    study = decoders.carrying(decode, codes, settings=FEW)
    result = directions.run(study)
    assert result.gap_up_units.value > 0.15
    assert result.gap_up.value < 0.5 * result.gap_up_units.value


def test_the_linear_share_does_not_depend_on_the_axes(mixed_linear) -> None:
    assert linearity.run(mixed_linear).linear.value == pytest.approx(1, abs=1e-6)


def test_loadings_have_length_one_and_name_every_unit(smooth_study) -> None:
    result = directions.run(smooth_study)
    np.testing.assert_allclose(np.linalg.norm(result.loadings, axis=1), 1, rtol=1e-9)
    assert result.units == (0, 1, 2, 3)


def test_directions_repeat_between_halves_of_the_data(mixed_linear) -> None:
    assert directions.run(mixed_linear).repeatability[0] > 0.9


def test_dead_units_are_out() -> None:
    codes = decoders.gaussian_codes(200, 3)
    codes[:, 1] = 5
    study = decoders.carrying(decoders.smooth(3), codes, settings=FEW)
    result = directions.run(study)
    assert result.units == (0, 2)
    assert result.loadings.shape == (2, 2)


def test_units_that_copy_each_other_leave_fewer_directions() -> None:
    codes = decoders.gaussian_codes(300, 3)
    codes[:, 2] = codes[:, 0]
    study = decoders.carrying(decoders.linear(3), codes, settings=FEW)
    assert len(directions.run(study).variance_shares) == 2


def test_rectified_and_spatial_codes_have_no_directions() -> None:
    rectified = decoders.carrying(
        decoders.linear(3), np.maximum(decoders.gaussian_codes(300, 3) - 0.5, 0), settings=FEW
    )
    with pytest.raises(UnanswerableError, match="one value"):
        directions.run(rectified)
    spatial = decoders.of_pixels(
        np.random.default_rng(0).random((60, 16)),
        shape=(1, 4, 4),
        encode=lambda x: x.reshape(-1, 16)[:, :8].reshape(-1, 2, 2, 2),
        decode=decoders.convolutional(2),
        code_shape=(2, 2, 2),
    )
    with pytest.raises(DoesNotApplyError):
        directions.run(spatial)


def remixed(study_codes: np.ndarray, decode, mixing: np.ndarray, shift: float) -> Study:
    """The same images by other units: z′ = z · mixing + shift, undone by the decoder."""
    back = torch.from_numpy(np.linalg.inv(mixing).astype(np.float32))
    codes = (study_codes.astype(np.float64) @ mixing + shift).astype(np.float32)
    return decoders.carrying(lambda z: decode((z - shift) @ back), codes, settings=FEW)


@pytest.mark.parametrize(
    "mixing",
    [
        np.random.default_rng(1).normal(size=(3, 3)),
        np.diag([1e-5, 1.0, 1e3]),
        np.eye(3)[[2, 0, 1]] * [-1, 1, -1],
    ],
    ids=["dense", "scales", "permutation"],
)
def test_any_invertible_mixture_of_the_units_has_the_same_directions(mixing: np.ndarray) -> None:
    """Units of very unequal scale too: none is dropped for being small."""
    codes, decode = decoders.gaussian_codes(400, 3), decoders.smooth(3)
    plain = directions.run(decoders.carrying(decode, codes, settings=FEW))
    other = directions.run(remixed(codes, decode, mixing, 0.0))
    np.testing.assert_allclose(other.variance_shares, plain.variance_shares, rtol=1e-3)
    cosines = np.abs(np.einsum("dp,dp->d", plain.pictures, other.pictures))
    norms = np.linalg.norm(plain.pictures, axis=1) * np.linalg.norm(other.pictures, axis=1)
    np.testing.assert_allclose(cosines / norms, 1, atol=1e-4)
    assert other.gap_up.value == pytest.approx(plain.gap_up.value, rel=1e-3)
    assert other.gap_down.value == pytest.approx(plain.gap_down.value, rel=1e-3)
    assert other.rho_solo.value == pytest.approx(plain.rho_solo.value, rel=1e-3)


def test_mu_is_the_variance_along_scikit_learn_s_axes_for_ten_linear_autoencoders() -> None:
    for seed in range(10):
        generator = np.random.default_rng([5, seed])
        weights = torch.from_numpy(generator.normal(size=(3, decoders.PIXELS)).astype(np.float32))
        codes = generator.normal(size=(120, 3)) @ generator.normal(size=(3, 3))
        study = decoders.carrying(
            lambda z, w=weights: 0.2 + z @ w, codes.astype(np.float32), settings=FEW
        )
        fitted = PCA(3, svd_solver="full").fit(study.fit.reconstructions.astype(np.float64))
        result = directions.run(study)
        pictures = result.pictures.astype(np.float64)
        unit_length = pictures / np.linalg.norm(pictures, axis=1, keepdims=True)
        cosines = np.abs(np.einsum("dp,dp->d", unit_length, fitted.components_))
        np.testing.assert_allclose(cosines, 1, atol=1e-6)
        np.testing.assert_allclose(
            result.variance_shares, fitted.explained_variance_ratio_, atol=1e-6
        )
        assert max(result.gap_up.value, result.gap_down.value) < 1e-4


def test_effects_of_a_linear_decoder_s_directions_are_its_eigenvalues_shares() -> None:
    """Last-in effects over rows that are the fit rows are λ/Σλ; there is one picture for each."""
    codes = (decoders.gaussian_codes(200, 3) * [3, 2, 1]).astype(np.float32)
    study = decoders.carrying(
        lambda z: z @ decoders.directions(3),
        codes,
        fit_codes=codes,
        settings=dataclasses.replace(FEW, rows=200),
    )
    fitted = PCA(3, svd_solver="full").fit(study.fit.reconstructions.astype(np.float64))
    effects = [effect.value for effect in directions.run(study).effects]
    np.testing.assert_allclose(effects, fitted.explained_variance_ratio_, rtol=1e-4)


def test_two_directions_of_equal_variance_are_not_determined() -> None:
    equal = decoders.carrying(
        lambda z: z @ decoders.directions(2), decoders.gaussian_codes(400, 2), settings=FEW
    )
    apart = decoders.carrying(
        lambda z: z @ (decoders.directions(2) * torch.tensor([[5.0], [1.0]])),
        decoders.gaussian_codes(400, 2),
        settings=FEW,
    )
    assert directions.run(equal).undetermined.tolist() == [True, False]
    assert directions.run(apart).undetermined.tolist() == [False, False]
    assert directions.run(apart).repeatability.min() > 0.98


def test_codes_along_directions_are_flagged_as_the_codes_they_stand_for() -> None:
    """A linear model of a mixed code: as flags of the moved codes themselves, made by hand."""
    mixing = np.array([[1.0, 0.6, 0], [0, 1, -0.5], [0.3, 0, 1]], np.float32)
    pictures = decoders.directions(3)
    inverse = torch.from_numpy(np.linalg.inv(mixing))
    study = decoders.of_pixels(
        decoders.gaussian_codes(400, 3) @ pictures.numpy(),
        encode=lambda x: x.reshape(len(x), -1) @ pictures.T @ torch.from_numpy(mixing),
        decode=lambda z: (z @ inverse @ pictures).reshape(-1, 1, 4, 5),
        code_shape=(3,),
        settings=FEW,
    )
    basis = directions._Basis(study.fit.codes, study.fit.reconstructions, np.arange(3))
    moved = np.diag([1.0, -2, 9]).astype(np.float32)
    codes = directions._as_codes(study, basis, moved)
    # y of these codes is what they were made from; only the last is far from all others.
    np.testing.assert_allclose((codes - basis.mean) @ basis.to_directions, moved, atol=1e-4)
    assert study.off_data.flags(codes, study.engine).tolist() == [False, False, True]
    # A part of a Gaussian's way is inside its ellipse.
    assert directions.run(study).off_data_share.value < 0.1


def test_sites_of_one_channel_have_the_directions_of_as_many_numbers(mixed_linear: Study) -> None:
    flat = mixed_linear.autoencoder

    def decode(codes: torch.Tensor) -> torch.Tensor:
        assert codes.shape[1:] == (1, 2, 2), "a code comes in its own shape"
        return flat.decode(codes.flatten(1))

    spatial = dataclasses.replace(
        flat,
        encode=lambda images: flat.encode(images).reshape(-1, 1, 2, 2),
        decode=decode,
        code_shape=(1, 2, 2),
    )
    study = dataclasses.replace(
        mixed_linear,
        autoencoder=spatial,
        engine=mixed_linear.engine_of(spatial),
        units=Units.of(spatial.code_shape),
        _shared={},
    )
    found, expected = directions.run(study), directions.run(mixed_linear)
    np.testing.assert_allclose(found.pictures, expected.pictures, atol=1e-5)
    np.testing.assert_allclose(found.variance_shares, expected.variance_shares, atol=1e-6)
