"""M14 and M1: the model beside PCA, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.metrics import mean_squared_error

from reportgen.analyses import UnanswerableError, reconstruction
from reportgen.study.study import Study
from tests.oracles import decoders

KEPT = 4


def held_out_r2(rebuilt: np.ndarray, originals: np.ndarray, mean: np.ndarray) -> float:
    """1 − MSE / MSE of the fit rows' mean image, both by scikit-learn."""
    constant = np.broadcast_to(mean, originals.shape)
    return 1 - mean_squared_error(originals, rebuilt) / mean_squared_error(originals, constant)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return decoders.correlated_pixels(240)


@pytest.fixture(scope="module")
def sklearn_curve(pixels: np.ndarray) -> np.ndarray:
    """R² of scikit-learn's PCA with 0, 1, … components on the rows that the study tests on."""
    study = decoders.of_pixels(pixels)
    fit, test = (sample.images.astype(np.float64) for sample in (study.fit, study.test))
    curve = [0.0]
    for count in range(1, decoders.PIXELS + 1):
        model = PCA(count, svd_solver="full").fit(fit)
        rebuilt = model.inverse_transform(model.transform(test))
        curve.append(held_out_r2(rebuilt, test, fit.mean(axis=0)))
    return np.array(curve)


def pca_study(pixels: np.ndarray, count: int, **knobs) -> Study:
    """The model is scikit-learn's own PCA of the fit rows."""
    fit = decoders.of_pixels(pixels).fit.images.astype(np.float64)
    fitted = PCA(count, svd_solver="full").fit(fit)
    return decoders.of_pixels(pixels, **decoders.pca_model(fitted), **knobs)


@pytest.fixture(scope="module")
def result(pixels: np.ndarray) -> reconstruction.Reconstruction:
    study = pca_study(pixels, KEPT)
    return reconstruction.run(study)


def test_pca_s_curve_is_scikit_learn_s_on_rows_it_did_not_see(result, sklearn_curve) -> None:
    np.testing.assert_allclose(result.curve, sklearn_curve, atol=1e-9)


def test_a_pca_model_equals_pca_and_as_many_components_as_it_has(result, sklearn_curve) -> None:
    assert result.r2.value == pytest.approx(sklearn_curve[KEPT], abs=1e-6)
    assert result.pca_r2.value == pytest.approx(sklearn_curve[KEPT], abs=1e-9)
    estimate = result.equivalent_components
    assert estimate.value == pytest.approx(KEPT, abs=1e-4)
    # Another fit half would have had another PCA beside this one.
    assert KEPT - 0.2 < estimate.low < KEPT < estimate.high < KEPT + 0.2
    assert not result.equivalent_beyond


def test_errors_are_scikit_learn_s_mean_squared_errors(result, pixels) -> None:
    study = pca_study(pixels, KEPT)
    expected = mean_squared_error(study.test.images, study.test.reconstructions)
    assert result.mse.value == pytest.approx(expected, rel=1e-5)
    assert result.model_errors.mean() == pytest.approx(expected, rel=1e-5)
    assert result.pca_mse.value == pytest.approx(result.mse.value, rel=1e-4)


def shrunken(pixels: np.ndarray, factor: float) -> Study:
    """x̂ = x̄ + factor · (x − x̄): R² = 1 − (1 − factor)² exactly."""
    mean = torch.from_numpy(decoders.of_pixels(pixels).fit.images.mean(axis=0))
    shape = (1, decoders.HEIGHT, decoders.WIDTH)
    return decoders.of_pixels(
        pixels,
        encode=lambda x: x.reshape(len(x), -1) - mean,
        decode=lambda z: (mean + factor * z).reshape(len(z), *shape),
        code_shape=(decoders.PIXELS,),
    )


@pytest.mark.parametrize("factor", [0.3, 0.5, 0.8, 0.95])
def test_equivalent_components_interpolate_scikit_learn_s_curve(
    pixels, sklearn_curve, factor
) -> None:
    study = shrunken(pixels, factor)
    result = reconstruction.run(study)
    level = 1 - (1 - factor) ** 2
    assert result.r2.value == pytest.approx(level, abs=1e-6)
    expected = np.interp(level, sklearn_curve, np.arange(len(sklearn_curve)))
    found = result.equivalent_components
    assert found.value == pytest.approx(expected, abs=1e-4)
    assert found.low <= found.value <= found.high


def test_a_model_worse_than_the_mean_image_equals_no_component(pixels) -> None:
    study = shrunken(pixels, -1.0)
    result = reconstruction.run(study)
    assert result.r2.value == pytest.approx(-3, abs=1e-5)
    assert result.equivalent_components.value == 0
    assert not result.equivalent_beyond


def test_a_model_better_than_all_of_pca_is_beyond_it() -> None:
    pixels = decoders.correlated_pixels(24)  # 12 fit rows: PCA has 11 components at most
    study = shrunken(pixels, 1.0)
    result = reconstruction.run(study)
    assert result.largest_components == 11
    assert result.equivalent_beyond
    assert result.equivalent_components.value == 11


def test_r2_is_measured_from_the_fit_rows_mean_image() -> None:
    shifted = decoders.correlated_pixels(60) + 1
    study = decoders.of_pixels(shifted, fit_pixels=decoders.correlated_pixels(60, seed=5))
    result = reconstruction.run(study)
    expected = held_out_r2(
        study.test.reconstructions, study.test.images, study.fit.images.mean(axis=0)
    )
    assert result.r2.value == pytest.approx(expected, rel=1e-5)
    assert result.test_rows == result.fit_rows == 60


def test_pictures_of_pca_are_inverse_transform(result, pixels) -> None:
    study = pca_study(pixels, KEPT)
    rows = study.rows.pictures
    model = PCA(KEPT, svd_solver="full").fit(study.fit.images.astype(np.float64))
    expected = model.inverse_transform(model.transform(study.test.images[rows].astype(np.float64)))
    np.testing.assert_allclose(result.pca_reconstructions, expected, atol=1e-6)
    np.testing.assert_array_equal(result.originals, study.test.images[rows])


def test_the_order_of_components_is_undetermined_by_north_s_rule_on_scikit_learn_s(
    result, pixels
) -> None:
    fit = decoders.of_pixels(pixels).fit.images.astype(np.float64)
    variances = PCA(KEPT + 1, svd_solver="full").fit(fit).explained_variance_
    apart = (variances[:-1] - variances[1:]) / variances[:-1]
    np.testing.assert_array_equal(result.order_undetermined, apart < 2 * np.sqrt(2 / len(fit)))
    equal = pixels.copy()
    equal[::2] = equal[::2, ::-1]
    close = reconstruction.run(pca_study(equal, KEPT)).order_undetermined
    assert set(result.order_undetermined) | set(close) == {True, False}


def test_variance_shares_are_of_all_components(result, pixels) -> None:
    fit = decoders.of_pixels(pixels).fit.images.astype(np.float64)
    whole = PCA(svd_solver="full").fit(fit)
    np.testing.assert_allclose(
        result.variance_shares, whole.explained_variance_ratio_[:KEPT], rtol=1e-9
    )
    ddof_0 = (len(fit) - 1) / len(fit)
    np.testing.assert_allclose(
        result.variances, ddof_0 * whole.explained_variance_[:KEPT], rtol=1e-9
    )


def participation_ratio(images: np.ndarray) -> float:
    values = PCA(svd_solver="full").fit(images.astype(np.float64)).explained_variance_
    return float(values.sum() ** 2 / (values**2).sum())


def test_the_participation_ratio_is_of_every_eigenvalue(result, pixels) -> None:
    fit = decoders.of_pixels(pixels).fit.images
    assert result.participation_ratio == pytest.approx(participation_ratio(fit), rel=1e-6)


def test_the_participation_ratio_does_not_stop_where_the_fitted_components_do() -> None:
    pixels = np.random.default_rng(0).normal(size=(300, 225))
    study = decoders.of_pixels(pixels, shape=(1, 15, 15))
    result = reconstruction.run(study)
    assert result.largest_components < 100
    expected = participation_ratio(study.fit.images)
    assert result.participation_ratio == pytest.approx(expected, rel=1e-6)


def test_pca_in_sample_with_as_many_components_as_images_is_not_shown() -> None:
    for rows, shown in ((8, False), (9, True), (12, True)):
        study = decoders.of_pixels(
            decoders.correlated_pixels(rows),
            encode=lambda x: x.reshape(len(x), -1)[:, :8],
            decode=lambda z: torch.cat([z, z, z[:, :4]], dim=1).reshape(-1, 1, 4, 5),
            code_shape=(8,),
        )
        assert study.in_sample
        result = reconstruction.run(study)
        for estimate in (result.pca_r2, result.pca_mse, result.equivalent_components):
            assert (estimate is not None) == shown


def test_a_clip_of_the_components_is_told() -> None:
    study = decoders.carrying(decoders.linear(5), decoders.gaussian_codes(4, 5))
    result = reconstruction.run(study)
    assert (result.code_size, result.pca_components, result.pca_clipped) == (5, 3, True)


def test_code_size_counts_floats_where_a_unit_is_a_channel() -> None:
    study = decoders.of_pixels(
        decoders.correlated_pixels(80)[:, :16],
        shape=(1, 4, 4),
        encode=lambda x: x.reshape(-1, 16)[:, :8].reshape(-1, 2, 2, 2),
        decode=decoders.convolutional(2),
        code_shape=(2, 2, 2),
    )
    result = reconstruction.run(study)
    assert (result.code_size, result.pca_components, len(study.units)) == (8, 8, 2)


def test_images_that_do_not_vary_have_no_r2() -> None:
    study = decoders.of_pixels(np.full((30, decoders.PIXELS), 0.5))
    with pytest.raises(UnanswerableError, match="undefined"):
        reconstruction.run(study)


def test_resamples_without_a_denominator_do_not_count_as_beyond_pca() -> None:
    """Every test image but one is the mean image, so a third of the resamples have no R²."""
    mean, step = np.full(decoders.PIXELS, 0.5), np.arange(decoders.PIXELS) / 16
    study = decoders.of_pixels(
        np.stack([mean + step, *[mean] * 29]),
        fit_pixels=np.stack([mean + step, mean - step, *[mean] * 28]),
        decode=lambda z: torch.full((len(z), 1, 4, 5), 0.5),
    )
    result = reconstruction.run(study)
    assert result.r2.value == 0
    assert result.equivalent_components.value == 0
    # Resamples all give 0; another fit half would have had another mean image.
    assert 0 < result.equivalent_components.high < 1


def test_better_rows_are_counted(result, pixels) -> None:
    study = shrunken(pixels, 0.999)
    better = reconstruction.run(study)
    assert better.share_of_rows_better == np.mean(better.model_errors < better.pca_errors)


def test_the_difference_from_pca_is_paired(pixels) -> None:
    """x̂ halfway between PCA's reconstruction and x̄, in closed form; resampled together."""
    fit = decoders.of_pixels(pixels).fit.images.astype(np.float64)
    fitted = PCA(KEPT, svd_solver="full").fit(fit)
    model = decoders.pca_model(fitted)
    decode = model["decode"]
    study = decoders.of_pixels(pixels, **model | {"decode": lambda z: decode(0.9 * z)})
    result = reconstruction.run(study)
    test = study.test.images.astype(np.float64)
    rebuilt = [fitted.inverse_transform(f * fitted.transform(test)) for f in (0.9, 1.0)]
    expected = np.subtract(*(held_out_r2(image, test, fit.mean(axis=0)) for image in rebuilt))
    assert result.beyond_pca.value == pytest.approx(expected, abs=1e-6)
    assert result.beyond_pca.value == pytest.approx(
        result.r2.value - result.pca_r2.value, abs=1e-12
    )
    # Of the same images: far narrower than either R² alone.
    width = result.beyond_pca.high - result.beyond_pca.low
    assert width < 0.3 * (result.r2.high - result.r2.low)
    assert result.beyond_pca.high < 0


def test_half_of_the_images_give_scikit_learn_s_crossing(pixels) -> None:
    study = shrunken(pixels, 0.8)
    result = reconstruction.run(study)
    fit, test = study.fit.images[::2].astype(np.float64), study.test.images.astype(np.float64)
    errors = []
    for count in range(decoders.PIXELS + 1):
        model = PCA(max(count, 1), svd_solver="full").fit(fit)
        rebuilt = model.inverse_transform(model.transform(test)) if count else fit.mean(axis=0)
        errors.append(np.square(test - rebuilt).sum())
    level = np.square(test - study.test.reconstructions).sum()
    expected = np.interp(-level, -np.array(errors), np.arange(len(errors)))
    assert result.equivalent_with_half == pytest.approx(expected, abs=1e-4)
    # PCA of fewer images is worse, so that more of its components are needed.
    assert result.equivalent_with_half > result.equivalent_components.value


def test_half_of_the_images_that_never_reach_the_model_say_so(pixels) -> None:
    """A model that copies its images; half of 12 rows have 5 components."""
    study = decoders.of_pixels(
        pixels[:40],
        encode=lambda x: x.reshape(len(x), -1),
        decode=lambda z: z.reshape(-1, 1, decoders.HEIGHT, decoders.WIDTH),
        code_shape=(decoders.PIXELS,),
    )
    result = reconstruction.run(study)
    assert result.half_beyond
    assert result.equivalent_beyond


def test_more_components_than_a_tenth_of_the_fit_images_are_at_most_so_many(pixels) -> None:
    few, many = (reconstruction.run(shrunken(pixels[:n], 0.8)) for n in (40, 240))
    assert few.fit_rows == 20 and many.fit_rows == 120
    assert few.equivalent_components.value > 2 and few.equivalent_at_most
    assert many.equivalent_components.value < 12 and not many.equivalent_at_most


def test_in_sample_pca_is_no_yardstick(pixels) -> None:
    fitted = PCA(KEPT, svd_solver="full").fit(pixels)
    study = decoders.of_pixels(pixels, fit_pixels=pixels, **decoders.pca_model(fitted))
    result = reconstruction.run(study)
    assert study.in_sample
    assert result.beyond_pca is None
    assert result.pca_r2 is not None


def test_pictured_errors_are_scikit_learn_s_over_the_pictured_rows(result, pixels) -> None:
    study = pca_study(pixels, KEPT)
    rows = study.rows.pictures
    originals = study.test.images[rows]
    expected = mean_squared_error(originals, study.test.reconstructions[rows])
    assert result.picture_mse == pytest.approx(expected, rel=1e-5)
    # The model is PCA: both have made the same pictures.
    assert result.picture_pca_mse == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(result.pca_reconstructions, result.reconstructions, atol=1e-5)
