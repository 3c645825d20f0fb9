"""M3, mean baseline and solo: captum's FeatureAblation, closed forms, invariance."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from captum.attr import FeatureAblation

from reportgen.analyses import UnanswerableError, ablation
from reportgen.study.single_moves import single_moves
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders


def by_captum(function, inputs: np.ndarray, baselines: np.ndarray) -> np.ndarray:
    """(n, K, P) f(input) − f(input with unit k at the baseline), one pixel at a time."""
    pixels = []
    for pixel in range(decoders.PIXELS):
        explain = FeatureAblation(lambda z, p=pixel: function(z)[:, p])
        given = torch.from_numpy(inputs).double()
        moved = explain.attribute(given, baselines=torch.from_numpy(baselines).double())
        pixels.append(moved.detach().numpy())
    return np.stack(pixels, axis=-1)


def doubled(units: int = 4):
    decode = decoders.smooth(units)
    return lambda z: decode(z.float())


@pytest.fixture(scope="module")
def captum_effects(smooth_study: Study) -> dict[str, np.ndarray]:
    study = smooth_study
    codes = study.test.codes[study.rows.statistics]
    baselines = np.broadcast_to(study.baseline, codes.shape).copy()
    x_hat = doubled()(torch.from_numpy(codes)).double().numpy()
    spread = np.square(x_hat - x_hat.mean(axis=0)).sum()
    last = by_captum(doubled(), codes, baselines)
    solo = -by_captum(doubled(), baselines, codes)
    originals = study.test.images[study.rows.statistics].astype(np.float64)
    ablated = x_hat[:, None] - last
    worse = np.square(originals[:, None] - ablated).sum(axis=-1)
    return {
        "effect": np.square(last).sum(axis=(0, 2)) / spread,
        "solo": np.square(solo).sum(axis=(0, 2)) / spread,
        "damage": (worse - np.square(originals - x_hat).sum(axis=-1)[:, None]).mean(axis=0),
    }


@pytest.mark.parametrize("field", ["effect", "solo", "damage"])
def test_effects_are_captum_s_feature_ablation(smooth_study, captum_effects, field) -> None:
    effects = ablation.run(smooth_study).effects
    found = np.array([getattr(effect, field).value for effect in effects])
    np.testing.assert_allclose(found, captum_effects[field], rtol=1e-5)


def test_scalarised_ablations_are_captum_s(smooth_study) -> None:
    result = ablation.run(smooth_study)
    weights = np.random.default_rng(0).normal(size=decoders.PIXELS)
    codes = torch.from_numpy(smooth_study.test.codes[smooth_study.rows.walks])
    explain = FeatureAblation(lambda z: doubled()(z).double() @ torch.from_numpy(weights))
    expected = explain.attribute(codes, baselines=torch.from_numpy(smooth_study.baseline)[None])
    found = (result.reconstructions[:, None].astype(np.float64) - result.ablated) @ weights
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5 * np.abs(found).max())


def test_effects_of_a_linear_decoder_are_closed_forms(linear_study) -> None:
    """W has orthogonal rows of length 1 … 4: D_k = (z_k − m_k) W_k, alone and in company."""
    study = linear_study
    codes = study.test.codes[study.rows.statistics].astype(np.float64)
    lengths = np.arange(1, 5)
    moved = np.square((codes - study.baseline) * lengths).sum(axis=0)
    spread = np.square((codes - codes.mean(axis=0)) * lengths).sum()
    for k, effect in enumerate(ablation.run(study).effects):
        assert effect.effect.value == pytest.approx(moved[k] / spread, rel=1e-5)
        assert effect.solo.value == pytest.approx(moved[k] / spread, rel=1e-5)
        assert effect.damage.value == pytest.approx(moved[k] / len(codes), rel=1e-5)


def test_the_baseline_is_the_mean_of_the_fit_rows_and_not_of_the_shown_rows() -> None:
    codes = decoders.gaussian_codes(60, 2)
    study = decoders.carrying(decoders.linear(2), codes, fit_codes=codes + 5, settings=FEW)
    moves = single_moves(study)
    rows = study.test.codes[moves.rows].astype(np.float64)
    fit_mean = study.fit.codes.astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(moves.last, np.square((rows - fit_mean) * [1, 2]), rtol=1e-4)


def test_damage_is_signed() -> None:
    """A unit that only adds an error to the image: taking it away helps."""
    pictures = decoders.directions(2)
    study = decoders.of_pixels(
        np.random.default_rng(0).normal(size=(60, 1)) @ pictures[:1].numpy(),
        encode=lambda x: torch.stack(
            [x.reshape(len(x), -1) @ pictures[0], x.reshape(len(x), -1) @ pictures[0]], dim=1
        ),
        decode=lambda z: (z @ pictures).reshape(len(z), 1, 4, 5),
        code_shape=(2,),
    )
    helps, harms = ablation.run(study).effects
    assert helps.damage.value > 0 > harms.damage.value


@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_mean_ablation_does_not_depend_on_a_unit_s_scale_and_origin(smooth_study, shift) -> None:
    scale = torch.tensor([2.0, -0.5, 3.0, 1.0])
    origin = torch.tensor([shift, -shift, 0.0, 2 * shift])
    decode = decoders.smooth(4)
    codes = decoders.gaussian_codes(300, 4)
    moved = (torch.from_numpy(codes) * scale + origin).numpy()
    plain = decoders.carrying(decode, codes, settings=FEW)
    other = decoders.carrying(lambda z: decode((z - origin) / scale), moved, settings=FEW)
    for before, after in zip(ablation.run(plain).effects, ablation.run(other).effects, strict=True):
        assert after.effect.value == pytest.approx(before.effect.value, rel=1e-5)
        assert after.solo.value == pytest.approx(before.solo.value, rel=1e-5)


def test_duplicates_hide_from_last_in_and_not_from_solo() -> None:
    """Two copies of one unit behind a maximum: either alone can be taken out unnoticed."""
    picture = decoders.directions(1)[0]
    codes = np.repeat(decoders.symmetric_codes(60, 1), 2, axis=1)
    study = decoders.carrying(
        lambda z: z[:, :2].amax(dim=1, keepdim=True) * picture, np.abs(codes), fit_codes=codes
    )
    for effect in ablation.run(study).effects:
        assert effect.effect.value < 1e-10
        assert effect.solo.value > 0.5


@pytest.mark.parametrize(
    "decode", [decoders.mixed(), decoders.smooth(5)], ids=["no squash", "a last squash"]
)
def test_single_moves_cost_two_forwards_a_unit_and_row_and_their_ends(decode) -> None:
    study = decoders.study_of(decode, decoders.gaussian_codes(200, 5), settings=FEW)
    ablation.run(study)
    assert study.engine.forwards["single moves"] == 2 * 5 * 40 + 40 + 1


def test_a_constant_output_has_undefined_effects() -> None:
    study = decoders.carrying(
        lambda z: 0 * z @ decoders.directions(3) + 0.5, decoders.gaussian_codes(60, 3)
    )
    for effect in ablation.run(study).effects:
        assert np.isnan([effect.effect.value, effect.solo.value]).all()


def test_codes_that_do_not_vary_cannot_be_ablated() -> None:
    study = decoders.carrying(decoders.linear(2), np.ones((60, 2), np.float32))
    with pytest.raises(UnanswerableError):
        ablation.run(study)


def test_intervals_of_effects_hold_their_values(smooth_study) -> None:
    for effect in ablation.run(smooth_study).effects:
        for estimate in (effect.effect, effect.solo, effect.damage):
            assert estimate.low <= estimate.value <= estimate.high
    assert ablation.run(smooth_study).rows == 40


def test_moved_alone_is_captum_s_with_code_and_baseline_exchanged(smooth_study) -> None:
    study = smooth_study
    result = ablation.run(study)
    codes = study.test.codes[study.rows.walks]
    baselines = np.broadcast_to(study.baseline, codes.shape).copy()
    expected = -by_captum(doubled(), baselines, codes)
    assert result.alone == pytest.approx(expected, abs=1e-5)
    decoded = doubled()(torch.from_numpy(baselines[:1])).numpy()[0]
    assert result.baseline_image == pytest.approx(decoded, abs=1e-6)


def test_the_shares_off_data_are_those_of_codes_made_by_hand(smooth_study) -> None:
    study, result = smooth_study, ablation.run(smooth_study)
    rows = study.test.codes[study.rows.statistics]
    units = rows.shape[1]
    last = np.repeat(rows[:, None], units, axis=1)
    solo = np.broadcast_to(study.baseline, last.shape).copy()
    for unit in range(units):
        last[:, unit, unit], solo[:, unit, unit] = study.baseline[unit], rows[:, unit]
    assert result.off_data_last == study.off_data_share(last.reshape(-1, units))
    assert result.off_data_solo == study.off_data_share(solo.reshape(-1, units))


def test_a_few_rows_that_hold_most_effects_are_told() -> None:
    calm = decoders.gaussian_codes(200, 2)
    heavy = calm.copy()
    heavy[::20] *= np.linspace(20, 60, 10, dtype=np.float32)[:, None]
    for codes, told in ((heavy, ("effects",)), (calm, ())):
        settings = dataclasses.replace(FEW, rows=100)
        study = decoders.carrying(decoders.linear(2), codes, settings=settings)
        assert ablation.run(study).heavy_tailed == told
