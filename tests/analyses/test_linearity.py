"""M9: linear, curved, not additive; scikit-learn and decoders whose shares are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from reportgen.analyses import UnanswerableError, linearity
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders


def shares(decode, codes: np.ndarray) -> tuple[float, float, float]:
    study = decoders.carrying(decode, codes, settings=FEW)
    result = linearity.run(study)
    return result.linear.value, result.curved.value, result.not_additive.value


def test_the_linear_share_is_scikit_learn_s_variance_weighted_r2(smooth_study) -> None:
    fit, test = smooth_study.fit, smooth_study.test
    fitted = LinearRegression().fit(fit.codes.astype(np.float64), fit.reconstructions)
    predicted = fitted.predict(test.codes.astype(np.float64))
    expected = r2_score(
        test.reconstructions.astype(np.float64), predicted, multioutput="variance_weighted"
    )
    assert linearity.run(smooth_study).linear.value == pytest.approx(expected, abs=1e-7)


def test_a_linear_decoder_is_linear_to_1e_6() -> None:
    linear, curved, not_additive = shares(decoders.linear(4), decoders.gaussian_codes(400, 4))
    assert linear == pytest.approx(1, abs=1e-6)
    assert abs(curved) < 1e-6
    assert abs(not_additive) < 1e-6


def test_an_additive_decoder_of_independent_units_is_additive() -> None:
    linear, curved, not_additive = shares(decoders.additive(4), decoders.gaussian_codes(1600, 4))
    assert linear + curved >= 0.99
    assert curved > 0.1
    assert not_additive <= 0.01


def test_a_product_of_independent_units_is_not_additive() -> None:
    linear, curved, not_additive = shares(decoders.product(), decoders.gaussian_codes(3000, 2))
    assert linear + curved == pytest.approx(0, abs=0.03)
    assert not_additive == pytest.approx(1, abs=0.03)


def test_a_third_of_a_mixed_decoder_is_not_additive() -> None:
    """z₀z₁ u₁ + z₂ u₂ + z₃ u₃ with independent units of variance 1."""
    linear, curved, not_additive = shares(decoders.mixed(), decoders.gaussian_codes(4000, 4))
    assert linear + curved == pytest.approx(2 / 3, abs=0.03)
    assert linear == pytest.approx(2 / 3, abs=0.03)
    assert not_additive == pytest.approx(1 / 3, abs=0.03)


def test_half_curved_half_linear() -> None:
    """z₀ u₁ + (z₁² − 1)/√2 u₂: two pictures of variance 1, uncorrelated with each other."""
    first, second = decoders.directions(2)

    def decode(z: torch.Tensor) -> torch.Tensor:
        return z[:, :1] * first + (z[:, 1:2] ** 2 - 1) / np.sqrt(2) * second

    linear, curved, not_additive = shares(decode, decoders.gaussian_codes(4000, 2))
    assert linear == pytest.approx(0.5, abs=0.03)
    assert curved == pytest.approx(0.5, abs=0.03)
    assert not_additive == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(
    ("name", "truth"),
    [
        ("linear", (1, 0, 0)),
        ("in_thirds", (1 / 3, 1 / 3, 1 / 3)),
        ("fifty_fifty", (1 / 2, 0, 1 / 2)),
        ("product", (0, 0, 1)),
    ],
)
def test_shares_of_decoders_made_by_hand_are_within_three_hundredths_of_the_truth(
    name: str, truth: tuple[float, float, float]
) -> None:
    codes = decoders.uniform_codes(4000, 4)
    found = shares(getattr(decoders, name)(), codes)
    np.testing.assert_allclose(found, truth, atol=0.03)


@pytest.mark.parametrize("seed", range(6))
def test_a_product_has_no_negative_share_and_no_curve_whatever_the_data(seed: int) -> None:
    """With 500 + 500 images one split once gave −.06: nothing is exactly what is found now."""
    codes = decoders.gaussian_codes(1000, 2, seed=seed)
    study = decoders.carrying(decoders.product(), codes, settings=FEW)
    result = linearity.run(study)
    assert result.linear.value < 0.03
    assert result.curved.value == pytest.approx(0, abs=0.005)
    for part in (result.linear, result.curved, result.not_additive, result.products):
        assert 0 <= part.low <= part.value <= part.high <= 1
    assert result.products.value == pytest.approx(result.not_additive.value, abs=1e-3)


def test_where_no_curve_predicts_there_is_no_penalty() -> None:
    studies = {
        name: decoders.carrying(decode, decoders.gaussian_codes(1000, 3), settings=FEW)
        for name, decode in (("product", decoders.product()), ("smooth", decoders.smooth(3)))
    }
    assert linearity.run(studies["product"]).ridge is None
    assert linearity.run(studies["smooth"]).ridge > 0


@pytest.mark.parametrize("r", [0.3, 0.5, 0.8])
def test_correlated_units_let_additive_terms_imitate_a_product(r: float) -> None:
    """For normal units the best additive part of z₀z₁ explains 4r²/(1 + r²)²."""
    mixing = np.array([[1, r], [0, np.sqrt(1 - r**2)]])
    codes = (decoders.gaussian_codes(6000, 2) @ mixing).astype(np.float32)
    linear, curved, _ = shares(decoders.product(), codes)
    assert linear + curved == pytest.approx(4 * r**2 / (1 + r**2) ** 2, abs=0.05)


def test_the_three_shares_sum_to_one(smooth_study) -> None:
    result = linearity.run(smooth_study)
    parts = (result.linear, result.curved, result.not_additive)
    assert sum(part.value for part in parts) == pytest.approx(1, abs=1e-9)
    for part in parts:
        assert part.low <= part.value <= part.high


def test_nothing_is_decoded_but_what_says_which_units_are_live() -> None:
    study = decoders.carrying(decoders.smooth(3), decoders.gaussian_codes(200, 3), settings=FEW)
    assert len(study.live_units) == 3
    before = sum(study.engine.forwards.values())
    linearity.run(study)
    assert sum(study.engine.forwards.values()) == before


@pytest.mark.parametrize(
    ("fit_rows", "answered", "curved"),
    [(14, False, None), (15, True, False), (59, True, False), (60, True, True)],
)
def test_few_rows_give_the_linear_share_only_and_fewer_none(fit_rows, answered, curved) -> None:
    study = decoders.carrying(
        decoders.smooth(3),
        decoders.gaussian_codes(40, 3),
        fit_codes=decoders.gaussian_codes(fit_rows, 3, seed=8),
        settings=FEW,
    )
    if not answered:
        with pytest.raises(UnanswerableError, match="fewer than 5"):
            linearity.run(study)
        return
    result = linearity.run(study)
    assert (result.curved is not None) == curved
    assert (result.not_additive is not None) == curved
    assert (result.ridge is not None) == curved
    assert result.fit_rows == fit_rows


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_rectified_units_whose_knots_coincide_are_still_additive(threshold: float) -> None:
    codes = np.maximum(decoders.gaussian_codes(1600, 3) - threshold, 0)
    linear, curved, not_additive = shares(decoders.additive(3), codes)
    assert linear + curved >= 0.99
    assert 0 <= not_additive <= 0.01


def test_units_of_two_values_are_linear() -> None:
    codes = (decoders.gaussian_codes(200, 3) > 0).astype(np.float32)
    linear, curved, _ = shares(decoders.additive(3), codes)
    assert linear == pytest.approx(1, abs=1e-6)
    assert curved == pytest.approx(0, abs=1e-6)


def test_products_explain_what_is_left_of_a_mixed_decoder() -> None:
    study = decoders.carrying(decoders.mixed(), decoders.gaussian_codes(4000, 4), settings=FEW)
    result = linearity.run(study)
    assert result.products.value == pytest.approx(result.not_additive.value, abs=1e-3)


@pytest.mark.parametrize(("fit_rows", "measured"), [(224, False), (225, True)])
def test_products_need_five_fit_images_for_each_of_them(fit_rows: int, measured: bool) -> None:
    """Ten units have 45."""
    codes = decoders.gaussian_codes(60, 10)
    study = decoders.carrying(
        decoders.smooth(10), codes, fit_codes=decoders.gaussian_codes(fit_rows, 10, 5), settings=FEW
    )
    result = linearity.run(study)
    assert result.curved is not None
    assert (result.products is not None) == measured


def test_values_beyond_the_fit_rows_are_extrapolated_in_a_straight_line() -> None:
    decode = decoders.additive(1)
    inside = np.linspace(-1, 1, 200, dtype=np.float32)[:, None]
    study = decoders.carrying(decode, 3 * inside, fit_codes=inside, settings=FEW)
    result = linearity.run(study)
    assert np.isfinite([result.curved.value, result.not_additive.value]).all()
    assert result.not_additive.value < 0.6  # z² to 9 is met by a tangent, tanh well


def test_shares_do_not_depend_on_a_unit_s_scale_and_origin(smooth_study) -> None:
    decode, codes = decoders.smooth(3), decoders.gaussian_codes(400, 3)
    scale, origin = torch.tensor([100.0, -0.01, 1.0]), torch.tensor([5.0, 0.0, -3.0])
    moved = (torch.from_numpy(codes) * scale + origin).numpy()
    plain = shares(decode, codes)
    other = shares(lambda z: decode((z - origin) / scale), moved)
    np.testing.assert_allclose(plain, other, atol=1e-4)


def test_a_reconstruction_that_does_not_vary_has_no_shares() -> None:
    study = decoders.carrying(
        lambda z: 0 * z @ decoders.directions(3) + 0.5, decoders.gaussian_codes(200, 3)
    )
    with pytest.raises(UnanswerableError, match="same for every test row"):
        linearity.run(study)


def test_a_dead_unit_is_no_regressor() -> None:
    codes = decoders.gaussian_codes(400, 3)
    codes[:, 1] = 7
    study: Study = decoders.carrying(decoders.smooth(3), codes, settings=FEW)
    assert linearity.run(study).regressors == 2


def test_units_that_the_decoder_does_not_read_may_not_curve() -> None:
    """Twenty of them, beside two that are read: their curves would fit nothing but chance."""
    decode, codes = decoders.additive(2), decoders.gaussian_codes(300, 12)
    study = decoders.carrying(lambda z: decode(z[:, :2]), codes, settings=FEW)
    result = linearity.run(study)
    alone = linearity.run(decoders.carrying(decode, codes[:, :2], settings=FEW))
    assert result.regressors == 12
    assert result.curved.value == pytest.approx(alone.curved.value, abs=0.03)
    assert result.curved.value > 0.3


def test_a_group_with_a_constant_unit_is_the_group_without_it() -> None:
    codes = decoders.gaussian_codes(600, 4)
    codes[:, 3] = 0.3
    study = decoders.study_of(decoders.smooth(4), codes)
    grouped = dataclasses.replace(study, units=study.units.together({"both": (0, 3)}), _shared={})
    alone, together = (linearity.run(s) for s in (study, grouped))
    assert together.linear.value == pytest.approx(alone.linear.value, abs=1e-9)
    assert together.curved.value == pytest.approx(alone.curved.value, abs=1e-6)
