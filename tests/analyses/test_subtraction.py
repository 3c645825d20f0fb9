"""M17: is "zero a unit, reconstruct, subtract" its contribution? Closed forms."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from reportgen.analyses import UnanswerableError, subtraction
from reportgen.analyses.shared.path_contributions import picture_paths
from reportgen.statistics.sketch import SKETCH_SIZE
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders

LENGTHS = np.arange(1, 5)


def linear_with_mean(shift: float) -> Study:
    codes = decoders.symmetric_codes(80, 4)
    origin = np.array([shift, 0, -shift, 2 * shift], np.float32)
    return decoders.carrying(
        decoders.linear(4), codes[:40] + origin, fit_codes=codes + origin, settings=FEW
    )


def used_rows(study: Study) -> np.ndarray:
    return np.union1d(study.rows.pictures, study.rows.table)


def test_zeroing_a_linear_decoder_whose_mean_code_is_zero_is_exact() -> None:
    study = linear_with_mean(0.0)
    assert not study.baseline.any()
    result = subtraction.run(study)
    assert result.miss_zero.value < 1e-5
    assert result.miss_mean.value < 1e-5


@pytest.mark.parametrize("shift", [0.5, 3.0])
def test_zeroing_a_shifted_linear_code_misses_by_the_mean(shift: float) -> None:
    """D = z_k W_k but φ = (z_k − m_k) W_k: the miss is √(n Σ m_k²‖W_k‖² / Σ (z_k − m_k)²‖W_k‖²)."""
    study = linear_with_mean(shift)
    result = subtraction.run(study)
    rows = used_rows(study)
    moved = (study.test.codes[rows].astype(np.float64) - study.baseline) * LENGTHS
    missed = len(rows) * np.square(study.baseline * LENGTHS.astype(np.float64)).sum()
    assert result.miss_zero.value == pytest.approx(
        np.sqrt(missed / np.square(moved).sum()), rel=1e-5
    )
    assert result.miss_mean.value < 1e-5
    assert result.rows == len(rows)


def test_both_baselines_are_exact_for_an_additive_decoder_at_its_own_baseline() -> None:
    study = decoders.carrying(
        decoders.additive(3),
        decoders.gaussian_codes(40, 3),
        fit_codes=decoders.symmetric_codes(80, 3),
        settings=FEW,
    )
    result = subtraction.run(study)
    assert result.miss_mean.value < 1e-5
    assert result.miss_zero.value < 1e-5


def test_a_product_is_counted_twice_by_subtraction() -> None:
    """From 0 each ablation takes all of z₀z₁, and each contribution is half: the miss is 1."""
    study = decoders.carrying(
        decoders.product(),
        decoders.gaussian_codes(40, 2),
        fit_codes=decoders.symmetric_codes(80, 2),
        settings=FEW,
    )
    result = subtraction.run(study)
    assert result.miss_zero.value == pytest.approx(1, abs=1e-5)
    assert result.miss_mean.value == pytest.approx(1, abs=1e-5)


def test_rows_are_the_picture_rows_and_the_table_rows_each_once(smooth_study) -> None:
    assert subtraction.run(smooth_study).rows == len(used_rows(smooth_study))


def test_the_share_of_zeroed_codes_off_data_is_printed() -> None:
    """A code far from 0: every zeroed code is off data, no averaged one is far."""
    pictures = decoders.directions(2)
    codes = decoders.gaussian_codes(600, 2) + np.array([50, 50], np.float32)
    study = decoders.of_pixels(
        codes @ pictures.numpy(),
        encode=lambda x: x.reshape(len(x), -1) @ pictures.T,
        decode=lambda z: (z @ pictures).reshape(len(z), 1, 4, 5),
        code_shape=(2,),
        settings=FEW,
    )
    result = subtraction.run(study)
    assert result.off_data_zero == 1
    assert result.off_data_mean < 0.05


def test_pictures_are_of_the_unit_with_the_largest_share(linear_study) -> None:
    result = subtraction.run(linear_study)
    rows = linear_study.rows.pictures
    assert result.unit == 3
    codes = linear_study.test.codes[rows][:, 3].astype(np.float64)
    picture = 4 * decoders.directions(4)[3].double().numpy()
    start = float(linear_study.baseline[3])
    np.testing.assert_allclose(result.zeroed, np.outer(codes, picture), atol=1e-5)
    np.testing.assert_allclose(result.averaged, np.outer(codes - start, picture), atol=1e-5)
    np.testing.assert_allclose(result.contribution, np.outer(codes - start, picture), atol=1e-5)


def test_the_miss_grows_with_curvature(smooth_study) -> None:
    result = subtraction.run(smooth_study)
    for miss in (result.miss_zero, result.miss_mean):
        assert 0.05 < miss.low <= miss.value <= miss.high


def test_picture_rows_alone_are_enough() -> None:
    study = decoders.carrying(decoders.smooth(2), decoders.gaussian_codes(9, 2), settings=FEW)
    assert subtraction.run(study).rows == 9


@pytest.mark.parametrize("slope", [0.0, 3e-8])
def test_a_decoder_that_ignores_its_code_up_to_rounding_misses_nothing(slope: float) -> None:
    study = decoders.carrying(
        lambda z: 0.5 + slope * z @ decoders.directions(3), decoders.gaussian_codes(60, 3)
    )
    with pytest.raises(UnanswerableError):
        subtraction.run(study)


def test_more_steps_change_the_miss_only_a_little(smooth_study) -> None:
    settings = dataclasses.replace(FEW, path_steps=64, pooled_path_steps=64)
    fine = dataclasses.replace(smooth_study, settings=settings, _shared={})
    coarse = subtraction.run(smooth_study).miss_mean.value
    assert subtraction.run(fine).miss_mean.value == pytest.approx(coarse, abs=0.02)


@pytest.mark.parametrize("images", [20, 30], ids=["of all rows", "but for picture rows"])
def test_without_memory_for_contributions_the_miss_is_sketched_and_pictures_are_exact(
    monkeypatch, images: int
) -> None:
    """8 picture rows of 3 units are 24 images, 12 table rows are 36."""
    pixels = 10_000
    matrix = torch.from_numpy(
        np.random.default_rng(0).normal(size=(3, pixels)).astype(np.float32) / 100
    )

    def study() -> Study:
        codes = torch.from_numpy(decoders.gaussian_codes(120, 3) + 1)
        return decoders.of_pixels(
            torch.tanh(codes @ matrix).numpy(),
            shape=(1, 100, 100),
            encode=lambda x: torch.linalg.lstsq(
                matrix.T.double(), torch.atanh(x.reshape(len(x), -1).T.double().clamp(-1, 1))
            ).solution.T.float(),
            decode=lambda z: torch.tanh(z @ matrix).reshape(-1, 1, 100, 100),
            code_shape=(3,),
            settings=FEW,
        )

    exact = subtraction.run(study())
    monkeypatch.setattr("reportgen.settings.Settings.memory_bytes", 8 * 4 * pixels * images)
    tight = study()
    found = subtraction.run(tight)
    assert (exact.sketched, found.sketched) == (False, True)
    of_pictures = tight.shared(picture_paths)
    assert of_pictures.sketched == (images < 24)
    assert of_pictures.contributions.shape[-1] == (SKETCH_SIZE if images < 24 else pixels)
    assert found.miss_zero.value == pytest.approx(exact.miss_zero.value, rel=0.05)
    assert found.miss_zero.value != exact.miss_zero.value
    for name in ("zeroed", "averaged", "contribution"):
        np.testing.assert_allclose(getattr(found, name), getattr(exact, name), atol=1e-5)
