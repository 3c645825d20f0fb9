"""Off-data flags against scipy's Mahalanobis distance and scikit-learn's Ledoit–Wolf."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.covariance import EmpiricalCovariance, ledoit_wolf

from reportgen.autoencoder import Autoencoder, Units
from reportgen.engine import CodePanel, Engine
from reportgen.settings import Settings
from reportgen.study.off_data import CYCLE_FLOOR, calibrate
from tests.oracles import decoders


def linear_decoder(units: int, noise: float = 0.0) -> Engine:
    """Orthonormal pictures, encoded by projection: g's left inverse up to rounding."""
    pictures = decoders.directions(units)
    return Engine(
        Autoencoder(
            encode=lambda images: images.reshape(len(images), -1) @ pictures.T + noise,
            decode=lambda z: (z @ pictures).reshape(len(z), 1, decoders.HEIGHT, decoders.WIDTH),
            input_shape=(1, decoders.HEIGHT, decoders.WIDTH),
            code_shape=(units,),
        )
    )


def copied(units: int) -> Engine:
    """The code is the image."""
    shape = (1, 1, units)
    return Engine(
        Autoencoder(
            encode=lambda images: images.reshape(len(images), -1),
            decode=lambda z: z.reshape(len(z), *shape),
            input_shape=shape,
            code_shape=(units,),
        )
    )


def correlated_codes(rows: int, units: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    mixing = np.random.default_rng(1).normal(size=(units, units))
    return (3 + generator.normal(size=(rows, units)) @ mixing).astype(np.float32)


def calibrated(codes: np.ndarray, engine: Engine | None = None):
    units = codes.shape[1]
    return calibrate(Units.of((units,)), codes, np.arange(units), engine or linear_decoder(units))


@pytest.mark.parametrize(("known", "decoded"), [(600, 0), (500, 0), (499, 600)])
def test_codes_whose_images_are_known_are_not_decoded_again(known: int, decoded: int) -> None:
    """Unless they are too few for a 99 % quantile: fewer than 500, and not all."""
    codes, engine = correlated_codes(600, 3), linear_decoder(3)
    images = linear_decoder(3).decode(codes)[:known]
    flag = calibrate(Units.of((3,)), codes, np.arange(3), engine, (codes[:known], images))
    assert engine.forwards.total() == decoded
    assert flag.largest_cycle_error == calibrated(codes).largest_cycle_error


def test_the_cycle_error_is_that_of_the_images_that_are_known() -> None:
    """Images of other codes are as far off as those codes are, in sd."""
    codes, engine = correlated_codes(500, 1), linear_decoder(1)
    images = engine.decode(codes + codes.std())
    flag = calibrate(Units.of((1,)), codes, np.arange(1), engine, (codes, images))
    assert flag.largest_cycle_error == pytest.approx(1, rel=1e-4)


def test_distances_are_squared_mahalanobis_with_ddof_0() -> None:
    codes = correlated_codes(300, 4)
    flag = calibrated(codes)
    fitted = EmpiricalCovariance().fit(codes.astype(np.float64))
    others = correlated_codes(50, 4, seed=5)
    np.testing.assert_allclose(flag.distances(others), fitted.mahalanobis(others), rtol=1e-6)
    by_scipy = cdist(
        others, fitted.location_[None], "mahalanobis", VI=np.linalg.inv(fitted.covariance_)
    )
    np.testing.assert_allclose(flag.distances(others), by_scipy[:, 0] ** 2, rtol=1e-6)
    assert not flag.shrunk


@pytest.mark.parametrize(("rows", "shrunk"), [(39, True), (40, False)])
def test_the_covariance_is_shrunk_below_ten_rows_for_each_unit(rows: int, shrunk: bool) -> None:
    assert calibrated(correlated_codes(rows, 4)).shrunk is shrunk


def test_few_rows_shrink_as_ledoit_and_wolf_do_on_standardised_units() -> None:
    codes = correlated_codes(30, 4) * np.array([1, 1e3, 1e-3, 1], np.float32)
    flag = calibrated(codes)
    values = codes.astype(np.float64)
    scale = values.std(axis=0)
    covariance, _ = ledoit_wolf((values - values.mean(axis=0)) / scale)
    centred = (values - values.mean(axis=0)) / scale
    expected = np.einsum("nj,jk,nk->n", centred, np.linalg.inv(covariance), centred)
    np.testing.assert_allclose(flag.distances(codes), expected, rtol=1e-6)


def test_the_threshold_is_the_99_percent_quantile_of_codes_left_out_one_by_one() -> None:
    codes = correlated_codes(300, 3)
    distances = []
    for row in range(len(codes)):
        others = np.delete(codes, row, axis=0).astype(np.float64)
        inverse = np.linalg.inv(np.cov(others, rowvar=False, ddof=0))
        away = codes[row] - others.mean(axis=0)
        distances.append(away @ inverse @ away)
    assert calibrated(codes).largest_distance == pytest.approx(np.quantile(distances, 0.99), 1e-6)


@pytest.mark.parametrize("rows", [639, 640])
def test_few_codes_for_many_units_flag_no_more_new_codes_than_many(rows: int) -> None:
    flag = calibrated(decoders.gaussian_codes(rows, 64), copied(64))
    flagged = flag.far_share(decoders.gaussian_codes(4000, 64, seed=21))
    assert flagged < 0.025


def test_about_one_percent_of_held_out_real_codes_is_flagged() -> None:
    flag = calibrated(correlated_codes(2000, 3))
    flagged = flag.flags(correlated_codes(2000, 3, seed=9), linear_decoder(3)).mean()
    assert 0.003 < flagged < 0.025


def test_codes_far_out_are_flagged() -> None:
    codes = correlated_codes(500, 3)
    far = codes.mean(axis=0) + 20 * (codes[:50] - codes.mean(axis=0))
    flag = calibrated(codes)
    assert flag.flags(far, linear_decoder(3)).mean() > 0.95
    assert flag.far_share(far) > 0.95


def test_the_cycle_flag_does_not_fire_on_rounding_error() -> None:
    codes = decoders.gaussian_codes(500, 3)
    engine = linear_decoder(3)
    flag = calibrated(codes, engine)
    assert flag.largest_cycle_error == CYCLE_FLOOR
    far = 100 * codes
    errors = flag.cycle_errors(far, engine)
    assert errors.max() > 1e-7
    assert (errors < CYCLE_FLOOR).all()


def test_the_cycle_error_is_the_root_mean_square_of_changes_in_sd() -> None:
    codes = decoders.gaussian_codes(500, 3) * np.array([1, 2, 4], np.float32)
    engine = linear_decoder(3, noise=0.5)
    flag = calibrated(codes, engine)
    in_sd = 0.5 / codes.std(axis=0, dtype=np.float64)
    expected = np.sqrt((in_sd**2).mean())
    np.testing.assert_allclose(flag.cycle_errors(codes[:9], engine), expected, rtol=1e-4)


def test_a_hole_in_the_cloud_is_seen_by_the_cycle_flag_alone() -> None:
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, 600)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    study = decoders.study_of(decoders.linear(2), ring)
    centre = study.baseline[None]
    flag = study.off_data
    assert flag.far_share(centre) == 0
    assert flag.flags(centre, study.engine).all()
    assert study.off_data_share(centre).value == 1


def test_dead_units_are_not_looked_at() -> None:
    codes = decoders.gaussian_codes(300, 3)
    codes[:, 1] = 7
    study = decoders.carrying(decoders.linear(3), codes)
    moved = study.test.codes.copy()
    moved[:, 1] = 1e6
    flag = study.off_data
    np.testing.assert_allclose(flag.distances(moved), flag.distances(study.test.codes))


def test_without_a_live_unit_nothing_is_off_data() -> None:
    study = decoders.carrying(decoders.linear(2), np.ones((60, 2), np.float32))
    assert study.off_data_share(study.test.codes * 100).value == 0


def test_units_that_copy_each_other_are_off_data_where_they_differ() -> None:
    codes = decoders.gaussian_codes(600, 3)
    codes[:, 2] = 2 * codes[:, 0] + 1
    study = decoders.carrying(decoders.linear(3), codes)
    broken = study.test.codes.copy()
    broken[:, 2] = np.roll(broken[:, 2], 1)
    assert study.off_data.far_share(study.test.codes) < 0.05
    assert study.off_data.far_share(broken) > 0.9


def test_a_panel_s_share_is_the_mean_of_its_flags_on_a_seeded_sample() -> None:
    codes = decoders.gaussian_codes(800, 2)
    study = decoders.study_of(decoders.linear(2), codes, settings=Settings(off_data_sample=256))
    near, far = study.test.codes[:300], 50 * study.test.codes[:300]
    both = np.concatenate([near, far])
    share = study.off_data_share(both)
    assert share == study.off_data_share(both)
    assert share.value == pytest.approx(0.5, abs=0.1)
    assert share.low < 0.5 < share.high
    made_when_asked = CodePanel(6, 100, lambda row, which: both[100 * row : 100 * row + 100][which])
    assert study.off_data_share(made_when_asked) == share
    few = np.concatenate([near[:3], far[:1]])
    of_all = study.off_data_share(few)
    assert of_all.value == np.mean(study.off_data.flags(few, study.engine))
    assert np.isnan([of_all.low, of_all.high]).all()


def test_a_code_whose_image_is_not_a_number_is_off_data() -> None:
    codes = decoders.gaussian_codes(300, 2)
    codes = codes[np.abs(codes[:, 0] - 1) > 0.1]
    pictures = decoders.directions(2)

    def decode(z: torch.Tensor) -> torch.Tensor:
        broken = ((z[:, :1] - 1).abs() < 0.1).expand(-1, decoders.PIXELS)
        return torch.where(broken, torch.nan, z @ pictures).reshape(len(z), 1, 4, 5)

    engine = Engine(
        Autoencoder(
            encode=lambda images: images.reshape(len(images), -1) @ pictures.T,
            decode=decode,
            input_shape=(1, 4, 5),
            code_shape=(2,),
        )
    )
    flag = calibrated(codes, engine)
    assert flag.flags(np.array([[1.0, 0.0]], np.float32), engine).all()


@pytest.mark.parametrize("units", [60, 200])
def test_new_codes_are_rarely_flagged_where_codes_are_fewer_than_ten_for_each_unit(
    units: int,
) -> None:
    """Calibrated on 150 codes of 60 or 200 units; their own covariance would flag most new ones."""
    generator = np.random.default_rng(3)
    mixing = generator.normal(size=(units, units)) / np.sqrt(units)
    codes, new = (generator.normal(size=(150, units)) @ mixing for _ in range(2))
    study = decoders.of_pixels(
        codes.astype(np.float32),
        shape=(1, 1, units),
        encode=lambda x: x.reshape(len(x), -1),
        decode=lambda z: z.reshape(len(z), 1, 1, units),
        code_shape=(units,),
        fit_pixels=codes.astype(np.float32),
    )
    assert study.off_data.shrunk
    assert study.off_data.far_share(new.astype(np.float32)) < 0.06
    naive = np.quantile(study.off_data.distances(codes), 0.99)
    assert np.mean(study.off_data.distances(new) > naive) > 0.3
    assert study.off_data.far_share(3 * new.astype(np.float32)) > 0.9


def test_the_cycle_error_of_a_channel_sees_each_of_its_sites() -> None:
    """Sites that change about an unchanged mean: √((1 + 1)/2) = 1 sd of two sites each."""
    codes = decoders.gaussian_codes(400, 2).reshape(-1, 1, 1, 2)
    study = decoders.of_pixels(
        codes.reshape(400, -1),
        shape=(1, 1, 2),
        encode=lambda x: x.reshape(-1, 1, 1, 2),
        decode=lambda z: z.mean(dim=3, keepdim=True).expand(-1, 1, 1, 2),
        code_shape=(1, 1, 2),
    )
    apart = study.fit.codes.std(axis=0, dtype=np.float64)
    moved = np.array([[1.0, -1.0]], np.float32)
    expected = np.sqrt(np.mean(np.square(moved / apart)))
    found = study.off_data.cycle_errors(moved, study.engine)
    assert found[0] == pytest.approx(expected, rel=1e-5)
