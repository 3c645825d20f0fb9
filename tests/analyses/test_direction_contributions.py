"""M30: directions as players; scikit-learn's PCA, affine maps of the code, M11's directions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge

from reportgen.analyses import (
    DoesNotApplyError,
    UnanswerableError,
    contributions,
    direction_contributions,
    directions,
)
from reportgen.analyses.direction_contributions import DirectionContributions
from reportgen.settings import Settings
from reportgen.statistics.code_directions import RELATIVE_RIDGES, code_directions
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders


def study_of(decode, codes: np.ndarray, *, settings: Settings = FEW, noise: float = 0.0) -> Study:
    return decoders.study_of(decode, codes, settings=settings, noise=noise)


def by_direction(result: DirectionContributions) -> np.ndarray:
    """(r, d + 1, P) pictures in the order of the directions, the rest last."""
    places = [share.unit if share.unit >= 0 else len(result.shares) for share in result.shares]
    return result.pictures[:, np.argsort(places)].astype(np.float64)


@pytest.fixture(scope="module")
def linear() -> Study:
    mixing = np.random.default_rng(3).normal(size=(4, 4))
    codes = decoders.gaussian_codes(300, 4) @ (np.diag([3, 2, 1, 0.5]) @ mixing).astype(np.float32)
    return study_of(decoders.linear(4), codes)


def test_a_linear_decoder_s_directions_are_principal_components_of_its_reconstructions(
    linear: Study,
) -> None:
    """Score times component, by scikit-learn on the fit half; nothing is left for the rest."""
    result = direction_contributions.run(linear)
    fitted = PCA(4, svd_solver="full").fit(linear.fit.reconstructions.astype(np.float64))
    pictured = linear.test.reconstructions[linear.rows.pictures].astype(np.float64)
    expected = fitted.transform(pictured)[:, :, None] * fitted.components_
    phi = by_direction(result)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(phi[:, :4], expected, atol=1e-5 * scale)
    np.testing.assert_allclose(phi[:, 4], 0, atol=1e-5 * scale)
    assert result.ridge is None
    assert result.linear_share == pytest.approx(1, abs=1e-5)
    assert result.held_share == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(
        result.variance_shares, fitted.explained_variance_ratio_[:4], atol=1e-6
    )


def test_pictures_are_the_same_for_every_invertible_affine_map_of_the_code() -> None:
    codes = decoders.gaussian_codes(300, 4)
    generator = np.random.default_rng(8)
    mixing = generator.normal(size=(4, 4)) + 2 * np.eye(4)
    shift = generator.normal(size=4)
    decode = decoders.smooth(4)
    back = torch.from_numpy(np.linalg.inv(mixing)).float()
    offset = torch.from_numpy(shift).float()

    def compensated(z: torch.Tensor) -> torch.Tensor:
        return decode((z - offset) @ back)

    plain = study_of(decode, codes)
    mixed = study_of(compensated, (codes @ mixing + shift).astype(np.float32))
    first, second = (by_direction(direction_contributions.run(s)) for s in (plain, mixed))
    # The medoid, which depends on the code's axes, may be another image.
    both = plain.rows.pictures == mixed.rows.pictures
    assert both.sum() >= 6
    np.testing.assert_allclose(first[both], second[both], atol=2e-5 * np.abs(first).max())


def test_parts_sum_to_the_change_of_the_image(smooth_study: Study) -> None:
    result = direction_contributions.run(smooth_study)
    beside = contributions.run(smooth_study)
    whole = result.pictures.sum(axis=1) + beside.baseline_image
    np.testing.assert_allclose(whole, beside.reconstructions, atol=1e-5)
    np.testing.assert_allclose(result.row_shares.sum(axis=1), 1, atol=1e-5)
    assert sum(share.share.value for share in result.shares) == pytest.approx(1, abs=1e-6)
    for share in result.shares:
        assert share.name == ("rest" if share.unit < 0 else f"direction {share.unit + 1}")
    assert result.completeness_error < 1e-5
    assert 0 <= result.off_data_share.value <= 1


def test_own_shares_and_sizes_are_those_of_the_pictures(smooth_study: Study) -> None:
    result = direction_contributions.run(smooth_study)
    change = result.pictures.sum(axis=1, dtype=np.float64)
    squares = np.square(change).sum(axis=1)
    shares = np.einsum("rdp,rp->rd", result.pictures.astype(np.float64), change) / squares[:, None]
    sizes = np.linalg.norm(result.pictures, axis=2) / np.sqrt(squares)[:, None]
    np.testing.assert_allclose(result.row_shares, shares, atol=1e-5)
    np.testing.assert_allclose(result.row_sizes, sizes, atol=1e-5)


def test_directions_are_m11_s_where_those_are_defined(smooth_study: Study) -> None:
    result = direction_contributions.run(smooth_study)
    before = directions.run(smooth_study)
    ratio = before.variance_shares / before.variance_shares.sum()
    np.testing.assert_allclose(result.variance_shares, ratio, atol=1e-9)
    np.testing.assert_array_equal(result.undetermined, before.undetermined)


def wide(units: int, images: int) -> Study:
    """Many units, each a little of a few pictures: x̂ = tanh(z A) B with A of rank 3."""
    generator = np.random.default_rng(4)
    first = generator.normal(size=(units, 3)) / np.sqrt(units)
    second = generator.normal(size=(3, 20))
    weights = torch.from_numpy(first).float(), torch.from_numpy(second).float()

    def decode(z: torch.Tensor) -> torch.Tensor:
        return torch.tanh(0.5 * z @ weights[0]) @ weights[1]

    codes = generator.normal(size=(images, units)).astype(np.float32)
    return study_of(decode, codes, settings=dataclasses.replace(FEW, path_steps=4))


def test_where_a_code_has_more_numbers_than_images_a_few_directions_carry_what_no_unit_does() -> (
    None
):
    result = direction_contributions.run(wide(128, 200))
    assert result.ridge in RELATIVE_RIDGES
    assert result.leads
    assert result.own_largest > result.own_largest_of_units + 0.3
    assert result.code_numbers == 128


def test_units_lead_where_they_carry_as_much() -> None:
    study = study_of(decoders.linear(4), decoders.gaussian_codes(300, 4))
    result = direction_contributions.run(study)
    assert not result.leads
    assert result.own_largest == pytest.approx(1, abs=1e-5)
    assert result.own_largest_of_units == pytest.approx(1, abs=1e-5)


def test_the_ridge_regression_is_scikit_learn_s() -> None:
    generator = np.random.default_rng(6)
    codes = generator.normal(size=(60, 40)).astype(np.float32)
    images = np.tanh(codes @ generator.normal(size=(40, 30))).astype(np.float32)
    found = code_directions(codes, images, 16, 0)
    assert found.ridge is not None
    standardised = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    penalty = found.ridge * np.linalg.norm(standardised.astype(float), 2) ** 2
    centred = images - images.mean(axis=0, dtype=float)
    fitted = Ridge(penalty, fit_intercept=False).fit(standardised, centred).predict(standardised)
    left, values, right = np.linalg.svd(fitted, full_matrices=False)
    np.testing.assert_allclose(found.variances, values[:16] ** 2 / 60, rtol=1e-4)
    assert found.fitted_variance == pytest.approx(float(np.square(fitted).sum() / 60), rel=1e-5)
    y = (codes - found.mean) @ found.readout
    np.testing.assert_allclose(np.abs(y), np.abs(left[:, :16]) * np.sqrt(60), atol=1e-3)
    expected = right[:16] * values[:16, None] / np.sqrt(60)
    np.testing.assert_allclose(np.abs(found.pictures), np.abs(expected), atol=1e-4)
    slopes = LinearRegression().fit(y, codes - found.mean).coef_.T
    np.testing.assert_allclose(found.drawn, slopes, atol=1e-4)


def test_what_no_direction_takes_is_uncorrelated_with_them() -> None:
    generator = np.random.default_rng(6)
    codes = generator.normal(size=(400, 6)).astype(np.float32)
    images = np.tanh(codes @ generator.normal(size=(6, 30))).astype(np.float32)
    found = code_directions(codes, images, 3, 0)
    centred = codes - found.mean
    along = np.stack([found.parts(row).sum(axis=0) for row in centred])
    left, y = centred - along, centred @ found.readout
    assert np.abs(left.T @ y / 400).max() < 1e-9
    np.testing.assert_allclose(y.T @ y / 400, np.eye(3), atol=1e-6)


def test_a_direction_is_found_again_on_other_images(linear: Study) -> None:
    assert direction_contributions.run(linear).repeatability.min() > 0.9


def test_pictures_have_their_largest_pixel_positive() -> None:
    generator = np.random.default_rng(6)
    codes = generator.normal(size=(400, 6)).astype(np.float32)
    images = (codes @ generator.normal(size=(6, 30))).astype(np.float32)
    pictures = code_directions(codes, images, 6, 0).pictures
    assert (pictures[np.arange(6), np.abs(pictures).argmax(axis=1)] > 0).all()


def test_with_one_unit_there_is_nothing_to_mix() -> None:
    with pytest.raises(DoesNotApplyError, match="fewer than two numbers"):
        direction_contributions.run(study_of(decoders.linear(1), decoders.gaussian_codes(60, 1)))


def test_a_decoder_that_ignores_its_code_has_no_directions() -> None:
    def decode(z: torch.Tensor) -> torch.Tensor:
        return torch.ones(len(z), 20)

    with pytest.raises(UnanswerableError):
        direction_contributions.run(study_of(decode, decoders.gaussian_codes(60, 3)))


def test_a_spatial_code_s_directions_mix_all_its_numbers() -> None:
    generator = np.random.default_rng(2)
    weights = torch.from_numpy(generator.normal(size=(2 * 9, 36)) / 6).float()
    codes = generator.normal(size=(200, 2, 3, 3)).astype(np.float32)

    def decode(z: torch.Tensor) -> torch.Tensor:
        return torch.tanh(z.reshape(len(z), -1) @ weights).reshape(-1, 1, 6, 6)

    def encode(x: torch.Tensor) -> torch.Tensor:
        return (torch.atanh(x.reshape(len(x), -1).clamp(-0.999, 0.999)) @ back).reshape(-1, 2, 3, 3)

    back = torch.linalg.pinv(weights)
    pixels = decode(torch.from_numpy(codes)).reshape(200, -1).numpy()
    study = decoders.of_pixels(
        pixels, shape=(1, 6, 6), encode=encode, decode=decode, code_shape=(2, 3, 3), settings=FEW
    )
    result = direction_contributions.run(study)
    assert result.code_numbers == 18
    assert result.completeness_error < 1e-5


def test_repeats_are_m11_s_where_those_are_defined(smooth_study: Study) -> None:
    result, before = direction_contributions.run(smooth_study), directions.run(smooth_study)
    count = len(result.repeatability)
    np.testing.assert_allclose(result.repeatability, before.repeatability[:count], atol=1e-6)


def test_the_last_shown_direction_is_judged_beside_the_first_that_is_not() -> None:
    """One strong direction and seven alike: the sixth, the last shown, is as the seventh."""
    weights = np.linalg.qr(np.random.default_rng(5).normal(size=(20, 8)))[0].T
    weights[0] *= 10
    basis = torch.from_numpy(weights).float()
    study = study_of(lambda z: z @ basis, decoders.gaussian_codes(400, 8))
    result = direction_contributions.run(study)
    np.testing.assert_array_equal(result.undetermined, [False] + 5 * [True])
