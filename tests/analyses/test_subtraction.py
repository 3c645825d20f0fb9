"""M17: is "zero a unit, reconstruct, subtract" its contribution from there? Closed forms."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from reportgen.analyses import UnanswerableError, subtraction
from reportgen.images import open_images
from reportgen.loading import load_autoencoder
from reportgen.settings import Settings
from reportgen.study.assemble import make_study
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders

LENGTHS = np.arange(1, 5)


def with_mean(decode, shift: float, units: int = 4) -> Study:
    """The mean code of the fit images is exactly `shift` times (1, 0, −1, 2)."""
    codes = decoders.symmetric_codes(80, units)
    origin = shift * np.array([1, 0, -1, 2], np.float32)[:units]
    return decoders.carrying(decode, codes[:40] + origin, fit_codes=codes + origin, settings=FEW)


def used_rows(study: Study) -> np.ndarray:
    """The picture rows, and the first 8 table rows that are none of them."""
    others = [row for row in study.rows.table if row not in study.rows.pictures]
    return np.array([*study.rows.pictures, *others[:8]])


@pytest.mark.parametrize("shift", [0.0, 0.5, 4.0])
def test_zeroing_an_affine_decoder_is_exact_wherever_its_codes_lie(shift: float) -> None:
    """The second edition said "No, 388 %" of these."""
    result = subtraction.run(with_mean(decoders.linear(4, offset=0.3), shift))
    assert result.miss_zero.value < 1e-4
    assert result.miss_mean.value < 1e-4


def test_both_baselines_are_exact_for_an_additive_decoder() -> None:
    result = subtraction.run(with_mean(decoders.additive(4), 1.0))
    assert result.miss_zero.value < 1e-4
    assert result.miss_mean.value < 1e-4


@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_the_miss_of_a_product_is_its_closed_form(shift: float) -> None:
    """From (p, q) an ablation takes (a − p) b of z₀z₁, and its contribution is (a − p)(b + q)/2."""
    study = with_mean(decoders.product(), shift, units=2)
    result = subtraction.run(study)
    rows = used_rows(study)
    a, b = study.test.codes[rows].astype(np.float64).T
    for miss, (p, q) in ((result.miss_zero, (0, 0)), (result.miss_mean, study.baseline)):
        taken = np.stack([(a - p) * b, (b - q) * a])
        given = np.stack([(a - p) * (b + q), (b - q) * (a + p)]) / 2
        expected = np.sqrt(np.square(taken - given).sum() / np.square(given).sum())
        assert miss.value == pytest.approx(expected, rel=1e-4)
    assert result.rows == len(rows) == 16


def test_a_product_from_zero_is_counted_twice() -> None:
    result = subtraction.run(with_mean(decoders.product(), 0.0, units=2))
    assert result.miss_zero.value == pytest.approx(1, abs=1e-5)


def test_a_shift_that_the_decoder_takes_back_changes_nothing() -> None:
    """z → z + s, with a decoder that subtracts s: the mean moves along, zero does not."""
    inner = decoders.smooth(4)
    shift = torch.tensor([2.0, -1, 0.5, 3])
    codes = decoders.gaussian_codes(80, 4)
    here = decoders.carrying(inner, codes, settings=FEW)
    there = decoders.carrying(lambda z: inner(z - shift), codes + shift.numpy(), settings=FEW)
    there = dataclasses.replace(there, rows=here.rows)
    misses = [subtraction.run(study) for study in (here, there)]
    assert misses[1].miss_mean.value == pytest.approx(misses[0].miss_mean.value, rel=1e-4)
    assert misses[1].miss_zero.value != pytest.approx(misses[0].miss_zero.value, rel=0.05)


FUNCTION = """
import numpy as np
from sklearn.decomposition import {name}

model = {name}({arguments}).fit(np.load({data!r}).reshape(200, -1).astype("float64"))

def load():
    encode = lambda x: model.transform(x.reshape(len(x), -1).astype("float64")).astype("float32")
    def decode(z):
        images = {decode}
        return images.reshape(-1, 1, 4, 5).astype("float32")
    return encode, decode
"""
INVERSE = "model.inverse_transform(z.astype('float64'))"


@pytest.mark.parametrize(
    ("name", "arguments", "decode"),
    [
        ("PCA", "4", INVERSE),
        ("NMF", "4, init='nndsvda', max_iter=2000, random_state=0", INVERSE),
        (
            "DictionaryLearning",
            "4, transform_algorithm='lasso_lars', max_iter=50, random_state=0",
            "z.astype('float64') @ model.components_",
        ),
    ],
)
def test_scikit_learn_s_linear_models_are_valid_through_a_function(
    name: str, arguments: str, decode: str, tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    parts = generator.random((4, decoders.PIXELS)) ** 3
    pixels = generator.gamma(2, size=(200, 4)) @ parts / 8
    np.save(tmp_path / "data.npy", pixels.reshape(-1, 1, 4, 5).astype(np.float32).clip(0, 1))
    source = FUNCTION.format(
        name=name, arguments=arguments, data=str(tmp_path / "data.npy"), decode=decode
    )
    (tmp_path / "model.py").write_text(source)
    images = open_images(tmp_path / "data.npy")
    model = load_autoencoder(f"{tmp_path}/model.py:load", images=images)
    result = subtraction.run(make_study(model, images, FEW))
    assert result.miss_zero.high < Settings().small_gap
    assert result.miss_mean.high < Settings().small_gap


@pytest.fixture(scope="module")
def smooth(smooth_study: Study) -> subtraction.Subtraction:
    return subtraction.run(smooth_study)


def at_steps(study: Study, steps: int) -> tuple[float, float]:
    settings = dataclasses.replace(study.settings, miss_path_steps=steps, most_path_steps=steps)
    result = subtraction.run(dataclasses.replace(study, settings=settings))
    assert result.steps == steps
    return result.miss_zero.value, result.miss_mean.value


def test_steps_double_from_four_until_neither_miss_moves_by_two_percent(smooth_study, smooth):
    steps = 4
    moves = []
    while steps < smooth.steps:
        coarse, fine = (np.array(at_steps(smooth_study, m)) for m in (steps, 2 * steps))
        moves.append((np.abs(fine - coarse) / fine).max())
        steps *= 2
    assert steps == smooth.steps
    assert moves[-1] < 0.02 and all(move >= 0.02 for move in moves[:-1])
    assert (smooth.miss_zero.value, smooth.miss_mean.value) == at_steps(smooth_study, steps)


def test_steps_double_until_the_later_of_both_misses_stays() -> None:
    """Around the mean code the decoder is linear; on the way from zero it is not at all."""
    first, second = decoders.directions(2)
    study = decoders.carrying(
        lambda z: (
            z[:, :1] * torch.where(z[:, 1:2] > 3, 1, torch.cos(9 * z[:, 1:2] - 27)) * first
            + z[:, 1:2] * second
        ),
        decoders.uniform_codes(60, 2) + np.array([5, 5], np.float32),
        settings=dataclasses.replace(FEW, settled_miss=0.0),
    )
    result = subtraction.run(study)
    assert result.miss_mean.value < 1e-4
    assert result.steps == 32


def test_steps_end_at_thirty_two() -> None:
    """z₀ sin(40 z₁): four steps across many waves say nothing."""
    first, second = decoders.directions(2)
    study = decoders.carrying(
        lambda z: z[:, :1] * torch.sin(40 * z[:, 1:2]) * first + z[:, :1] * second,
        decoders.gaussian_codes(60, 2),
        settings=dataclasses.replace(FEW, settled_miss=0.0),
    )
    assert subtraction.run(study).steps == 32


def test_the_miss_with_its_steps_is_that_of_many_more(smooth_study, smooth) -> None:
    fine = at_steps(smooth_study, 128)
    assert smooth.miss_zero.value == pytest.approx(fine[0], rel=0.02)
    assert smooth.miss_mean.value == pytest.approx(fine[1], rel=0.02)


def test_rows_are_the_picture_rows_and_eight_others_each_once(smooth_study, smooth) -> None:
    assert smooth.rows == len(used_rows(smooth_study)) == 16


def test_picture_rows_alone_are_enough() -> None:
    study = decoders.carrying(decoders.smooth(2), decoders.gaussian_codes(9, 2), settings=FEW)
    assert subtraction.run(study).rows == 9


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_where_zero_measures_from_is_told_in_sd_of_the_reconstructions(shift: float) -> None:
    """‖m W‖ over the root of the variance of z W, for a linear decoder."""
    study = with_mean(decoders.linear(4), shift)
    result = subtraction.run(study)
    weights = decoders.directions(4).double().numpy() * LENGTHS[:, None]
    np.testing.assert_allclose(result.zero_image, 0.3, atol=1e-6)
    images = study.test.codes.astype(np.float64) @ weights
    spread = np.square(images - images.mean(axis=0)).sum(axis=1).mean()
    expected = np.linalg.norm(study.baseline @ weights) / np.sqrt(spread)
    assert result.zero_distance.value == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert 0 <= result.zero_distance.low <= result.zero_distance.value < result.zero_distance.high


@pytest.mark.parametrize(("shift", "far"), [(0, False), (50, True)])
def test_the_zero_code_and_zeroed_codes_are_told_off_data_where_codes_are_far_from_zero(
    shift: float, far: bool
) -> None:
    pictures = decoders.directions(2)
    codes = decoders.gaussian_codes(600, 2) + np.array([shift, shift], np.float32)
    study = decoders.of_pixels(
        codes @ pictures.numpy(),
        encode=lambda x: x.reshape(len(x), -1) @ pictures.T,
        decode=lambda z: (z @ pictures).reshape(len(z), 1, 4, 5),
        code_shape=(2,),
        settings=FEW,
    )
    result = subtraction.run(study)
    assert result.zero_off_data is far
    assert result.off_data_zero.value == pytest.approx(float(far), abs=0.1)
    assert result.off_data_mean.value < 0.1
    assert np.isnan(result.off_data_zero.low), "32 codes are all looked at"


def test_pictures_are_of_the_unit_with_the_largest_share(linear_study) -> None:
    result = subtraction.run(linear_study)
    rows = linear_study.rows.pictures
    assert result.unit == 3
    codes = linear_study.test.codes[rows][:, 3].astype(np.float64)
    picture = 4 * decoders.directions(4)[3].double().numpy()
    start = float(linear_study.baseline[3])
    for found in (result.zeroed, result.from_zero):
        np.testing.assert_allclose(found, np.outer(codes, picture), atol=1e-5)
    for found in (result.averaged, result.from_mean):
        np.testing.assert_allclose(found, np.outer(codes - start, picture), atol=1e-5)


def test_constant_units_are_not_set_to_zero() -> None:
    """Unit 3 is always 5: the zero code has it too, and so g(0) shows it."""
    codes = decoders.gaussian_codes(80, 4)
    codes[:, 3] = 5
    result = subtraction.run(decoders.carrying(decoders.linear(4, offset=0), codes, settings=FEW))
    shown = 5 * 4 * decoders.directions(4)[3].numpy()
    np.testing.assert_allclose(result.zero_image, shown, atol=1e-5)
    assert result.miss_zero.value < 1e-4


@pytest.mark.parametrize("slope", [0.0, 3e-8])
def test_a_decoder_that_ignores_its_code_up_to_rounding_misses_nothing(slope: float) -> None:
    study = decoders.carrying(
        lambda z: 0.5 + slope * z @ decoders.directions(3), decoders.gaussian_codes(60, 3)
    )
    with pytest.raises(UnanswerableError):
        subtraction.run(study)
