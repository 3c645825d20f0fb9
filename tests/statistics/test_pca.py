"""PCA against scikit-learn's inverse_transform and numpy's SVD."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from reportgen.statistics import pca
from reportgen.statistics.pca import Pca, fit_pca, pca_beside
from tests.oracles import decoders
from tests.peak_memory import peak_of

COMPONENTS = 6


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return decoders.correlated_pixels(200)


@pytest.fixture(scope="module")
def fitted(images: np.ndarray) -> Pca:
    return fit_pca(images, COMPONENTS + 1, seed=0)


@pytest.fixture(scope="module")
def sklearn_pca(images: np.ndarray) -> PCA:
    return PCA(COMPONENTS, svd_solver="full").fit(images.astype(np.float64))


def test_the_mean_plus_contributions_is_inverse_transform(images, fitted, sklearn_pca) -> None:
    rebuilt = np.stack(
        [fitted.mean + fitted.contributions(x, COMPONENTS).sum(axis=0) for x in images]
    )
    expected = sklearn_pca.inverse_transform(sklearn_pca.transform(images.astype(np.float64)))
    np.testing.assert_allclose(rebuilt, expected, atol=1e-12)


def test_pca_as_an_autoencoder_is_inverse_transform_in_float32(images, fitted, sklearn_pca) -> None:
    model = fitted.as_autoencoder(COMPONENTS, (1, decoders.HEIGHT, decoders.WIDTH))
    tensor = torch.from_numpy(images.reshape(-1, 1, decoders.HEIGHT, decoders.WIDTH))
    rebuilt = model.decode(model.encode(tensor)).reshape(len(images), -1).numpy()
    expected = sklearn_pca.inverse_transform(sklearn_pca.transform(images.astype(np.float64)))
    np.testing.assert_allclose(rebuilt, expected, atol=1e-5 * np.abs(images).max())
    assert model.code_shape == (COMPONENTS,)
    np.testing.assert_array_equal(
        model.forward(tensor).numpy(), model.decode(model.encode(tensor)).numpy()
    )


def test_squared_contributions_sum_to_the_squared_change(images, fitted, sklearn_pca) -> None:
    expected = sklearn_pca.inverse_transform(sklearn_pca.transform(images.astype(np.float64)))
    changes = np.square(expected - images.mean(axis=0, dtype=np.float64)).sum(axis=1)
    parts = [np.square(fitted.contributions(x, COMPONENTS)).sum() for x in images]
    np.testing.assert_allclose(parts, changes, rtol=1e-9)


def test_components_have_scikit_learn_s_sign_and_order(fitted, sklearn_pca) -> None:
    np.testing.assert_allclose(fitted.components[:COMPONENTS], sklearn_pca.components_, atol=1e-10)
    strongest = np.abs(fitted.components).argmax(axis=1)
    assert (fitted.components[np.arange(len(strongest)), strongest] > 0).all()


def test_variances_have_ddof_0(images, fitted, sklearn_pca) -> None:
    n = len(images)
    singular = np.linalg.svd(images - images.mean(axis=0, dtype=np.float64), compute_uv=False)
    np.testing.assert_allclose(fitted.variances, singular[: COMPONENTS + 1] ** 2 / n, rtol=1e-9)
    np.testing.assert_allclose(
        fitted.variances[:COMPONENTS], sklearn_pca.explained_variance_ * (n - 1) / n, rtol=1e-9
    )
    assert fitted.total_variance == pytest.approx((singular**2).sum() / n, rel=1e-9)


def test_squared_errors_of_every_count_are_inverse_transform_s(images, fitted) -> None:
    others = decoders.correlated_pixels(50, seed=99)
    errors = fitted.squared_errors(others)
    assert errors.shape == (50, COMPONENTS + 2)
    for count in range(1, COMPONENTS + 2):
        model = PCA(count, svd_solver="full").fit(images.astype(np.float64))
        rebuilt = model.inverse_transform(model.transform(others.astype(np.float64)))
        np.testing.assert_allclose(
            errors[:, count], np.square(others - rebuilt).sum(axis=1), rtol=1e-9
        )
    np.testing.assert_allclose(
        errors[:, 0], np.square(others - images.mean(axis=0, dtype=np.float64)).sum(axis=1)
    )


@pytest.mark.parametrize(("rows", "expected"), [(2, 1), (7, 6), (200, 20)])
def test_there_are_never_more_components_than_rows_minus_one_or_pixels(rows, expected) -> None:
    assert len(fit_pca(decoders.correlated_pixels(rows), 50, seed=0).components) == expected


def axis_images(variances: list[float], rows: int) -> np.ndarray:
    """Images with exactly these variances (ddof 0) along the first pixels."""
    generator = np.random.default_rng(0)
    scores = generator.normal(size=(rows, len(variances)))
    scores = np.linalg.qr(scores - scores.mean(axis=0))[0] * np.sqrt(rows)
    images = np.zeros((rows, decoders.PIXELS))
    images[:, : len(variances)] = scores * np.sqrt(variances)
    return images


def test_order_is_undetermined_below_north_s_rule_and_determined_above() -> None:
    rows = 800
    limit = 2 * np.sqrt(2 / rows)  # 0.1
    variances = [1.0, 1 - 0.9 * limit, 0.5, 0.5 * (1 - 1.1 * limit), 0.1]
    undetermined = fit_pca(axis_images(variances, rows), 5, seed=0).undetermined(4)
    assert undetermined.tolist() == [True, False, False, False]


def test_the_last_component_is_judged_by_the_one_after_it() -> None:
    variances = [1.0, 0.5, 0.49]
    fitted = fit_pca(axis_images(variances, 800), 3, seed=0)
    assert fitted.undetermined(2).tolist() == [False, True]


@pytest.fixture(params=["by products", "by scikit-learn"])
def either_way(request, monkeypatch) -> None:
    """Small images through what is meant for large ones, too."""
    if request.param == "by scikit-learn":
        monkeypatch.setattr(pca, "LARGEST_PRODUCTS", 20)


@pytest.mark.parametrize(("rows", "pixels"), [(30, 20), (30, 60), (600, 500), (2_000, 60)])
def test_constant_images_have_no_variance_and_are_rebuilt_exactly(rows, pixels, either_way) -> None:
    images = np.full((rows, pixels), 0.25, np.float32)
    fitted = fit_pca(images, 5, seed=0)
    assert fitted.total_variance == 0
    assert np.isnan(fitted.participation_ratio)
    assert fitted.fit_rows == rows
    np.testing.assert_array_equal(fitted.variances, 0)
    np.testing.assert_allclose(fitted.squared_errors(images), 0, atol=1e-20)
    np.testing.assert_allclose(fitted.components @ fitted.components.T, np.eye(5), atol=1e-12)


def test_constant_images_have_as_many_directions_as_were_asked_for(monkeypatch) -> None:
    monkeypatch.setattr(pca, "LARGEST_PRODUCTS", 20)
    fitted = fit_pca(np.full((100, 80), 0.1, np.float32), 60, seed=0)
    np.testing.assert_allclose(fitted.components @ fitted.components.T, np.eye(60), atol=1e-12)


@pytest.mark.parametrize("count", [12, 55])
@pytest.mark.parametrize(("rows", "pixels"), [(500, 450), (300, 900), (2_000, 60)])
def test_components_are_those_of_the_full_decomposition(rows, pixels, count, either_way) -> None:
    generator = np.random.default_rng(12)
    decaying = 0.8 ** np.arange(30)
    images = (generator.normal(size=(rows, 30)) * decaying) @ generator.normal(size=(30, pixels))
    images = (images + 0.01 * generator.normal(size=images.shape)).astype(np.float32)
    fitted = fit_pca(images, count, seed=0)
    full = PCA(count, svd_solver="full").fit(images.astype(np.float64))
    np.testing.assert_allclose(
        fitted.variances, full.explained_variance_ * (rows - 1) / rows, rtol=1e-9
    )
    # Those of the noise are hardly apart, and told apart only as far.
    cosines = np.einsum("kp,kp->k", fitted.components, full.components_)
    np.testing.assert_allclose(cosines[:12], 1, atol=1e-9)
    np.testing.assert_allclose(cosines, 1, atol=1e-6)


@pytest.mark.parametrize(("rows", "pixels"), [(100, 400), (400, 100)])
def test_components_without_variance_are_orthonormal_to_the_others(rows, pixels) -> None:
    generator = np.random.default_rng(3)
    images = generator.normal(size=(rows, 4)) @ generator.normal(size=(4, pixels))
    fitted = fit_pca(images.astype(np.float32).astype(np.float64), 20, seed=0)
    full = np.linalg.svd(images - images.mean(axis=0), compute_uv=False)[:4] ** 2 / rows
    np.testing.assert_allclose(fitted.variances[:4], full, rtol=1e-6)
    np.testing.assert_allclose(fitted.components @ fitted.components.T, np.eye(20), atol=1e-12)
    assert fitted.undetermined(19)[4:].all()


@pytest.mark.parametrize("decades", [5, 6.5, 12])
def test_components_are_orthonormal_however_their_variances_fall(decades: float) -> None:
    generator = np.random.default_rng(5)
    falling = np.logspace(0, -decades, 20)
    images = (generator.normal(size=(60, 20)) * falling) @ generator.normal(size=(20, 300))
    fitted = fit_pca(images, 20, seed=0)
    np.testing.assert_allclose(fitted.components @ fitted.components.T, np.eye(20), atol=1e-12)
    full = PCA(20, svd_solver="full").fit(images)
    cosines = np.einsum("kp,kp->k", fitted.components, full.components_)
    np.testing.assert_allclose(cosines[falling > 1e-5], 1, atol=1e-9)


@pytest.mark.parametrize(("rows", "pixels"), [(300, 900), (900, 300)])
def test_the_participation_ratio_is_that_of_all_singular_values(rows, pixels) -> None:
    images = np.random.default_rng(8).normal(size=(rows, pixels)) * 0.99 ** np.arange(pixels)
    fitted = fit_pca(images, 3, seed=0)
    variances = np.linalg.svd(images - images.mean(axis=0), compute_uv=False) ** 2
    expected = variances.sum() ** 2 / np.square(variances).sum()
    assert fitted.participation_ratio == pytest.approx(expected, rel=1e-9)


def test_the_participation_ratio_of_many_large_images_is_within_a_fiftieth(monkeypatch) -> None:
    """The variance that no fitted component has counts as spread evenly."""
    images = np.random.default_rng(8).normal(size=(900, 300)) * 0.95 ** np.arange(300)
    whole = fit_pca(images, 20, seed=0)
    monkeypatch.setattr(pca, "LARGEST_PRODUCTS", 20)
    found = fit_pca(images, 20, seed=0)
    assert found.participation_ratio != whole.participation_ratio
    assert found.participation_ratio == pytest.approx(whole.participation_ratio, rel=0.02)


@pytest.mark.slow
def test_fitting_takes_no_second_copy_of_few_large_images() -> None:
    images = np.random.default_rng(2).normal(size=(40, 500_000)).astype(np.float32)
    copy = 2 * images.nbytes
    fitted, peak = peak_of(lambda: fit_pca(images, 5, seed=0), copy / 2)
    assert fitted.components.nbytes < copy / 4
    assert peak < copy / 2


def test_scores_of_large_images_are_those_of_float64() -> None:
    """Summed in float32 they were off by 1e-5, which the linear control took for a fault."""
    images = np.random.default_rng(2).normal(size=(20, 300_000)).astype(np.float32) + 5
    fitted = fit_pca(images, 4, seed=0)
    model = fitted.as_autoencoder(4, (1, 500, 600))
    codes = model.encode(torch.from_numpy(images.reshape(-1, 1, 500, 600))).numpy()
    expected = fitted.scores(images)
    np.testing.assert_allclose(codes, expected, atol=1e-7 * np.abs(expected).max())


@pytest.mark.parametrize(("code_size", "held_beside"), [(3, 64), (50, 100), (90, 119)])
def test_as_many_components_as_the_code_has_numbers_are_kept(code_size, held_beside) -> None:
    generator = np.random.default_rng(6)
    fit_images, test_images = generator.normal(size=(2, 120, 300)).astype(np.float32)
    fitted, errors = pca_beside(fit_images, test_images, code_size, seed=0)
    kept = fitted.first(code_size)
    whole = PCA(held_beside, svd_solver="full").fit(fit_images.astype(np.float64))
    cosines = np.abs(np.einsum("kp,kp->k", kept.components, whole.components_[:code_size]))
    np.testing.assert_allclose(cosines, 1, atol=1e-6)
    centred = test_images - whole.mean_
    missed = (
        np.square(centred).sum(axis=1)
        - np.cumsum(np.square(centred @ whole.components_.T), axis=1).T
    )
    assert errors.shape == (120, held_beside + 1)
    np.testing.assert_allclose(errors[:, 1:], missed.T, rtol=1e-6)
    assert kept.components.base is None
    assert kept.undetermined(code_size).shape == (code_size,)
