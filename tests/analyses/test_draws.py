"""M20: what a unit moves, against closed forms; a unit that follows a measure and paints none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from reportgen.analyses import UnanswerableError, draws
from reportgen.analyses.draws import Draws
from reportgen.analyses.shared.unit_shifts import unit_shifts
from reportgen.settings import Settings
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders

PIXELS = decoders.PIXELS


def confounded(rows: int = 1000) -> Study:
    """z₁ goes with z₀ (r .9); z₀ paints brightness, z₁ a texture whose mean is 0; z₂ another."""
    return decoders.study_of(decoders.confounding(), decoders.confounded_codes(rows), noise=0.01)


@pytest.fixture(scope="module")
def confound() -> tuple[Study, Draws]:
    study = confounded()
    return study, draws.run(study)


def test_a_unit_that_goes_with_brightness_and_paints_a_texture_of_mean_zero_does_nothing_to_it(
    confound,
) -> None:
    study, result = confound
    brightness = study.test.images.mean(axis=1)
    assert spearmanr(study.test.codes[:, 1], brightness).statistic == pytest.approx(0.9, abs=0.03)
    does = result.units[1].does["brightness"]
    np.testing.assert_allclose([does.low, does.value, does.high], 0, atol=1e-5)


def test_a_unit_that_paints_brightness_moves_it_by_its_closed_form(confound) -> None:
    """Brightness is .5 + .6 z₀/√P and noise: .6 s₀ / (√P sd)."""
    study, result = confound
    deviation = study.test.images.mean(axis=1, dtype=np.float64).std()
    slope = 0.6 / np.sqrt(PIXELS) * study.fit.codes[:, 0].std() / deviation
    does = result.units[0].does["brightness"]
    np.testing.assert_allclose([does.low, does.value, does.high], slope, rtol=1e-4)
    assert slope == pytest.approx(1, abs=0.1)


def test_numbers_are_those_of_images_decoded_one_by_one(confound) -> None:
    """Brightness and contrast of both images of every row, by NumPy."""
    study, result = confound
    shifts = study.shared(unit_shifts)
    decode = decoders.confounding()
    for unit in result.units:
        code = torch.from_numpy(study.test.codes[shifts.rows])
        images = []
        for sign in (1, -1):
            moved = code.clone()
            moved[:, unit.unit] += sign * unit.step
            images.append(decode(moved).numpy().astype(np.float64))
        for name, measure in (("brightness", np.mean), ("contrast", np.std)):
            deviation = measure(study.test.images.astype(np.float64), axis=1).std()
            apart = np.mean(measure(images[0], axis=1) - measure(images[1], axis=1))
            scale = study.fit.codes[:, unit.unit].std() / (2 * unit.step) / deviation
            assert unit.does[name].value == pytest.approx(apart * scale, rel=1e-3, abs=1e-5)


def test_images_in_which_a_measure_is_undefined_are_left_out(confound, monkeypatch) -> None:
    study, _ = confound
    shifts = study.shared(unit_shifts)
    measured = shifts.factors["contrast"].copy()
    measured[::2] = np.nan
    changed = replace(shifts, factors=shifts.factors | {"contrast": measured})
    monkeypatch.setattr(draws, "unit_shifts", lambda study: changed)
    deviation = study.test.images.std(axis=1, dtype=np.float64).std()
    moved = (measured[1::2, 0] - measured[1::2, 1]).mean(axis=0)
    expected = moved * study.deviations[shifts.units] / (2 * shifts.steps) / deviation
    found = [unit.does["contrast"].value for unit in draws.run(study).units]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_step_is_the_sd_given_the_other_units(confound) -> None:
    """1 − .81 of the variance of z₁ is its own."""
    _, result = confound
    steps = [unit.step for unit in result.units]
    np.testing.assert_allclose(steps, [np.sqrt(0.19), np.sqrt(0.19), 1], rtol=0.1)


def test_a_unit_that_another_fixes_still_moves_by_a_hundredth_of_its_sd() -> None:
    codes = decoders.gaussian_codes(400, 3)
    codes[:, 2] = codes[:, 1]
    study = decoders.carrying(decoders.linear(3), codes, settings=FEW)
    steps = [unit.step for unit in draws.run(study).units]
    assert steps[1] == pytest.approx(0.01 * study.deviations[1], rel=1e-6)
    assert steps[0] == pytest.approx(study.conditional_deviations[0], rel=1e-6)


def test_an_interval_is_over_images_and_covers_what_all_of_them_give() -> None:
    """z₀ z₁: what z₀ does depends on the image."""
    picture = torch.ones(PIXELS) / PIXELS

    def decode(z: torch.Tensor) -> torch.Tensor:
        return 0.5 + (z[:, :1] * (2 + z[:, 1:2])) * picture

    codes = decoders.gaussian_codes(2000, 2)
    result = draws.run(decoders.study_of(decode, codes, noise=0.001))
    does = result.units[0].does["brightness"]
    assert does.low < does.value < does.high
    brightness = codes[:, 0] * (2 + codes[:, 1])
    assert does.low < 2 / brightness.std() < does.high


@pytest.mark.slow
def test_rows_are_as_many_as_four_thousand_over_the_units_between_16_and_64() -> None:
    for units, rows in ((3, 64), (100, 40), (400, 16)):
        study = decoders.of_pixels(
            np.random.default_rng(0).random((200, 400)),
            shape=(1, 20, 20),
            encode=lambda x, k=units: x.reshape(len(x), -1)[:, :k],
            decode=lambda z: torch.nn.functional.pad(z, (0, 400 - z.shape[1])).reshape(
                -1, 1, 20, 20
            ),
            code_shape=(units,),
            settings=Settings(effort="quick") if units == 400 else Settings(),
        )
        expected = 4 if units == 400 else rows
        assert len(study.rows.shifts) == expected
    before = sum(study.engine.forwards.values())
    study.shared(unit_shifts)
    assert sum(study.engine.forwards.values()) - before >= 2 * len(study.live_units) * 4


def test_2_r_k_images_are_decoded(confound) -> None:
    study = confounded(200)
    study.off_data  # noqa: B018
    before = sum(study.engine.forwards.values())
    study.shared(unit_shifts)
    assert sum(study.engine.forwards.values()) - before == 2 * 64 * 3


def test_only_live_units_are_asked_about() -> None:
    decode = decoders.linear(2)
    codes = decoders.gaussian_codes(200, 4)
    codes[:, 3] = 1
    study = decoders.carrying(lambda z: decode(z[:, :2]), codes, settings=FEW)
    assert [unit.unit for unit in draws.run(study).units] == [0, 1]


def test_a_code_without_effect_draws_nothing_and_says_so() -> None:
    study = decoders.carrying(
        lambda z: 0 * z @ decoders.directions(3) + 0.5, decoders.gaussian_codes(200, 3)
    )
    with pytest.raises(UnanswerableError, match="no unit of the code has an effect"):
        draws.run(study)


def test_a_measure_that_does_not_vary_is_not_asked_about(confound) -> None:
    study, result = confound
    assert {"brightness", "contrast", "centre x"} <= set(result.factors)
    assert "hue" not in result.factors
    assert result.rows == 64
    codes = np.concatenate([study.shared(unit_shifts).codes.row(place) for place in range(64)])
    flagged = study.off_data.flags(codes, study.engine).mean()
    assert result.off_data_share.low <= flagged <= result.off_data_share.high
    # All images have the same brightness: the texture's mean is 0.
    flat = decoders.study_of(
        lambda z: 0.5 + 0.1 * z @ (torch.eye(PIXELS)[:2] - torch.eye(PIXELS)[2:4]),
        decoders.gaussian_codes(300, 2).round(1),
    )
    assert "brightness" not in draws.run(flat).factors


def test_measures_that_go_round_take_the_short_way() -> None:
    apart = draws._difference(np.array([1.0, 179.0, 90.0]), np.array([179.0, 1.0, 60.0]), 180.0)
    np.testing.assert_allclose(apart, [2, -2, 30])
    np.testing.assert_allclose(draws._difference(np.array([350.0]), np.array([20.0]), None), [330])


def test_a_channel_moves_at_all_its_sites() -> None:
    module = torch.nn.ConvTranspose2d(2, 1, 2, stride=2, bias=False).requires_grad_(False)
    pixels = np.random.default_rng(0).random((200, 64))
    study = decoders.of_pixels(
        pixels,
        shape=(1, 8, 8),
        encode=lambda x: x.reshape(-1, 64)[:, :32].reshape(-1, 2, 4, 4),
        decode=module,
        code_shape=(2, 4, 4),
    )
    shifts = study.shared(unit_shifts)
    values = study.units.values(shifts.codes.row(0)) - study.units.values(
        study.test.codes[shifts.rows[:1]]
    )
    expected = np.concatenate([np.diag(shifts.steps), -np.diag(shifts.steps)])
    np.testing.assert_allclose(values, expected, atol=1e-6)
    # Brightness is linear in the channel: Σ of its kernel over the pixels, times the step.
    slope = float(module.weight[0].sum()) * 16 / 64
    brightness = pixels[np.isin(pixels[:, 0].astype(np.float32), study.test.images[:, 0])]
    deviation = brightness.mean(axis=1).std()
    does = draws.run(study).units[0].does["brightness"].value
    assert does == pytest.approx(slope * study.deviations[0] / deviation, rel=1e-3)
