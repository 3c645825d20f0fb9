"""M16: the first k units; scikit-learn's PCA as the model gives scikit-learn's curve."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from reportgen.analyses import (
    UnanswerableError,
    contributions,
    partial_reconstruction,
    reconstruction,
)
from reportgen.analyses.shared.baseline_draws import baseline_draws
from reportgen.analyses.shared.path_contributions import path_shares
from reportgen.settings import Settings
from reportgen.statistics.fit_uncertainty import jackknife_groups
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders
from tests.oracles.spatial_codes import painting, site_codes

COMPONENTS = 5


@pytest.fixture(scope="module")
def pca_study() -> Study:
    pixels = decoders.correlated_pixels(200)
    fit = decoders.of_pixels(pixels).fit.images.astype(np.float64)
    fitted = PCA(COMPONENTS, svd_solver="full").fit(fit)
    return decoders.of_pixels(pixels, settings=Settings(rows=60), **decoders.pca_model(fitted))


def sklearn_sum(study: Study, count: int, rows: np.ndarray) -> np.ndarray:
    """The rows rebuilt from the first `count` components."""
    fit, images = study.fit.images.astype(np.float64), study.test.images[rows].astype(np.float64)
    if count == 0:
        return np.broadcast_to(fit.mean(axis=0), images.shape)
    model = PCA(count, svd_solver="full").fit(fit)
    return model.inverse_transform(model.transform(images))


def test_a_pca_model_gives_scikit_learn_s_curve(pca_study) -> None:
    result = partial_reconstruction.run(pca_study)
    rows = pca_study.rows.statistics
    images = pca_study.test.images[rows].astype(np.float64)
    total = np.square(images - pca_study.fit.images.mean(axis=0, dtype=np.float64)).sum()
    for count in range(COMPONENTS + 1):
        missed = np.square(images - sklearn_sum(pca_study, count, rows)).sum()
        expected = 1 - missed / total
        assert result.pca_r2[count].value == pytest.approx(expected, abs=1e-9)
        assert result.model_r2[count].value == pytest.approx(expected, abs=1e-5)
    assert result.names == tuple("01234")


def test_pictures_of_a_pca_model_are_scikit_learn_s(pca_study) -> None:
    result = partial_reconstruction.run(pca_study)
    rows = pca_study.rows.pictures
    for count in range(COMPONENTS + 1):
        expected = sklearn_sum(pca_study, count, rows)
        np.testing.assert_allclose(result.model_pictures[:, count], expected, atol=1e-5)
        np.testing.assert_allclose(result.pca_pictures[:, count], expected, atol=1e-5)


def test_units_are_added_in_order_of_share(smooth_study) -> None:
    result = partial_reconstruction.run(smooth_study)
    order = contributions.run(smooth_study).shares
    assert result.names == tuple(share.name for share in order)
    decode = decoders.smooth(4)
    row = smooth_study.rows.pictures[2]
    code = smooth_study.baseline.copy()
    for count, share in enumerate(order):
        expected = decode(torch.from_numpy(code[None]))[0].numpy()
        np.testing.assert_allclose(result.model_pictures[2, count], expected, atol=1e-5)
        code[share.unit] = smooth_study.test.codes[row, share.unit]


def test_no_unit_is_the_baseline_image_and_all_are_the_reconstruction(smooth_study) -> None:
    result = partial_reconstruction.run(smooth_study)
    start = decoders.smooth(4)(torch.from_numpy(smooth_study.baseline)[None])[0].numpy()
    for pictures in result.model_pictures:
        np.testing.assert_allclose(pictures[0], start, atol=1e-6)
    np.testing.assert_allclose(
        result.model_pictures[:, -1],
        smooth_study.test.reconstructions[smooth_study.rows.pictures],
        atol=1e-6,
    )


def test_all_units_over_all_rows_have_the_model_s_r2() -> None:
    codes = decoders.gaussian_codes(120, 3)
    study = decoders.study_of(decoders.smooth(3), codes, settings=Settings(rows=1000), noise=0.1)
    last = partial_reconstruction.run(study).model_r2[-1]
    whole = reconstruction.run(study).r2
    assert last.value == pytest.approx(whole.value, abs=1e-6)


def test_codes_of_some_units_are_flagged_and_those_of_all_are_the_images_own() -> None:
    """Three units of one number: without one of them, codes are where none is."""
    codes = decoders.gaussian_codes(200, 3)
    codes[:, 1:] = codes[:, :1] + 0.1 * codes[:, 1:]
    study = decoders.carrying(decoders.linear(3), codes, settings=FEW)
    order = study.shared(path_shares).order
    own = study.test.codes[study.rows.statistics]
    partial = []
    for count in range(3):
        code = np.tile(study.baseline, (len(own), 1))
        code[:, order[:count]] = own[:, order[:count]]
        partial.append(code)
    found = partial_reconstruction.run(study).off_data_share.value
    assert found == study.off_data_share(np.concatenate(partial)).value
    assert found != study.off_data_share(np.concatenate([*partial, own])).value


def test_a_step_costs_k_decodes_a_row_and_k_plus_1_a_picture() -> None:
    units = 5
    study = decoders.carrying(
        decoders.smooth(units), decoders.gaussian_codes(200, units), settings=FEW
    )
    study.shared(path_shares)
    with study.engine.charged_to("growing"):
        partial_reconstruction.run(study)
    of_rows = len(study.rows.statistics) * units
    of_pictures = len(study.rows.pictures) * (units + 1)
    # The baseline, once for each request that it is in.
    assert 0 < study.engine.forwards["growing"] - of_rows - of_pictures <= 2


def test_above_32_units_the_rest_joins_last() -> None:
    pixels = np.random.default_rng(0).normal(size=(90, decoders.PIXELS))
    of_code = torch.from_numpy(
        np.random.default_rng(1).normal(size=(decoders.PIXELS, 36)).astype(np.float32)
    )
    study = decoders.of_pixels(
        pixels,
        encode=lambda x: x.reshape(len(x), -1) @ of_code,
        decode=lambda z: (z @ of_code.T / 36).reshape(len(z), 1, 4, 5),
        code_shape=(36,),
        settings=Settings(rows=10, path_steps=1),
    )
    result = partial_reconstruction.run(study)
    assert len(result.names) == 33
    assert result.names[-1] == "rest"
    assert len(result.model_r2) == 34
    # 20 pixels have 20 components.
    assert result.pca_components == tuple(range(21))


def test_one_unit_goes_from_the_baseline_to_the_reconstruction() -> None:
    study = decoders.study_of(decoders.additive(1), decoders.gaussian_codes(60, 1), settings=FEW)
    result = partial_reconstruction.run(study)
    assert len(result.model_r2) == 2
    assert result.model_r2[1].value == pytest.approx(1, abs=1e-6)


def test_images_that_vary_little_are_rebuilt_as_well_as_others() -> None:
    """Squares that sum to less than one."""
    pixels = decoders.correlated_pixels(200, scale=1e-4)
    fit = decoders.of_pixels(pixels).fit.images.astype(np.float64)
    model = decoders.pca_model(PCA(COMPONENTS, svd_solver="full").fit(fit))
    result = partial_reconstruction.run(decoders.of_pixels(pixels, settings=FEW, **model))
    assert result.model_r2[-1].value == pytest.approx(result.pca_r2[COMPONENTS].value, abs=1e-3)
    assert result.model_r2[-1].value > 0.8


def test_images_that_all_are_the_mean_of_the_fit_images_have_no_r2() -> None:
    codes = decoders.symmetric_codes(40, 2)
    study = decoders.carrying(
        decoders.linear(2), np.zeros((30, 2), np.float32), fit_codes=codes, settings=FEW
    )
    with pytest.raises(UnanswerableError, match="R² is undefined"):
        partial_reconstruction.run(study)


def test_intervals_cover_other_mean_codes_and_other_mean_images(smooth_study) -> None:
    """Both parts of the fit half are computed here, from images decoded one unit after another."""
    result = partial_reconstruction.run(smooth_study)
    study, order = smooth_study, smooth_study.shared(path_shares).order
    rows, fit = study.rows.statistics, study.fit.images.astype(np.float64)
    tested = study.test.images.astype(np.float64)
    drawn = study.shared(baseline_draws)
    few = rows[: drawn.rows]

    def missed(which: np.ndarray, baseline: np.ndarray, count: int) -> np.ndarray:
        codes = np.tile(baseline, (len(which), 1))
        codes[:, order[:count]] = study.test.codes[which][:, order[:count]]
        decoded = decoders.smooth(4)(torch.from_numpy(codes)).double().numpy()
        return np.square(tested[which] - decoded).sum(axis=1)

    def spread(mean: np.ndarray) -> np.ndarray:
        return np.square(tested - mean).sum(axis=1)

    total = spread(fit.mean(axis=0))
    groups = jackknife_groups(study.fit.copy_of, study.settings.seed)
    without = [spread(fit[groups != group].mean(axis=0)).sum() for group in range(10)]
    for count in range(4):
        by_code = [missed(few, b, count).sum() / total[few].sum() for b in drawn.baselines]
        of_code = np.mean(np.square(np.array(by_code[1:]) - by_code[0]))
        own = missed(rows, study.baseline, count)
        left = own.sum() / total[rows].sum() * total.sum() / np.array(without)
        of_image = 9 / 10 * np.square(left - left.mean()).sum()
        found = result.model_r2[count]
        by_rows = study.bootstrap(rows).explained(own, total[rows])
        added = 1.96 * np.sqrt(of_code + of_image)
        expected = found.value - np.hypot(found.value - by_rows.low, added)
        assert found.low == pytest.approx(expected, rel=1e-4)


def test_codes_that_do_not_vary_rebuild_nothing() -> None:
    study = decoders.carrying(decoders.linear(2), np.ones((60, 2), np.float32))
    with pytest.raises(UnanswerableError):
        partial_reconstruction.run(study)


def test_pca_stands_beside_with_as_many_components_as_the_units_hold_numbers() -> None:
    """Channels of 4 sites: 4, 8 and 12 components of scikit-learn's PCA."""
    spatial = painting(site_codes(200, (3, 2, 2)), 2, bend=0.3, settings=FEW)
    result = partial_reconstruction.run(spatial)
    assert result.pca_components == (0, 4, 8, 12)
    pixels = spatial.fit.images.astype(np.float64)
    rows = spatial.test.images[spatial.rows.statistics].astype(np.float64)
    total = np.square(rows - pixels.mean(axis=0)).sum()
    for count, r2 in zip(result.pca_components[1:], result.pca_r2[1:], strict=True):
        fitted = PCA(count, svd_solver="full").fit(pixels)
        rebuilt = fitted.inverse_transform(fitted.transform(rows))
        missed = np.square(rows - rebuilt).sum()
        assert r2.value == pytest.approx(1 - missed / total, abs=1e-6)
        shown = spatial.test.images[spatial.rows.pictures].astype(np.float64)
        np.testing.assert_allclose(
            result.pca_pictures[:, result.pca_components.index(count)],
            fitted.inverse_transform(fitted.transform(shown)),
            atol=1e-5,
        )


def test_pca_s_steps_end_with_its_components() -> None:
    study = decoders.carrying(decoders.smooth(6), decoders.gaussian_codes(8, 6))
    result = partial_reconstruction.run(study)
    assert result.pca_components == tuple(range(study.pca_components + 1))
    assert len(result.pca_r2) == len(result.pca_components)
