"""M7: do combined effects equal summed effects? Closed forms."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from reportgen.analyses import UnanswerableError, additivity
from reportgen.settings import Settings
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders, graded

ROWS_64 = Settings(rows=64)


def at_zero(decode, units: int, codes: np.ndarray | None = None) -> Study:
    """A study whose baseline is exactly 0."""
    return decoders.carrying(
        decode,
        decoders.gaussian_codes(64, units) if codes is None else codes,
        fit_codes=decoders.symmetric_codes(64, units),
        settings=ROWS_64,
    )


@pytest.mark.parametrize("name", ["linear", "additive", "intensity_curve"])
def test_effects_of_additive_decoders_add_up(name: str) -> None:
    study = decoders.carrying(
        getattr(decoders, name)(4), decoders.gaussian_codes(80, 4), settings=FEW
    )
    result = additivity.run(study)
    nobody = np.linalg.norm(getattr(decoders, name)(4)(torch.from_numpy(study.baseline)[None]))
    tolerance = 1e-5 * max(1, nobody / result.up.size)
    for gap in (result.up, result.down, *(s.gap for s in result.sets)):
        assert gap.gap.value <= tolerance
        assert gap.r2_sum.value == pytest.approx(1, abs=1e-9)
    for estimate in (*result.sweep_gaps, result.bounded):
        assert estimate.value <= 4 * tolerance


def test_a_large_offset_only_adds_its_rounding_error() -> None:
    study = decoders.carrying(
        decoders.linear(4, offset=100), decoders.gaussian_codes(80, 4), settings=FEW
    )
    result = additivity.run(study)
    ratio = 100 * np.sqrt(decoders.PIXELS) / result.up.size
    assert 1e-7 < result.up.gap.value <= 1e-5 * ratio


def test_a_pure_product_from_zero_is_all_gap() -> None:
    study = at_zero(decoders.product(), 2)
    result = additivity.run(study)
    assert result.up.gap.value == pytest.approx(1, abs=1e-6)
    assert result.up.r2_sum.value == pytest.approx(0, abs=1e-6)
    assert result.bounded.value == pytest.approx(1, abs=1e-6)
    assert result.down.gap.value == pytest.approx(1, abs=1e-6)  # each alone takes all: 2 − 1


def test_a_product_and_a_linear_part_have_their_closed_form() -> None:
    """From 0, up: the sum misses z_0 z_1 u of z_0 z_1 u + 2 z_0 u' + 3 z_1 u''."""
    study = at_zero(decoders.product_and_linear(), 2)
    result = additivity.run(study)
    a, b = study.test.codes[study.rows.statistics].astype(np.float64).T
    missed, size = np.abs(a * b), np.sqrt((a * b) ** 2 + 4 * a**2 + 9 * b**2)
    alone = 2 * np.abs(a) + 3 * np.abs(b)
    assert result.up.gap.value == pytest.approx(missed.sum() / size.sum(), rel=1e-5)
    assert result.up.size == pytest.approx(size.mean(), rel=1e-5)
    r2 = 1 - (missed**2).sum() / (size**2).sum()
    assert result.up.r2_sum.value == pytest.approx(r2, rel=1e-5)
    assert result.down.gap.value == pytest.approx(missed.sum() / size.sum(), rel=1e-5)
    assert result.bounded.value == pytest.approx((missed / (size + alone)).mean(), rel=1e-5)
    np.testing.assert_allclose(result.row_gaps, missed / size, rtol=1e-4)
    np.testing.assert_allclose(result.row_sizes, size, rtol=1e-5)


def test_up_and_down_are_different_questions() -> None:
    """z_0 z_1 z_2 from 0: up, no unit alone does anything; down, each takes it all."""
    picture = decoders.directions(1)[0]
    study = at_zero(lambda z: z[:, :3].prod(dim=1, keepdim=True) * picture, 3)
    result = additivity.run(study)
    assert result.up.gap.value == pytest.approx(1, abs=1e-6)
    assert result.down.gap.value == pytest.approx(2, abs=1e-5)
    assert result.down.r2_sum.value == pytest.approx(-3, abs=1e-5)


def test_the_gap_is_a_ratio_of_sums_and_not_a_mean_of_ratios() -> None:
    codes = np.full((60, 2), 0.01, np.float32)
    codes[:6] = 10
    study = at_zero(decoders.product_and_linear(), 2, codes)
    result = additivity.run(study)
    assert np.mean(result.row_gaps) < 0.15
    assert result.up.gap.value == pytest.approx(100 / np.sqrt(100**2 + 20**2 + 30**2), rel=1e-2)


def test_the_sweep_moves_every_unit_a_part_of_its_way() -> None:
    """From 0 the product shrinks with the square of the move, the linear part with the move."""
    study = at_zero(decoders.product_and_linear(), 2)
    result = additivity.run(study)
    assert result.sweep_factors == (0.25, 0.5, 1.0)
    assert result.sweep_rows == 16
    rows = study.rows.statistics[:16]
    a, b = study.test.codes[rows].astype(np.float64).T
    for factor, gap in zip(result.sweep_factors, result.sweep_gaps, strict=True):
        p, q = factor * a, factor * b
        missed, size = np.abs(p * q), np.sqrt((p * q) ** 2 + 4 * p**2 + 9 * q**2)
        assert gap.value == pytest.approx(missed.sum() / size.sum(), rel=1e-4)


def test_sets_are_all_units_then_the_strongest_pair_and_triple() -> None:
    pictures = decoders.directions(5)
    strength = torch.tensor([1.0, 4, 2, 3, 0.5])[:, None]
    decode = decoders.product()
    study = at_zero(lambda z: z @ (strength * pictures) + 0 * decode(z), 5)
    sets = additivity.run(study).sets
    assert [set(s.units) for s in sets] == [{0, 1, 2, 3, 4}, {1, 3}, {1, 2, 3}]


def test_pictures_of_a_set_are_the_sum_and_the_combined_change() -> None:
    study = at_zero(decoders.product_and_linear(), 2)
    result = additivity.run(study)
    rows = study.rows.pictures[: len(result.picture_names)]
    a, b = study.test.codes[rows].astype(np.float64).T
    product, first, second = decoders.directions(3).double().numpy()
    summed = 2 * np.outer(a, first) + 3 * np.outer(b, second)
    combined = summed + np.outer(a * b, product)
    for pictures in result.sets:
        np.testing.assert_allclose(pictures.summed, summed, atol=1e-5)
        np.testing.assert_allclose(pictures.combined, combined, atol=1e-5)
        expected = np.abs(a * b) / np.linalg.norm(combined, axis=1)
        np.testing.assert_allclose(pictures.row_gaps, expected, rtol=1e-4)


def test_the_bounded_form_lies_between_0_and_1(smooth_study) -> None:
    bounded = additivity.run(smooth_study).bounded
    assert 0 < bounded.low <= bounded.value <= bounded.high < 1


@pytest.fixture(scope="module")
def near_baseline() -> additivity.Additivity:
    """A linear decoder; half of the rows differ from the baseline by rounding only."""
    codes = decoders.gaussian_codes(64, 3)
    codes[::2] *= 1e-7
    decode = decoders.linear(3, offset=1.0)
    return additivity.run(at_zero(decode, 3, codes))


def test_rows_at_the_baseline_are_left_out_of_row_plots_and_counted(near_baseline) -> None:
    assert near_baseline.rows_left_out == 32
    assert len(near_baseline.row_gaps) == len(near_baseline.row_sizes) == 32
    assert near_baseline.row_gaps.max() < 1e-5


def test_rows_at_the_baseline_do_not_give_a_linear_decoder_a_gap(near_baseline) -> None:
    assert near_baseline.up.gap.value < 1e-5
    assert near_baseline.up.r2_sum.value == pytest.approx(1, abs=1e-9)


def test_rows_at_the_baseline_do_not_give_a_linear_decoder_a_bounded_gap(near_baseline) -> None:
    assert near_baseline.bounded.value < 1e-5


def test_one_unit_has_nothing_to_add_to() -> None:
    study = decoders.carrying(decoders.additive(1), decoders.gaussian_codes(60, 1))
    with pytest.raises(UnanswerableError, match="fewer than two units"):
        additivity.run(study)


def test_a_pair_or_triple_that_is_all_units_is_shown_once() -> None:
    study = at_zero(decoders.product_and_linear(), 2)
    assert [s.units for s in additivity.run(study).sets] == [(0, 1)]
    study = at_zero(decoders.additive(3), 3)
    assert [len(s.units) for s in additivity.run(study).sets] == [3, 2]


@pytest.mark.parametrize("slope", [0.0, 3e-8])
def test_a_decoder_that_ignores_its_code_up_to_rounding_has_no_gap(slope: float) -> None:
    study = decoders.carrying(
        lambda z: 0.5 + slope * z @ decoders.directions(3), decoders.gaussian_codes(60, 3)
    )
    try:
        result = additivity.run(study)
    except UnanswerableError:
        return
    assert np.isnan(result.up.gap.value)


def test_gaps_from_every_baseline_have_their_closed_form() -> None:
    """From (p, q) the sum of z_0 z_1 u + 2 z_0 u' + 3 z_1 u'' misses (z_0 − p)(z_1 − q) u."""
    pixels = np.random.default_rng(31).normal(size=(200, decoders.PIXELS)).astype(np.float32)
    decode = decoders.product_and_linear()
    # Squares: the mean image's code is not the mean code.
    study = decoders.of_pixels(
        pixels,
        encode=lambda images: images.reshape(len(images), -1)[:, :2] ** 2,
        decode=lambda z: decode(z).reshape(-1, 1, decoders.HEIGHT, decoders.WIDTH),
        code_shape=(2,),
        settings=ROWS_64,
    )
    codes = study.test.codes.astype(np.float64)
    scaled = codes / codes.std(axis=0)
    medoid = np.linalg.norm(scaled[:, None] - scaled[None], axis=2).sum(axis=1).argmin()
    baselines = {
        "mean code": study.fit.codes.mean(axis=0, dtype=np.float64),
        "medoid": codes[medoid],
        "code of the mean image": study.fit.images.mean(axis=0, dtype=np.float64)[:2] ** 2,
        "zero code": np.zeros(2),
    }
    result = additivity.run(study)
    assert [row.baseline for row in result.by_baseline] == list(baselines)
    a, b = codes[study.rows.statistics[: result.sweep_rows]].T
    for row in result.by_baseline:
        p, q = baselines[row.baseline]
        missed = np.abs((a - p) * (b - q))
        changed = (a * b - p * q) ** 2 + 4 * (a - p) ** 2 + 9 * (b - q) ** 2
        expected = missed.sum() / np.sqrt(changed).sum()
        assert row.gap.gap.value == pytest.approx(expected, rel=1e-4)
        r2 = 1 - (missed**2).sum() / changed.sum()
        assert row.gap.r2_sum.value == pytest.approx(r2, rel=1e-4)
        assert row.gap.size == pytest.approx(np.sqrt(changed).mean(), rel=1e-4)
    assert result.by_baseline[0].gap.gap == result.sweep_gaps[-1]


def test_an_additive_decoder_adds_up_from_every_baseline() -> None:
    study = decoders.carrying(
        decoders.additive(4), decoders.gaussian_codes(80, 4) + np.float32(1), settings=FEW
    )
    for row in additivity.run(study).by_baseline:
        assert row.gap.gap.value < 1e-5


def test_a_baseline_is_named_off_data_where_no_code_is_near() -> None:
    """Codes on a ring: the mean, in its hole, encodes to something else; the medoid is real."""
    angle = np.random.default_rng(3).uniform(0, 2 * np.pi, size=300)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    study = decoders.study_of(decoders.linear(2), 5 * ring, settings=ROWS_64)
    flags = {row.baseline: row.off_data for row in additivity.run(study).by_baseline}
    assert flags["mean code"] and flags["zero code"] and not flags["medoid"]


@pytest.mark.parametrize(
    ("flagged", "weight", "judged"), [(0.12, 1, True), (0.4, 1, False), (0.4, 0, True)]
)
def test_gaps_are_not_judged_where_over_a_quarter_of_moved_codes_are_off_data(
    flagged, weight, judged
) -> None:
    """Two normal units that go together: (z₀, 0) leaves their ellipse so often, in closed form."""
    study = graded.with_product(weight, correlation=graded.off_data_of_solo(flagged))
    result = additivity.run(study)
    assert result.off_data_up.value == pytest.approx(flagged, abs=0.07)
    assert not result.baseline_off_data
    assert result.cannot_be_judged == (not judged)


def test_a_gap_from_a_mean_that_is_off_data_is_not_judged() -> None:
    """Codes on a circle, read off two pictures; in its middle a third picture comes, as a code."""
    turn = np.random.default_rng(8).uniform(0, 2 * np.pi, 600)
    pictures = decoders.directions(3)

    def in_the_middle(z: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(20 * (0.5 - z.norm(dim=1, keepdim=True)))

    study = decoders.of_pixels(
        np.stack([np.cos(turn), np.sin(turn)], axis=1) @ pictures[:2].numpy(),
        encode=lambda x: x.reshape(len(x), -1) @ (pictures[:2] + pictures[2:]).T,
        decode=lambda z: (z @ pictures[:2] + in_the_middle(z) * pictures[2]).reshape(-1, 1, 4, 5),
        code_shape=(2,),
        settings=FEW,
    )
    result = additivity.run(study)
    assert result.baseline_off_data
    assert result.cannot_be_judged


def test_other_baselines_cost_k_plus_2_forwards_on_a_quarter_of_the_rows() -> None:
    study = decoders.carrying(decoders.smooth(4), decoders.gaussian_codes(300, 4), settings=FEW)
    study.off_data  # noqa: B018 - calibrated beforehand, on real codes
    moves = study.shared(additivity.single_moves)
    with study.engine.charged_to("baselines"):
        additivity._by_baseline(study, moves, moves.rows[:10])
    # Three other baselines than the mean code; each is decoded once, for all the rows together.
    assert 3 * (10 * 4 + 1) <= study.engine.forwards["baselines"] <= 3 * (10 * (4 + 1) + 1)


def test_the_gap_by_size_of_set_has_its_closed_form() -> None:
    """z_0 z_1 u + z_2 u' + z_3 u'' from 0: a set misses z_0 z_1 where it holds both units."""
    study = at_zero(decoders.mixed(), 4)
    result = additivity.run(study)
    codes = study.test.codes[study.rows.table].astype(np.float64)
    assert result.gap_by_size is not None
    assert [(some.size, some.sets) for some in result.gap_by_size] == [(2, 6), (3, 4), (4, 1)]
    for some in result.gap_by_size[:-1]:
        missed = size = 0.0
        for members in combinations(range(4), some.size):
            product = np.abs(codes[:, 0] * codes[:, 1]) * ({0, 1} <= set(members))
            alone = [codes[:, unit] ** 2 for unit in members if unit >= 2]
            missed += product.sum()
            size += np.sqrt(product**2 + sum(alone)).sum()
        assert some.gap.value == pytest.approx(missed / size, rel=1e-5)
        assert some.rows == len(study.rows.table)
    assert result.gap_by_size[-1].gap == result.up.gap


def test_a_few_rows_that_hold_most_are_told() -> None:
    heavy = np.random.default_rng(9).standard_t(0.7, size=(600, 2)).astype(np.float32)
    for codes, told in ((heavy, ("gaps",)), (decoders.gaussian_codes(600, 2), ())):
        study = decoders.carrying(decoders.product_and_linear(), codes, settings=Settings())
        assert additivity.run(study).heavy_tailed == told


def test_what_few_rows_hold_is_of_sizes_and_not_of_their_squares() -> None:
    """One row in a hundred is twenty times as large: a sixth of sizes, four fifths of squares."""
    signs = np.random.default_rng(2).choice([-1, 1], size=(1000, 2)).astype(np.float32)
    signs[::100, 0] *= 20
    study = decoders.carrying(decoders.product_and_linear(), signs, settings=Settings(rows=500))
    assert additivity.run(study).heavy_tailed == ()


def test_the_share_of_codes_off_data_is_that_of_codes_made_by_hand() -> None:
    study = decoders.carrying(decoders.smooth(3), decoders.gaussian_codes(200, 3), settings=FEW)
    result = additivity.run(study)
    rows = study.test.codes[study.rows.statistics]
    up, down = np.repeat(study.baseline[None, None], len(rows), 0).repeat(3, 1), rows[:, None]
    down = down.repeat(3, axis=1)
    for unit in range(3):
        up[:, unit, unit], down[:, unit, unit] = rows[:, unit], study.baseline[unit]
    expected = study.off_data_share(up.reshape(-1, 3)), study.off_data_share(down.reshape(-1, 3))
    assert (result.off_data_up, result.off_data_down) == expected
