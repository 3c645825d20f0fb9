"""M9 on independent units: known Sobol sums, and SALib's first-order indices."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from SALib.analyze import sobol
from SALib.sample import sobol as sobol_sample

from reportgen.analyses import UnanswerableError, permuted_codes
from tests.conftest import FEW
from tests.oracles import decoders


def of(decode, codes: np.ndarray) -> permuted_codes.PermutedCodes:
    return permuted_codes.run(decoders.carrying(decode, codes, settings=FEW))


def additive_share(result: permuted_codes.PermutedCodes) -> float:
    return result.linear.value + result.curved.value


def test_a_third_of_a_mixed_decoder_is_not_additive() -> None:
    result = of(decoders.mixed(), decoders.gaussian_codes(4000, 4))
    assert additive_share(result) == pytest.approx(2 / 3, abs=0.03)
    assert result.not_additive.value == pytest.approx(1 / 3, abs=0.03)


@pytest.mark.parametrize("r", [0.0, 0.5, 0.9])
def test_a_product_is_not_additive_however_correlated_the_real_units_are(r: float) -> None:
    mixing = np.array([[1, r], [0, np.sqrt(1 - r**2)]])
    codes = (decoders.gaussian_codes(4000, 2) @ mixing).astype(np.float32)
    result = of(decoders.product(), codes)
    assert additive_share(result) == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("r", [0.0, 0.6])
def test_the_variance_ratio_of_a_product_is_its_closed_form(r: float) -> None:
    """Var z₀z₁ is 1 for independent normal units and 1 + r² for correlated ones."""
    mixing = np.array([[1, r], [0, np.sqrt(1 - r**2)]])
    codes = (decoders.gaussian_codes(8_000, 2) @ mixing).astype(np.float32)
    found = of(decoders.product(), codes).variance_ratio
    assert found == pytest.approx(1 / (1 + r**2), abs=0.12)


def test_additive_decoders_are_additive() -> None:
    assert additive_share(of(decoders.additive(3), decoders.gaussian_codes(2000, 3))) >= 0.99
    assert of(decoders.linear(3), decoders.gaussian_codes(400, 3)).linear.value == pytest.approx(
        1, abs=1e-6
    )


def test_the_additive_share_is_the_sum_of_salib_s_first_order_indices() -> None:
    """Uniform units, so that SALib can draw them; its S1 is Saltelli's, within Monte Carlo."""
    decode = decoders.smooth(3)
    uniform = np.random.default_rng(0).uniform(-2, 2, size=(8000, 3)).astype(np.float32)
    result = of(decode, uniform)
    problem = {"num_vars": 3, "names": list("abc"), "bounds": [[-2, 2]] * 3}
    sample = sobol_sample.sample(problem, 4096, calc_second_order=False, seed=0)
    images = decode(torch.from_numpy(sample.astype(np.float32))).double().numpy()
    variances = images.var(axis=0)
    first = [
        sobol.analyze(problem, pixel, calc_second_order=False, seed=0)["S1"].sum()
        for pixel in images.T
    ]
    expected = float(np.dot(first, variances) / variances.sum())
    assert additive_share(result) == pytest.approx(expected, abs=0.03)


def test_permuted_codes_of_correlated_units_are_off_data() -> None:
    codes = decoders.gaussian_codes(2000, 2)
    independent = of(decoders.linear(2), codes).far_share
    codes[:, 1] = codes[:, 0] + 0.05 * codes[:, 1]
    assert independent < 0.03
    assert of(decoders.linear(2), codes).far_share > 0.8


def test_it_costs_4096_forwards_whatever_k() -> None:
    for units in (2, 6):
        study = decoders.carrying(
            decoders.smooth(units), decoders.gaussian_codes(500, units), settings=FEW
        )
        with study.engine.charged_to("permuted"):
            permuted_codes.run(study)
        assert study.engine.forwards["permuted"] <= 4096


def test_a_decoder_that_ignores_its_code_has_no_shares() -> None:
    with pytest.raises(UnanswerableError):
        of(lambda z: 0 * z @ decoders.directions(3) + 0.5, decoders.gaussian_codes(200, 3))


def test_codes_are_not_regressed_on_themselves() -> None:
    """Of what has nothing to do with the code, 18 units would fit 18 in 4,096 of themselves."""
    pictures = decoders.directions(1)
    result = of(
        lambda z: torch.sin(1e4 * z.double()).sum(dim=1, keepdim=True).float() * pictures,
        decoders.gaussian_codes(600, 18).clip(-3, 3),
    )
    assert result.linear.value < 0.0015
    assert result.not_additive.value > 0.99


def test_a_third_each_of_linear_curved_and_product_is_told() -> None:
    result = of(decoders.in_thirds(), decoders.uniform_codes(4000, 4))
    for share in (result.linear, result.curved, result.not_additive):
        assert share.value == pytest.approx(1 / 3, abs=0.03)


UNIFORM = np.random.default_rng(16).uniform(-np.pi, np.pi, size=(8000, 3)).astype(np.float32)


def test_ishigami_s_additive_part_is_salib_s_sum_of_first_order_indices() -> None:
    """sin z₀ + 7 sin² z₁ + .1 z₂⁴ sin z₀, uniform on ±π: S = .3139, .4424, 0."""
    from SALib.test_functions import Ishigami

    values = Ishigami.evaluate(UNIFORM[:2].astype(float), A=7, B=0.1)
    found = decoders.ishigami()(torch.from_numpy(UNIFORM[:2])).norm(dim=1).numpy()
    np.testing.assert_allclose(found, np.abs(values), rtol=1e-5)
    result = of(decoders.ishigami(), UNIFORM)
    assert additive_share(result) == pytest.approx(0.3139 + 0.4424, abs=0.03)


def test_sobol_s_g_s_additive_part_is_salib_s_analytic_sum() -> None:
    from SALib.test_functions import Sobol_G

    importances = np.array([0.0, 1.0, 4.5])
    uniform = (UNIFORM / (2 * np.pi) + 0.5).clip(0, 1)
    expected = Sobol_G.sensitivity_index(importances).sum()
    result = of(decoders.sobol_g(importances), uniform)
    assert additive_share(result) == pytest.approx(expected, abs=0.03)


def test_players_of_several_coordinates_are_regressed_on_each_of_them() -> None:
    """A group's mean would miss most of what a linear decoder does with it."""
    study = decoders.carrying(decoders.linear(4), decoders.gaussian_codes(400, 4), settings=FEW)
    grouped = dataclasses.replace(study, units=study.units.together({"pair": (0, 3)}), _shared={})
    assert len(grouped.players) == 3
    assert permuted_codes.run(grouped).linear.value == pytest.approx(1, abs=1e-6)


@pytest.mark.slow
def test_102_coordinates_are_answered_and_103_are_not() -> None:
    for units, answered in ((102, True), (103, False)):
        pixels = np.random.default_rng(0).normal(size=(240, 120))
        study = decoders.of_pixels(
            pixels,
            shape=(1, 10, 12),
            encode=lambda x, k=units: x.reshape(len(x), -1)[:, :k],
            decode=lambda z: torch.nn.functional.pad(z, (0, 120 - z.shape[1])).reshape(
                -1, 1, 10, 12
            ),
            code_shape=(units,),
            settings=FEW,
        )
        if answered:
            assert permuted_codes.run(study).linear.value == pytest.approx(1, abs=1e-6)
        else:
            with pytest.raises(UnanswerableError, match="103 coordinates"):
                permuted_codes.run(study)


def test_one_unit_is_answered_and_permuting_it_alone_changes_no_variance() -> None:
    study = decoders.carrying(decoders.additive(1), decoders.uniform_codes(200, 1), settings=FEW)
    result = permuted_codes.run(study)
    assert result.variance_ratio == pytest.approx(1, abs=0.25)
    assert result.linear.value + result.curved.value == pytest.approx(1, abs=0.02)
