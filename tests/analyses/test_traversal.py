"""M5: walks; ranges against scikit-learn's regression, frames against direct decoding."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from reportgen.analyses import UnanswerableError, traversal
from reportgen.engine import Engine
from reportgen.settings import Settings
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders


def correlated_study(**knobs) -> Study:
    mixing = np.array([[1, 0.9, 0], [0, 0.4, 0], [0, 0, 1]])
    codes = (decoders.gaussian_codes(400, 3) @ mixing).astype(np.float32)
    return decoders.study_of(decoders.smooth(3), codes, settings=Settings(rows=20, **knobs))


@pytest.fixture(scope="module")
def study() -> Study:
    return correlated_study()


@pytest.fixture(scope="module")
def result(study: Study) -> traversal.Traversal:
    return traversal.run(study)


def residual_deviations(codes: np.ndarray) -> np.ndarray:
    """sd of each unit around scikit-learn's regression on the others, ddof 0."""
    codes = codes.astype(np.float64)
    deviations = []
    for k in range(codes.shape[1]):
        others = np.delete(codes, k, axis=1)
        fitted = LinearRegression().fit(others, codes[:, k])
        deviations.append((codes[:, k] - fitted.predict(others)).std())
    return np.array(deviations)


def test_conditional_deviations_are_residuals_of_the_regression_on_the_others(
    study, result
) -> None:
    expected = residual_deviations(study.fit.codes)
    units = list(result.units)
    np.testing.assert_allclose(result.conditional_deviations, expected[units], rtol=1e-6)
    spread = study.fit.codes.std(axis=0, dtype=np.float64)
    np.testing.assert_allclose(result.deviation_ratios, (expected / spread)[units], rtol=1e-6)
    assert result.deviation_ratios[units.index(1)] < 0.5 < result.deviation_ratios[units.index(2)]


def test_a_unit_that_others_determine_has_no_range_of_its_own() -> None:
    codes = decoders.gaussian_codes(400, 3)
    codes[:, 2] = 2 * codes[:, 0] + 1
    study = decoders.carrying(decoders.linear(3), codes, settings=FEW)
    result = traversal.run(study)
    ratios = dict(zip(result.units, result.deviation_ratios, strict=True))
    assert residual_deviations(study.fit.codes)[[0, 2]].max() < 1e-5
    assert ratios[0] < 0.01 and ratios[2] < 0.01 and ratios[1] > 0.9


def test_units_on_a_simplex_have_no_range_of_their_own() -> None:
    """Codes that sum to 1, as a softmax's: each unit is fixed by the others."""
    counts = np.random.default_rng(0).multinomial(1024, [0.4, 0.3, 0.2, 0.1], size=600)
    study = decoders.carrying(decoders.linear(4), counts / np.float32(1024), settings=FEW)
    assert traversal.run(study).deviation_ratios.max() < 0.01


def test_the_supported_range_is_two_conditional_deviations_within_the_quantiles(
    study, result
) -> None:
    quantiles = np.quantile(study.fit.codes.astype(np.float64), [0.01, 0.99], axis=0)
    for place, unit in enumerate(result.units):
        reach = 2 * residual_deviations(study.fit.codes)[unit]
        for row in range(len(result.rows)):
            own = result.own_values[row, place]
            values = result.supported.values[row, place]
            low, high = quantiles[:, unit]
            assert values[0] == pytest.approx(min(max(own - reach, low), own), abs=1e-5)
            assert values[-1] == pytest.approx(max(min(own + reach, high), own), abs=1e-5)
            assert values[0] <= own <= values[-1]


def test_the_full_range_is_the_quantiles_or_the_row_s_own_value(study, result) -> None:
    quantiles = np.quantile(study.fit.codes.astype(np.float64), [0.01, 0.99], axis=0)
    for place, unit in enumerate(result.units):
        own = result.own_values[:, place]
        ends = result.full.values[:, place, [0, -1]]
        np.testing.assert_allclose(ends[:, 0], np.minimum(own, quantiles[0, unit]), atol=1e-6)
        np.testing.assert_allclose(ends[:, 1], np.maximum(own, quantiles[1, unit]), atol=1e-6)


def test_a_row_outside_the_quantiles_keeps_its_own_value_as_the_end() -> None:
    codes = decoders.gaussian_codes(300, 2)
    codes[5] = (9, -9)
    study = decoders.carrying(
        decoders.linear(2), codes[:30], fit_codes=codes, settings=Settings(walk_rows=8)
    )
    study.rows.walks[0] = 5
    result = traversal.run(study)
    for place, unit in enumerate(result.units):
        end = -1 if unit == 0 else 0
        for walks in (result.supported, result.full):
            assert walks.values[0, place, end] == pytest.approx(codes[5, unit])
            assert np.isnan(walks.end_cosine[0, place])


def test_only_the_walked_unit_moves(study, result) -> None:
    decode = decoders.smooth(3)
    for row in range(len(study.rows.walks)):
        code = study.test.codes[study.rows.walks[row]]
        for place, unit in enumerate(result.units):
            codes = np.repeat(code[None], len(result.full.values[row, place]), axis=0)
            codes[:, unit] = result.full.values[row, place]
            expected = decode(torch.from_numpy(codes)).numpy()
            np.testing.assert_allclose(result.full.frames[row, place], expected, atol=1e-5)


def test_a_walk_starts_from_the_row_that_is_shown(study, result) -> None:
    rows = study.rows.walks
    assert result.rows == tuple(study.test.names[row] for row in rows)
    np.testing.assert_array_equal(result.originals, study.test.images[rows])
    np.testing.assert_allclose(
        result.own_values, study.test.codes[rows][:, list(result.units)], rtol=1e-6
    )


def test_there_are_eleven_frames_of_at_most_sixteen_units_from_four_rows(result) -> None:
    assert result.supported.frames.shape == (4, 3, 11, decoders.PIXELS)
    pixels = np.random.default_rng(0).normal(size=(60, decoders.PIXELS))
    study = decoders.of_pixels(
        pixels,
        encode=lambda x: x.reshape(len(x), -1)[:, :18],
        decode=lambda z: torch.cat([z, z[:, :2]], dim=1).reshape(-1, 1, 4, 5),
        code_shape=(18,),
        settings=Settings(rows=20),
    )
    many = traversal.run(study)
    assert many.full.frames.shape == (4, 16, 11, decoders.PIXELS)


def test_frames_cost_one_decode_and_one_encode_each() -> None:
    shared = correlated_study()
    traversal.run(shared)  # shares, ranges
    study = dataclasses.replace(shared, engine=Engine(shared.autoencoder))
    _ = study.off_data
    before = sum(study.engine.forwards.values()), sum(study.engine.encodes.values())
    result = traversal.run(study)
    frames = result.supported.values.size + result.full.values.size
    after = sum(study.engine.forwards.values()), sum(study.engine.encodes.values())
    assert after[1] - before[1] == frames
    assert after[0] - before[0] <= frames


def test_flags_are_those_of_the_frames_codes(study, result) -> None:
    row, place = 1, 0
    codes = np.repeat(study.test.codes[study.rows.walks[row]][None], 11, axis=0)
    codes[:, result.units[place]] = result.full.values[row, place]
    expected = study.off_data.flags(codes, study.engine)
    assert result.full.flagged[row, place].tolist() == expected.tolist()
    assert result.full.flagged_share.value == result.full.flagged.mean()


def test_the_data_supported_range_stays_nearer_the_data_than_the_full_one() -> None:
    pictures = decoders.directions(3)
    codes = decoders.gaussian_codes(600, 3) @ np.array([[1, 1, 0], [0, 0.2, 0], [0, 0, 1]])
    study = decoders.of_pixels(
        codes @ pictures.numpy(),
        encode=lambda x: x.reshape(len(x), -1) @ pictures.T,
        decode=lambda z: (z @ pictures).reshape(len(z), 1, 4, 5),
        code_shape=(3,),
        settings=FEW,
    )
    result = traversal.run(study)
    assert result.full.flagged_share.value > 0.2
    assert result.supported.flagged_share.value < 0.05


def test_the_end_cosine_of_a_linear_decoder_is_one(linear_study) -> None:
    result = traversal.run(linear_study)
    for walks in (result.supported, result.full):
        defined = walks.end_cosine[np.isfinite(walks.end_cosine)]
        assert len(defined) > 4
        np.testing.assert_allclose(defined, 1, atol=1e-5)


def test_the_end_cosine_of_a_v_shaped_unit_is_minus_one() -> None:
    """|z|: both ends add the same picture, so the two halves of the walk are opposite."""
    picture = decoders.directions(1)[0]
    codes = decoders.gaussian_codes(300, 1)
    study = decoders.carrying(lambda z: z.abs() * picture, codes[1:] * 0.01, fit_codes=codes)
    result = traversal.run(study)
    assert np.nanmax(result.full.end_cosine) < -0.999


def test_a_walk_of_a_rectified_unit_stops_at_its_atom() -> None:
    codes = np.maximum(decoders.gaussian_codes(400, 3), 0)
    study = decoders.carrying(decoders.linear(3), codes, settings=FEW)
    result = traversal.run(study)
    assert result.supported.values.min() >= 0
    assert result.full.values.min() >= 0


def test_the_rows_that_walks_start_from_are_not_changed(study) -> None:
    before = study.test.codes.copy(), study.baseline.copy()
    traversal.run(study)
    assert np.array_equal(study.test.codes, before[0])
    assert np.array_equal(study.baseline, before[1])


def test_without_a_unit_that_varies_there_is_no_walk() -> None:
    study = decoders.carrying(decoders.linear(2), np.ones((60, 2), np.float32))
    with pytest.raises(UnanswerableError):
        traversal.run(study)
