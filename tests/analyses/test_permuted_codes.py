"""M9 on independent units: known Sobol sums, and SALib's first-order indices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from SALib.analyze import sobol
from SALib.sample import sobol as sobol_sample

from reportgen.analyses import UnanswerableError, permuted_codes
from tests.conftest import FEW
from tests.oracles import decoders


def of(decode, codes: np.ndarray) -> permuted_codes.PermutedCodes:
    return permuted_codes.run(decoders.carrying(decode, codes, settings=FEW), FEW)


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
    codes = (decoders.gaussian_codes(20_000, 2) @ mixing).astype(np.float32)
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
        with study.decoder.charged_to("permuted"):
            permuted_codes.run(study, FEW)
        assert study.decoder.forwards["permuted"] <= 4096


def test_a_decoder_that_ignores_its_code_has_no_shares() -> None:
    with pytest.raises(UnanswerableError):
        of(lambda z: 0 * z @ decoders.directions(3) + 0.5, decoders.gaussian_codes(200, 3))
