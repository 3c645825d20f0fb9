"""M6: does a unit only change the intensity of one picture? numpy's SVD and closed forms."""

from __future__ import annotations

from copy import copy

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from reportgen.analyses import UnanswerableError, additivity, one_picture
from reportgen.analyses.shared.leading_shares import leading_shares, pooled_rho
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders


@pytest.fixture(scope="module")
def stacks(smooth_study: Study) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Solo and last-in moves (r, P) of every unit, decoded one by one in double precision."""
    decode = decoders.smooth(4)

    def image(code: np.ndarray) -> np.ndarray:
        return decode(torch.from_numpy(code[None]))[0].double().numpy()

    codes = smooth_study.test.codes[smooth_study.rows.statistics]
    start = smooth_study.baseline
    solo, context = [], []
    for k in range(4):
        alone, without = [], []
        for code in codes:
            up, down = start.copy(), code.copy()
            up[k], down[k] = code[k], start[k]
            alone.append(image(up) - image(start))
            without.append(image(code) - image(down))
        solo.append(np.stack(alone))
        context.append(np.stack(without))
    return solo, context


def first_share(stack: np.ndarray) -> float:
    squares = np.linalg.svd(stack, compute_uv=False) ** 2
    return float(squares[0] / squares.sum())


def test_rho_is_the_first_singular_value_s_share(smooth_study, stacks) -> None:
    result = one_picture.run(smooth_study)
    for k, unit in enumerate(result.units):
        assert unit.rho_solo.value == pytest.approx(first_share(stacks[0][k]), rel=1e-5)
        assert unit.rho_context.value == pytest.approx(first_share(stacks[1][k]), rel=1e-5)


def test_pooled_rho_is_a_ratio_of_sums_over_units(smooth_study, stacks) -> None:
    result = one_picture.run(smooth_study)
    for pooled, group in ((result.pooled_solo, stacks[0]), (result.pooled_context, stacks[1])):
        squares = [np.linalg.svd(stack, compute_uv=False) ** 2 for stack in group]
        expected = sum(s[0] for s in squares) / sum(s.sum() for s in squares)
        assert pooled.value == pytest.approx(expected, rel=1e-5)
        assert pooled.low <= pooled.value <= pooled.high


def test_a_stack_pooled_with_itself_or_with_one_of_no_effect_keeps_its_interval(
    smooth_study,
) -> None:
    stack = smooth_study.shared(leading_shares).context[0]
    alone = pooled_rho([stack], 0.01)
    assert alone.low < alone.value < alone.high
    nothing = copy(stack)
    nothing.has_effect, nothing.first, nothing.total = False, 0.0, 0.0
    nothing.firsts, nothing.totals = np.zeros((2, len(stack.firsts)))
    for stacks in ([stack, stack], [stack, nothing], [nothing, stack]):
        pooled = pooled_rho(stacks, 0.01)
        found, expected = ((e.value, e.low, e.high) for e in (pooled, alone))
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_an_interval_of_rho_ends_at_one(linear_study) -> None:
    """Every unit of a linear decoder is one picture, however other mean codes would move it."""
    for stack in linear_study.shared(leading_shares).solo:
        assert pooled_rho([stack], 0.5).high == 1


def test_intensity_is_regressed_through_the_origin(smooth_study, stacks) -> None:
    codes = smooth_study.test.codes[smooth_study.rows.statistics].astype(np.float64)
    for k, unit in enumerate(one_picture.run(smooth_study).units):
        left, values, _ = np.linalg.svd(stacks[0][k], full_matrices=False)
        intensity = left[:, 0] * values[0]
        displacement = codes[:, k : k + 1] - smooth_study.baseline[k]
        line = LinearRegression(fit_intercept=False).fit(displacement, intensity)
        missed = intensity - line.predict(displacement)
        expected = 1 - (missed @ missed) / (intensity @ intensity)
        assert unit.intensity_r2 == pytest.approx(expected, rel=1e-4)


def test_a_linear_unit_is_one_picture_in_proportion(linear_study) -> None:
    for unit in one_picture.run(linear_study).units:
        assert unit.rho_solo.value == pytest.approx(1, abs=1e-9)
        assert unit.rho_context.value == pytest.approx(1, abs=1e-9)
        assert unit.intensity_r2 == pytest.approx(1, abs=1e-9)


def test_one_picture_at_a_curved_intensity_has_rho_one_and_r2_below_one() -> None:
    study = decoders.carrying(
        decoders.intensity_curve(3), decoders.gaussian_codes(120, 3), settings=FEW
    )
    for unit in one_picture.run(study).units:
        assert unit.rho_solo.value == pytest.approx(1, abs=1e-9)
        assert unit.rho_context.value == pytest.approx(1, abs=1e-9)
        assert 0.5 < unit.intensity_r2 < 0.98


def test_a_bent_curve_has_rho_below_one_although_effects_add_up(additive_study) -> None:
    """Claims 1 and 2 are independent."""
    for unit in one_picture.run(additive_study).units:
        assert unit.rho_solo.value < 0.95
        assert unit.rho_context.value == pytest.approx(unit.rho_solo.value, rel=1e-5)
    summed = additivity.run(additive_study)
    assert summed.up.gap.value < 1e-5
    assert summed.down.gap.value < 1e-5


def test_the_bent_curve_s_rho_is_its_closed_form(additive_study) -> None:
    """Moves are (tanh z − tanh m, z² − m²) on two orthonormal pictures: a 2 × 2 eigenproblem."""
    codes = additive_study.test.codes[additive_study.rows.statistics].astype(np.float64)
    start = additive_study.baseline.astype(np.float64)
    for k, unit in enumerate(one_picture.run(additive_study).units):
        a = np.tanh(codes[:, k]) - np.tanh(start[k])
        b = codes[:, k] ** 2 - start[k] ** 2
        trace, determinant = a @ a + b @ b, (a @ a) * (b @ b) - (a @ b) ** 2
        largest = trace / 2 + np.sqrt(trace**2 / 4 - determinant)
        assert unit.rho_solo.value == pytest.approx(largest / trace, rel=1e-5)


def test_company_changes_the_picture_of_a_product() -> None:
    """z_0 (u_0 + z_1 u_1): alone always u_0, in company different in every image."""
    first, second = decoders.directions(2)
    study = decoders.carrying(
        lambda z: z[:, :1] * first + z[:, :1] * z[:, 1:2] * second,
        decoders.gaussian_codes(120, 2),
        fit_codes=decoders.symmetric_codes(80, 2),
        settings=FEW,
    )
    unit = one_picture.run(study).units[0]
    assert unit.rho_solo.value == pytest.approx(1, abs=1e-6)
    assert unit.rho_context.value < 0.8


def test_a_unit_without_effect_has_no_rho() -> None:
    decode = decoders.linear(2)
    study = decoders.carrying(
        lambda z: decode(z[:, :2]), decoders.gaussian_codes(100, 3), settings=FEW
    )
    dead = one_picture.run(study).units[2]
    assert np.isnan([dead.rho_solo.value, dead.rho_context.value, dead.intensity_r2]).all()


def test_shown_moves_are_of_the_baseline_with_one_unit_at_its_quantiles(smooth_study) -> None:
    result = one_picture.run(smooth_study)
    decode = decoders.smooth(4)
    start = torch.from_numpy(smooth_study.baseline)
    for place, unit in enumerate(result.shown_units):
        values = np.quantile(
            smooth_study.fit.codes[:, unit].astype(np.float64), [0.02, 0.16, 0.84, 0.98]
        )
        np.testing.assert_allclose(result.shown_values[place], values, rtol=1e-6)
        codes = start.repeat(4, 1)
        codes[:, unit] = torch.from_numpy(values).float()
        expected = (decode(codes) - decode(start[None])).numpy()
        np.testing.assert_allclose(result.shown_moves[place], expected, atol=1e-5)


def test_only_shown_moves_are_decoded_beyond_the_single_moves() -> None:
    study = decoders.carrying(decoders.smooth(4), decoders.gaussian_codes(80, 4), settings=FEW)
    with study.engine.charged_to("one picture"):
        result = one_picture.run(study)
    assert study.engine.forwards["one picture"] == result.shown_values.size + 1  # the baseline


def test_codes_that_do_not_vary_have_no_picture() -> None:
    study = decoders.carrying(decoders.linear(2), np.ones((60, 2), np.float32))
    with pytest.raises(UnanswerableError):
        one_picture.run(study)
