"""M4: contributions that add up; closed forms, captum, scikit-learn's PCA."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from sklearn.decomposition import PCA

from reportgen.analyses import UnanswerableError, contributions
from reportgen.analyses.shared import path_contributions
from reportgen.analyses.shared.path_contributions import path_shares, picture_paths
from reportgen.analyses.shared.ranked_shares import ranked_shares
from reportgen.analyses.shared.row_paths import RowPath, row_paths
from reportgen.analyses.shared.strongest_rows import StrongestRows
from reportgen.process.ranks import Ranks
from reportgen.settings import Settings
from reportgen.statistics.bootstrap import Estimate
from reportgen.study.rows import PILOT_ROWS
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders


def with_steps(study: Study, steps: int, pooled: int | None = None) -> Study:
    """With so many steps, never doubled."""
    pooled = pooled or steps
    settings = dataclasses.replace(
        study.settings, path_steps=steps, pooled_path_steps=pooled, most_path_steps=pooled
    )
    return dataclasses.replace(study, settings=settings, _shared={})


def by_unit(study: Study) -> np.ndarray:
    """(r, K, P) pictures in the order of the code."""
    result = contributions.run(study)
    order = np.argsort([share.unit for share in result.shares])
    return result.pictures[:, order].astype(np.float64)


def shares_by_unit(study: Study) -> np.ndarray:
    result = contributions.run(study)
    return np.array([s.share.value for s in sorted(result.shares, key=lambda s: s.unit)])


@pytest.mark.parametrize("steps", [1, 2, 16])
@pytest.mark.parametrize("name", ["linear", "additive", "smooth", "squashed"])
def test_contributions_sum_to_the_change_of_the_image(name: str, steps: int) -> None:
    decode = getattr(decoders, name)(4)
    study = with_steps(
        decoders.carrying(decode, decoders.gaussian_codes(80, 4), settings=FEW), steps
    )
    result = contributions.run(study)
    rows = study.rows.pictures
    ends = decode(torch.from_numpy(study.test.codes[rows])).double().numpy()
    start = decode(torch.from_numpy(study.baseline)[None]).double().numpy()
    missed = np.abs(result.pictures.sum(axis=1, dtype=np.float64) - (ends - start)).max()
    assert missed <= 1e-5 * np.abs(ends - start).max()
    assert result.completeness_error <= 1e-5


def test_a_linear_decoder_s_contributions_are_its_terms(linear_study) -> None:
    codes = linear_study.test.codes[linear_study.rows.pictures].astype(np.float64)
    pictures = decoders.directions(4).double().numpy() * np.arange(1, 5)[:, None]
    expected = (codes - linear_study.baseline)[:, :, None] * pictures
    found = by_unit(linear_study)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_an_additive_decoder_s_contributions_are_its_curves(additive_study) -> None:
    codes = additive_study.test.codes[additive_study.rows.pictures].astype(np.float64)
    start = additive_study.baseline.astype(np.float64)
    pictures = decoders.directions(8).double().numpy()
    straight = (np.tanh(codes) - np.tanh(start))[:, :, None] * pictures[:4]
    expected = straight + (codes**2 - start**2)[:, :, None] * pictures[4:]
    found = by_unit(additive_study)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def split_of_a_product(decode, steps: int) -> np.ndarray:
    """(rows, 2) each unit's part of the change, from the baseline 0."""
    codes = decoders.gaussian_codes(30, 2)
    study = decoders.carrying(
        decode, codes, fit_codes=decoders.symmetric_codes(40, 2), settings=FEW
    )
    assert np.abs(study.baseline).max() < 1e-8
    pictures = by_unit(with_steps(study, steps))
    change = pictures.sum(axis=1)
    return np.einsum("rkp,rp->rk", pictures, change) / np.square(change).sum(axis=1)[:, None]


@pytest.mark.parametrize("steps", [1, 3, 16])
def test_a_product_is_halved(steps: int) -> None:
    np.testing.assert_allclose(split_of_a_product(decoders.product(), steps), 0.5, atol=1e-5)


def test_a_product_with_a_square_is_split_one_to_two() -> None:
    """The midpoint of both orders misses ⅓ by 1/(6 M²): .33398 at M = 16, ½ at M = 1."""
    decode = decoders.product_with_square()
    np.testing.assert_allclose(split_of_a_product(decode, 1), 0.5, atol=1e-5)
    for steps in (2, 16, 64):
        first = 1 / 3 + 1 / (6 * steps**2)
        expected = np.broadcast_to([first, 1 - first], (8, 2))
        np.testing.assert_allclose(split_of_a_product(decode, steps), expected, atol=1e-4)


@pytest.fixture(scope="module")
def integrated_gradients(smooth_study: Study) -> np.ndarray:
    """(rows, K, P) by captum, in double precision, for two picture rows."""
    decode = decoders.smooth(4)
    codes = torch.from_numpy(smooth_study.test.codes[smooth_study.rows.pictures])
    pictures = []
    for pixel in range(decoders.PIXELS):
        explain = IntegratedGradients(lambda z, p=pixel: decode(z.float())[:, p].double())
        attributed = explain.attribute(
            codes.double(), torch.from_numpy(smooth_study.baseline).double()[None], n_steps=96
        )
        pictures.append(attributed.numpy())
    return np.stack(pictures, axis=-1)


@pytest.mark.parametrize(("steps", "tolerance"), [(8, 0.10), (64, 0.01)])
def test_contributions_converge_to_captum_s_integrated_gradients(
    smooth_study, integrated_gradients, steps, tolerance
) -> None:
    found = by_unit(with_steps(smooth_study, steps, pooled=2))
    largest = np.abs(integrated_gradients).max(axis=(1, 2), keepdims=True)
    assert (np.abs(found - integrated_gradients) / largest).max() <= tolerance


def test_shares_of_a_linear_decoder_are_closed_forms(linear_study) -> None:
    codes = linear_study.test.codes[linear_study.rows.pooled].astype(np.float64)
    squares = np.square((codes - linear_study.baseline) * np.arange(1, 5)).sum(axis=0)
    np.testing.assert_allclose(shares_by_unit(linear_study), squares / squares.sum(), atol=1e-5)


def test_shares_of_pca_are_its_eigenvalues_on_its_fit_rows() -> None:
    pixels = decoders.correlated_pixels(120)
    fitted = PCA(5, svd_solver="full").fit(pixels.astype(np.float64))
    study = decoders.of_pixels(
        pixels, fit_pixels=pixels, **decoders.pca_model(fitted), settings=Settings()
    )
    expected = fitted.explained_variance_ / fitted.explained_variance_.sum()
    np.testing.assert_allclose(shares_by_unit(study), expected, atol=1e-5)
    result = contributions.run(study)
    np.testing.assert_allclose(result.pca_shares, expected, atol=1e-9)


@pytest.mark.parametrize("name", ["linear", "smooth", "product_and_linear", "squashed"])
def test_shares_sum_to_one(name: str) -> None:
    decode = getattr(decoders, name)(*([3] if name != "product_and_linear" else []))
    study = decoders.carrying(decode, decoders.gaussian_codes(80, 3), settings=FEW)
    assert shares_by_unit(study).sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("settled", "steps"), [(0.1, 4), (0.02, 8), (0.005, 16), (0.0, 32)])
def test_steps_double_until_no_share_moves(settled: float, steps: int) -> None:
    """The first share of z₀z₁² is ⅓ + 1/(6M²), which moves by ¾ of what M/2 was off."""
    study = decoders.carrying(
        decoders.product_with_square(),
        decoders.gaussian_codes(60, 2),
        fit_codes=decoders.symmetric_codes(40, 2),
        settings=dataclasses.replace(FEW, settled_share=settled),
    )
    rows = dataclasses.replace(study.rows, pooled=study.rows.pooled[:PILOT_ROWS])
    study = dataclasses.replace(study, rows=rows, _shared={})
    shares = study.shared(path_shares)
    assert shares.steps == steps
    off = lambda m: 1 / (6 * m**2)  # noqa: E731
    assert shares.step_error == pytest.approx(off(steps / 2) - off(steps), abs=1e-4)
    first = sorted(contributions.run(study).shares, key=lambda share: share.unit)[0]
    assert first.share.value == pytest.approx(1 / 3 + off(steps), abs=1e-4)


def test_the_step_error_is_of_the_share_that_moves_most_up_or_down() -> None:
    """z₀(z₁²u + z₂²u′): what unit 0 loses by finer steps is divided between two others."""
    first, second = decoders.directions(2)
    study = decoders.carrying(
        lambda z: z[:, :1] * (z[:, 1:2] ** 2 * first + z[:, 2:3] ** 2 * second),
        decoders.gaussian_codes(60, 3),
        fit_codes=decoders.symmetric_codes(40, 3),
        settings=dataclasses.replace(FEW, settled_share=0.1),
    )
    shares = study.shared(path_shares)
    assert shares.steps == 4
    assert shares.step_error == pytest.approx(1 / (6 * 2**2) - 1 / (6 * 4**2), abs=1e-4)


def test_fewer_pooled_rows_than_the_pilot_s_are_all_that_is_used() -> None:
    settings = Settings(effort="quick", settled_share=0.0, bootstrap_resamples=100)
    study = decoders.carrying(
        decoders.smooth(10), decoders.gaussian_codes(200, 10), settings=settings
    )
    shares = study.shared(path_shares)
    assert len(shares.rows) == len(shares.changes) == len(shares.projections) == 8
    assert contributions.run(study).rows == 8


@pytest.mark.parametrize("weakest", [0, 3])
def test_numbers_of_the_path_s_players_are_put_at_their_units_and_nan_at_the_others(
    weakest: int,
) -> None:
    """Three of four units are players of the path; the one that paints least is in "rest"."""
    weights = decoders.directions(4) * (1 + torch.arange(4))[:, None]
    weights[weakest] *= 0.01
    study = decoders.carrying(
        lambda z: z @ weights,
        decoders.gaussian_codes(80, 4),
        settings=dataclasses.replace(FEW, path_players=3),
    )
    shares = study.shared(path_shares)
    found = path_contributions.by_player(study, 10.0 * shares.player_units)
    expected = 10.0 * np.arange(4)
    expected[weakest] = np.nan
    np.testing.assert_array_equal(found, expected)


def test_shares_of_doubled_steps_are_those_of_many_more(smooth_study) -> None:
    rows = dataclasses.replace(smooth_study.rows, pooled=smooth_study.rows.pooled[:32])
    study = dataclasses.replace(smooth_study, rows=rows, _shared={})
    result = contributions.run(study)
    assert result.pooled_steps > 2 and result.step_error <= 0.005
    fine = shares_by_unit(with_steps(study, 16, pooled=64))
    assert np.abs(shares_by_unit(study) - fine).max() <= 0.0025


def test_a_linear_decoder_s_shares_do_not_move(linear_study) -> None:
    result = contributions.run(linear_study)
    assert (result.pooled_steps, round(result.step_error, 6)) == (4, 0)


def test_an_image_s_own_shares_and_sizes_are_closed_forms_of_a_linear_decoder(linear_study) -> None:
    result = contributions.run(linear_study)
    units = [share.unit for share in result.shares]
    codes = linear_study.test.codes[linear_study.rows.pictures].astype(np.float64)
    squares = np.square((codes - linear_study.baseline) * np.arange(1, 5))[:, units]
    total = squares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(result.row_shares, squares / total, atol=1e-5)
    np.testing.assert_allclose(result.row_sizes, np.sqrt(squares / total), atol=1e-5)


def test_an_image_s_own_shares_are_signed_and_sum_to_one(smooth_study) -> None:
    result = contributions.run(smooth_study)
    phi = result.pictures.astype(np.float64)
    change = phi.sum(axis=1)
    expected = np.einsum("rkp,rp->rk", phi, change) / np.square(change).sum(axis=1)[:, None]
    np.testing.assert_allclose(result.row_shares, expected, atol=1e-5)
    np.testing.assert_allclose(result.row_shares.sum(axis=1), 1, atol=1e-9)
    assert result.row_shares.min() < 0


def test_an_image_at_the_baseline_has_no_shares_of_its_own() -> None:
    codes = decoders.gaussian_codes(60, 2)
    codes[::2] = 0
    study = decoders.carrying(
        decoders.linear(2), codes, fit_codes=decoders.symmetric_codes(40, 2), settings=FEW
    )
    result = contributions.run(study)
    at_baseline = ~study.test.codes[study.rows.pictures].any(axis=1)
    assert 0 < at_baseline.sum() < 8
    assert np.isnan(result.row_shares[at_baseline]).all()
    assert np.isfinite(result.row_shares[~at_baseline]).all()


def test_effective_units_of_a_linear_decoder_are_a_closed_form(linear_study) -> None:
    codes = linear_study.test.codes[linear_study.rows.pooled].astype(np.float64)
    squares = np.square((codes - linear_study.baseline) * np.arange(1, 5)).sum(axis=0)
    expected = squares.sum() ** 2 / np.square(squares).sum()
    found = contributions.run(linear_study).effective_units
    assert found == pytest.approx(expected, rel=1e-4)


def test_copies_are_one_of_the_effective_units() -> None:
    """Three units of a linear decoder, the third copied: (a + b + c)² / (a² + b² + c²)."""
    codes = decoders.gaussian_codes(400, 4)
    codes[:, 3] = codes[:, 2]
    study = decoders.carrying(decoders.linear(4), codes, settings=FEW)
    first, second, third, fourth = shares_by_unit(study)
    expected = 1 / np.square([first, second, third + fourth]).sum()
    assert contributions.run(study).effective_units == pytest.approx(expected, rel=1e-6)


def test_shares_are_signed() -> None:
    """Unit 1 takes back half of what unit 0 gives: shares 2 and −1."""
    picture = decoders.directions(1)[0]
    codes = np.repeat(decoders.gaussian_codes(60, 1), 2, axis=1)
    study = decoders.carrying(lambda z: (2 * z[:, :1] - z[:, 1:2]) * picture, codes, settings=FEW)
    np.testing.assert_allclose(shares_by_unit(study), [2, -1], atol=1e-5)


def test_shares_are_ratios_of_sums_over_rows() -> None:
    """One row that moves only unit 1, far, outweighs many small ones that move only unit 0."""
    codes = np.zeros((30, 2), np.float32)
    codes[:, 0], codes[7] = 0.1, (0, 10)
    study = decoders.carrying(
        decoders.linear(2), codes, fit_codes=decoders.symmetric_codes(40, 2), settings=FEW
    )
    squares = np.square(codes * [1, 2]).sum(axis=0)
    np.testing.assert_allclose(shares_by_unit(study), squares / squares.sum(), atol=1e-5)


def test_players_are_ranked_by_share(smooth_study) -> None:
    result = contributions.run(smooth_study)
    values = [share.share.value for share in result.shares]
    assert values == sorted(values, reverse=True)
    assert [share.rank for share in result.shares] == [1, 2, 3, 4]
    for share in result.shares:
        assert share.rank_low <= share.rank <= share.rank_high


@pytest.mark.parametrize(("won", "lowest"), [(30, 1), (20, 2)])
def test_a_rank_is_open_from_one_resample_in_forty_on(won: int, lowest: int) -> None:
    """Unit 1 comes first in 3 or in 2 of 100 resamples."""
    resampled = np.tile([0.6, 0.4], (1000, 1))
    resampled[:won] = 0.4, 0.6
    shares = SimpleNamespace(
        players=SimpleNamespace(names=("0", "1")),
        player_units=np.array([0, 1]),
        order=np.array([0, 1]),
    )
    estimates = [Estimate(0.6, 0.4, 0.6), Estimate(0.4, 0.4, 0.6)]
    first, second = ranked_shares(shares, estimates, resampled)
    assert (first.rank, first.rank_low, first.rank_high) == (1, 1, 3 - lowest)
    assert (second.rank, second.rank_low, second.rank_high) == (2, lowest, 2)


def test_resampled_shares_move_with_the_covariance_of_those_from_other_mean_codes() -> None:
    generator = np.random.default_rng(4)
    changes = 1 + generator.random((5, 20))
    parts = generator.dirichlet([2, 3, 4], size=(5, 20))
    draws = SimpleNamespace(projections=parts * changes[:, :, None], changes=changes)
    shares = np.einsum("dtk,dt->dk", parts, changes) / changes.sum(axis=1)[:, None]
    apart = shares[1:] - shares[0]
    moved = contributions._moved_by_fit_half(draws, 40_000, 0)
    np.testing.assert_allclose(
        np.cov(moved.T), apart.T @ apart / 4, atol=0.03 * np.square(apart).max()
    )


def test_ranks_that_the_data_cannot_tell_apart_have_wide_intervals() -> None:
    pictures = decoders.directions(3)
    weights = pictures * torch.tensor([[1.0], [1.0], [5.0]])
    study = decoders.carrying(lambda z: z @ weights, decoders.gaussian_codes(200, 3), settings=FEW)
    first, *others = contributions.run(study).shares
    assert (first.unit, first.rank_low, first.rank_high) == (2, 1, 1)
    assert [(share.rank_low, share.rank_high) for share in others] == [(2, 3), (2, 3)]


@pytest.fixture(scope="module")
def wide_study() -> Study:
    """40 units: more than a path's 32 players."""
    generator = np.random.default_rng(0)
    weights = torch.from_numpy(generator.normal(size=(40, decoders.PIXELS)).astype(np.float32))
    strength = torch.linspace(0.1, 2, 40)[:, None]
    of_code = torch.from_numpy(generator.normal(size=(decoders.PIXELS, 40)).astype(np.float32))
    shape = (1, decoders.HEIGHT, decoders.WIDTH)
    return decoders.of_pixels(
        generator.normal(size=(120, decoders.PIXELS)),
        encode=lambda x: torch.tanh(x.reshape(len(x), -1) @ of_code),
        decode=lambda z: torch.tanh(z @ (weights * strength) / 6).reshape(len(z), *shape),
        code_shape=(40,),
        settings=Settings(rows=20, path_steps=2),
    )


def test_above_32_units_the_weakest_are_one_player_that_comes_last(wide_study) -> None:
    result = contributions.run(wide_study)
    assert len(result.shares) == 33
    assert (result.shares[-1].unit, result.shares[-1].name) == (-1, "rest")
    kept = {share.unit for share in result.shares[:-1]}
    assert len(kept & set(range(8))) <= 2  # the weakest by construction are in the rest
    assert sum(share.share.value for share in result.shares) == pytest.approx(1, abs=1e-6)
    assert result.completeness_error <= 1e-5


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_one_walk_of_an_order_and_one_of_its_reverse_are_both_walks(
    steps: int, smooth_study: Study
) -> None:
    codes, coalitions = smooth_study.test.codes[:6], smooth_study.coalitions
    orders = [np.random.default_rng(row).permutation(4) for row in range(6)]
    back = [order[::-1] for order in orders]
    both = row_paths(coalitions, codes, steps, orders)
    one, other = (row_paths(coalitions, codes, steps, some, 1) for some in (orders, back))
    for path, first, second in zip(both, one, other, strict=True):
        mean = (first.contributions + second.contributions) / 2
        np.testing.assert_allclose(mean, path.contributions, atol=1e-5)
        assert np.abs(first.contributions - path.contributions).max() > 1e-3
        for walk in (first, second):
            np.testing.assert_allclose(walk.contributions.sum(axis=0), path.change, atol=1e-5)
            np.testing.assert_array_equal(walk.change, path.change)


def test_pooled_paths_cost_2m_times_k_minus_1_plus_m_forwards_on_the_pilot_and_m_k_after() -> None:
    study = decoders.carrying(decoders.smooth(5), decoders.gaussian_codes(90, 5), settings=FEW)
    study = with_steps(study, 2)
    study.shared(path_shares)
    rows, steps, units = len(study.rows.pooled), 2, 5
    expected = PILOT_ROWS * (2 * steps * (units - 1) + steps)
    expected += (rows - PILOT_ROWS) * steps * units
    # The baseline, once for each request that it is in.
    # Rows of the pilot and the others are asked for apart, and the baseline by itself for each.
    requests = 4 + -(-rows * 2 * steps * (units + 1) // study.engine.block_size)
    assert 0 < study.engine.forwards["path shares"] - expected <= requests


def test_pictures_are_those_of_the_named_rows(smooth_study) -> None:
    result = contributions.run(smooth_study)
    rows = smooth_study.rows.pictures
    assert result.picture_names == tuple(smooth_study.test.names[row] for row in rows)
    start = decoders.smooth(4)(torch.from_numpy(smooth_study.baseline)[None])[0]
    np.testing.assert_allclose(result.baseline_image, start.numpy(), atol=1e-6)
    rebuilt = result.pictures.sum(axis=1) + result.baseline_image
    np.testing.assert_allclose(rebuilt, result.reconstructions, atol=1e-5)


def test_pictures_of_pca_are_scikit_learn_s_scores_times_components(smooth_study) -> None:
    result = contributions.run(smooth_study)
    fitted = PCA(4, svd_solver="full").fit(smooth_study.fit.images.astype(np.float64))
    images = result.originals.astype(np.float64)
    expected = fitted.transform(images)[:, :, None] * fitted.components_
    np.testing.assert_allclose(result.pca_pictures, expected, atol=1e-6)


def test_pca_s_pictures_add_up_to_all_its_components_where_not_all_are_shown() -> None:
    """36 units and 40 pixels: 32 components alone, and the other 4 as one."""
    pixels = decoders.correlated_pixels(90).repeat(2, axis=1)
    pixels = pixels + np.random.default_rng(3).normal(size=pixels.shape).astype(np.float32) / 50
    study = decoders.of_pixels(
        pixels,
        shape=(1, 4, 10),
        encode=lambda x: x.reshape(len(x), -1)[:, :36],
        decode=lambda z: torch.nn.functional.pad(z, (0, 4)).reshape(len(z), 1, 4, 10),
        code_shape=(36,),
        settings=Settings(rows=10, path_steps=1),
    )
    result = contributions.run(study)
    assert result.pca_pictures.shape[1] == len(result.pca_shares) == 33
    assert result.pca_shares.sum() == pytest.approx(1)
    fitted = PCA(36, svd_solver="full").fit(study.fit.images.astype(np.float64))
    rebuilt = fitted.inverse_transform(fitted.transform(result.originals.astype(np.float64)))
    whole = result.pca_mean + result.pca_pictures.sum(axis=1)
    np.testing.assert_allclose(whole, rebuilt, atol=1e-5)
    squares = fitted.transform(result.originals.astype(np.float64)) ** 2
    shares = squares / squares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(result.pca_row_shares[:, :32], shares[:, :32], atol=1e-5)
    np.testing.assert_allclose(result.pca_row_shares[:, 32], shares[:, 32:].sum(axis=1), atol=1e-5)


def test_the_rest_takes_no_unit_s_rank_however_large_it_is() -> None:
    """36 units of one strength: the rest is 4 of them together, and larger than each."""
    pixels = np.random.default_rng(6).normal(size=(300, 36)).astype(np.float32)
    study = decoders.of_pixels(
        pixels,
        shape=(1, 6, 6),
        encode=lambda x: x.reshape(len(x), -1),
        decode=lambda z: z.reshape(len(z), 1, 6, 6),
        code_shape=(36,),
        settings=Settings(path_steps=1),
    )
    *units, rest = contributions.run(study).shares
    assert rest.unit == -1 and rest.share.value > max(unit.share.value for unit in units)
    assert (rest.rank, rest.rank_low, rest.rank_high) == (33, 33, 33)
    # The rest's four units count as four of 36 equal ones, but for the rows' chance.
    assert contributions.run(study).effective_units == pytest.approx(36, rel=0.03)
    assert min(unit.rank_low for unit in units) == 1
    assert all(unit.rank_low <= unit.rank <= unit.rank_high for unit in units)


def test_a_unit_that_is_almost_constant_does_not_break_completeness() -> None:
    """It jitters within 1e-6 of its own scale, so it is no player; but the decoder sees it."""
    codes = decoders.gaussian_codes(120, 4)
    codes[:, 3] = 100 + 2e-5 * codes[:, 3]
    study = decoders.carrying(decoders.linear(4), codes, settings=FEW)
    assert study.player_units.tolist() == [0, 1, 2]
    assert contributions.run(study).completeness_error <= 1e-5


def test_one_unit_carries_everything() -> None:
    study = decoders.carrying(decoders.additive(1), decoders.gaussian_codes(60, 1), settings=FEW)
    (share,) = contributions.run(study).shares
    assert share.share.value == pytest.approx(1, abs=1e-6)
    assert (share.rank, share.rank_low, share.rank_high) == (1, 1, 1)


@pytest.mark.parametrize("slope", [0.0, 3e-8])
def test_a_decoder_that_ignores_its_code_up_to_rounding_has_no_shares(slope: float) -> None:
    study = decoders.carrying(
        lambda z: 0.5 + slope * z @ decoders.directions(3), decoders.gaussian_codes(60, 3)
    )
    with pytest.raises(UnanswerableError):
        contributions.run(study)


@pytest.mark.parametrize("factor", [1.01, float("nan")])
@pytest.mark.parametrize("shared", [path_shares, picture_paths])
def test_contributions_that_do_not_add_up_are_told(monkeypatch, shared, factor: float) -> None:
    """One image's are too large, or are no numbers; the others add up."""
    study = decoders.study_of(decoders.smooth(3), decoders.gaussian_codes(80, 3), settings=FEW)
    assert study.shared(path_shares).incompleteness < 1e-5
    honest = path_contributions.row_paths

    def one_off(*arguments: object) -> Iterator[RowPath]:
        for place, path in enumerate(honest(*arguments)):
            wrong = factor if place == 2 else 1
            yield RowPath(wrong * path.contributions, path.change)

    monkeypatch.setattr(path_contributions, "row_paths", one_off)
    found = shared(study).incompleteness
    # Shares are known by now; the pictures are not.
    of_pictures = contributions.run(study).completeness_error
    if np.isnan(factor):
        assert np.isnan(found) and np.isnan(of_pictures)
    else:
        assert 1e-4 < min(found, of_pictures) < 0.011


def test_a_decoder_that_is_no_number_on_the_way_is_not_called_complete() -> None:
    """Finite on data, and NaN where no image is."""
    codes = decoders.gaussian_codes(80, 2)
    known = torch.from_numpy(codes)

    def decode(z: torch.Tensor) -> torch.Tensor:
        real = (torch.cdist(z.double(), known.double()) < 1e-4).any(dim=1)
        mean = (z - known.mean(dim=0)).abs().amax(dim=1) < 0.5
        images = z @ decoders.directions(2)
        return torch.where((real | mean)[:, None], images, torch.nan)

    study = decoders.carrying(decode, codes, settings=FEW)
    assert np.isnan(contributions.run(study).completeness_error)


def test_an_image_s_own_shares_of_pca_are_scikit_learn_s_squared_scores(smooth_study) -> None:
    result = contributions.run(smooth_study)
    images, count = smooth_study.fit.images.astype(np.float64), len(result.pca_shares)
    oracle = PCA(smooth_study.pca_components).fit(images)
    squares = oracle.transform(smooth_study.test.images[smooth_study.rows.pictures]) ** 2
    assert count == smooth_study.pca_components
    expected = squares / squares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(result.pca_row_shares, expected, atol=1e-6)


def test_a_unit_s_strong_images_have_its_largest_contributions_on_either_side_of_its_mean(
    linear_study,
) -> None:
    result = contributions.run(linear_study)
    strong = result.strong
    assert strong is not None
    shares = linear_study.shared(path_shares)
    codes = linear_study.test.codes[shares.rows].astype(np.float64) - linear_study.baseline
    terms = decoders.directions(4).double().numpy() * np.arange(1, 5)[:, None]
    for unit in range(4):
        found = [place for place, image in enumerate(strong.images) if image.unit == unit]
        expected = [int(np.argmax(codes[:, unit])), int(np.argmin(codes[:, unit]))]
        expected.sort(key=lambda row: -abs(codes[row, unit]))
        rows = shares.rows[expected]
        names = [strong.images[place].name for place in found]
        assert names == [linear_study.test.names[row] for row in rows]
        np.testing.assert_array_equal(strong.originals[found], linear_study.test.images[rows])
        for place, row in zip(found, expected, strict=True):
            part, change = codes[row, unit] * terms[unit], codes[row] @ terms
            np.testing.assert_allclose(strong.parts[place], part, atol=1e-5)
            own = part @ change / (change @ change)
            assert strong.images[place].share == pytest.approx(own, rel=1e-4)


def test_the_strongest_rows_of_several_ranks_are_those_of_one() -> None:
    generator = np.random.default_rng(4)

    def look(sizes: np.ndarray) -> StrongestRows:
        rows = generator.integers(0, 90, size=(3, 2))
        pictures = generator.normal(size=(3, 2, 5)).astype(np.float32)
        return StrongestRows(rows, sizes, generator.normal(size=(3, 2)), pictures)

    looks = [look(generator.random((3, 2))) for _ in range(2)]

    class Meeting(Ranks):
        """Adds what the other of two ranks has told at the same point."""

        def add_up(self, *arrays: np.ndarray) -> None:
            for array in arrays:
                told[self.rank].append(array.copy())
                array += told[1 - self.rank][len(told[self.rank]) - 1]

    def told_by(rank: int) -> list[np.ndarray]:
        """A rank's sizes, then what it is strongest in."""
        other = looks[rank]
        both = np.stack([look.sizes for look in looks])
        mine = both.argmax(axis=0) == rank
        sizes = np.zeros((2, 3, 2))
        sizes[rank] = other.sizes
        return [
            sizes,
            np.where(mine, other.rows + 1, 0),
            np.where(mine, other.shares, 0),
            np.where(mine[..., None], other.pictures, np.float32(0)),
        ]

    expected = looks[0].or_stronger(looks[1])
    for rank, own in enumerate(looks):
        told = {rank: [], 1 - rank: told_by(1 - rank)}
        met = own.over(Meeting(rank, 2))
        for name in ("rows", "sizes", "shares", "pictures"):
            np.testing.assert_array_equal(getattr(met, name), getattr(expected, name))
