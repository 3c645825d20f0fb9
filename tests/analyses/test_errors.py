"""M26: errors by class and at both ends, against NumPy and scikit-learn."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import mean_squared_error

from reportgen.analyses import UnanswerableError, errors
from reportgen.analyses.errors import Errors
from reportgen.settings import Settings
from reportgen.study.study import Study
from tests.oracles import decoders

COUNT = 240


@pytest.fixture(scope="module")
def classed() -> tuple[Study, Errors]:
    """Images of three classes whose noise differs; the model gives back their first four pixels."""
    generator = np.random.default_rng(0)
    labels = tuple(np.array(["a", "b", "c"])[generator.integers(3, size=COUNT)])
    size = np.array([{"a": 0.02, "b": 0.2, "c": 0.1}[label] for label in labels])
    pixels = 0.5 + size[:, None] * generator.normal(size=(COUNT, decoders.PIXELS))
    pixels[8] = pixels[3]
    study = decoders.of_pixels(
        pixels,
        encode=lambda x: x.reshape(len(x), -1)[:, :4],
        decode=lambda z: _padded(z),
        code_shape=(4,),
        labels=labels,
        settings=Settings(bootstrap_resamples=200),
    )
    return study, errors.run(study)


def _padded(z):
    import torch

    shape = (1, decoders.HEIGHT, decoders.WIDTH)
    rest = decoders.PIXELS - z.shape[1]
    return torch.nn.functional.pad(z, (0, rest), value=0.5).reshape(-1, *shape)


def test_errors_of_classes_are_scikit_learn_s(classed) -> None:
    study, result = classed
    labels = np.array(study.test.labels)
    total = mean_squared_error(study.test.images, study.test.reconstructions)
    assert result.mse.value == pytest.approx(total, rel=1e-5)
    assert result.rows == len(labels)
    assert [of_class.name for of_class in result.classes] == ["b", "c", "a"]
    for of_class in result.classes:
        own = labels == of_class.name
        error = mean_squared_error(study.test.images[own], study.test.reconstructions[own])
        assert of_class.mse.value == pytest.approx(error, rel=1e-5)
        assert of_class.images == own.sum()
        assert of_class.share.value == pytest.approx(error * own.mean() / total, rel=1e-5)
        assert of_class.mse.low < error < of_class.mse.high
    assert sum(of_class.share.value for of_class in result.classes) == pytest.approx(1)


def test_the_worst_and_the_best_are_at_the_ends_of_numpy_s_order(classed) -> None:
    study, result = classed
    squares = ((study.test.images - study.test.reconstructions).astype(np.float64) ** 2).mean(
        axis=1
    )
    order = [row for row in np.argsort(squares, kind="stable") if study.test.copy_of[row] == row]
    for end, rows in ((result.worst, order[::-1][:8]), (result.best, order[:8])):
        assert end.names == tuple(study.test.names[row] for row in rows)
        assert end.classes == tuple(study.test.labels[row] for row in rows)
        np.testing.assert_allclose(end.mse, squares[rows], rtol=1e-5)
        np.testing.assert_array_equal(end.originals, study.test.images[rows])
        np.testing.assert_array_equal(end.reconstructions, study.test.reconstructions[rows])
    held = squares[order[::-1][:8]].sum() / squares.sum()
    assert result.held_by_worst == pytest.approx(held, rel=1e-5)


def test_what_pca_has_of_the_residuals_is_scikit_learn_s_projection(classed) -> None:
    study, result = classed
    residuals = (study.test.images - study.test.reconstructions).astype(np.float64)
    fitted = PCA(4, svd_solver="full").fit(study.fit.images.astype(np.float64))
    along = (residuals @ fitted.components_.T) ** 2
    share = along.sum() / (residuals**2).sum()
    assert result.residual_in_pca.value == pytest.approx(share, rel=1e-4)
    assert result.pca_components == 4


def test_a_pca_model_leaves_nothing_along_its_components() -> None:
    pixels = decoders.correlated_pixels(200)
    model = decoders.pca_model(PCA(3, svd_solver="full").fit(pixels[:100].astype(np.float64)))
    study = decoders.of_pixels(
        pixels[100:], fit_pixels=pixels[:100], **model, settings=Settings(rows=16)
    )
    assert errors.run(study).residual_in_pca.value == pytest.approx(0, abs=1e-6)


def test_without_classes_or_with_one_nothing_is_said_by_class() -> None:
    codes = decoders.gaussian_codes(60, 2)
    few = Settings(rows=16, bootstrap_resamples=100)
    for labels in (None, ("one",) * 60):
        study = decoders.carrying(decoders.linear(2), codes, labels=labels, settings=few)
        assert errors.run(study).classes == ()


def test_of_few_images_each_end_shows_at_most_half() -> None:
    study = decoders.carrying(decoders.linear(2), decoders.gaussian_codes(9, 2))
    result = errors.run(study)
    assert len(result.worst.names) == len(result.best.names) == 4
    assert not set(result.worst.names) & set(result.best.names)


def test_an_exact_model_has_no_errors_and_says_so() -> None:
    study = decoders.of_pixels(
        np.random.default_rng(2).random((60, decoders.PIXELS)),
        encode=lambda x: x.reshape(len(x), -1),
        decode=lambda z: z.reshape(len(z), 1, decoders.HEIGHT, decoders.WIDTH),
        code_shape=(decoders.PIXELS,),
        settings=Settings(rows=16, bootstrap_resamples=100),
    )
    with pytest.raises(UnanswerableError, match="reconstructed exactly"):
        errors.run(study)


def test_one_image_that_holds_the_error_is_said(classed) -> None:
    study, result = classed
    assert result.heavy_tailed == ()
    reconstructions = study.test.reconstructions.copy()
    reconstructions[5] += 50
    test = dataclasses.replace(study.test, reconstructions=reconstructions)
    spoiled = errors.run(dataclasses.replace(study, test=test, _shared={}))
    assert spoiled.heavy_tailed == ("squared error",)
    assert spoiled.worst.names[0] == study.test.names[5]
