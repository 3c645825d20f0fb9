"""M3's table: mean, resample, nearest, zero; closed forms and scikit-learn's neighbours."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from SALib.analyze import sobol
from SALib.sample import sobol as sobol_sample
from scipy import stats
from sklearn.neighbors import NearestNeighbors

from reportgen.analyses import ablation, baselines, contributions
from reportgen.settings import Settings
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders

LENGTHS = np.arange(1, 4)


def tables(study: Study) -> dict[str, baselines.BaselineEffects]:
    return {table.baseline: table for table in baselines.run(study).tables}


def values(table: baselines.BaselineEffects) -> np.ndarray:
    return np.array([effect.value for effect in table.effects])


@pytest.fixture(scope="module")
def shifted() -> Study:
    """A linear decoder whose second unit has its mean 3 sd from zero; 256 rows."""
    codes = decoders.gaussian_codes(600, 3) + np.array([0, 3, 0], np.float32)
    return decoders.carrying(decoders.linear(3), codes, settings=Settings(rows=256))


def test_the_mean_column_is_the_ablation_s(smooth_study) -> None:
    mean = tables(smooth_study)["mean"]
    effects = ablation.run(smooth_study).effects
    for column, field in ((mean.effects, "effect"), (mean.damages, "damage")):
        for found, expected in zip(column, effects, strict=True):
            assert found.value == pytest.approx(getattr(expected, field).value, rel=1e-5)


def test_the_mean_column_asks_for_no_decodes() -> None:
    """Beside it five for each row and unit, and one for each of four off-data flags."""
    settings = Settings(rows=64, off_data_sample=1)
    study = decoders.carrying(
        decoders.linear(3), decoders.gaussian_codes(200, 3), settings=settings
    )
    ablation.run(study)
    contributions.run(study)
    before = study.engine.forwards.total()
    baselines.run(study)
    assert study.engine.forwards.total() - before <= 5 * 64 * 3 + 4


def test_resampling_a_linear_decoder_gives_the_variance_share_and_not_twice_it(shifted) -> None:
    """½ E(z − z′)² = Var z: random donors are not counted twice. METHODS: 5 % at R = 2."""
    codes = shifted.test.codes.astype(np.float64)
    expected = codes.var(axis=0) * LENGTHS**2
    found = values(tables(shifted)["resample"])
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=0.2)
    assert found.sum() == pytest.approx(1, abs=0.12)


@pytest.mark.slow
def test_resampled_effects_are_salib_s_total_indices_within_monte_carlo() -> None:
    decode = decoders.smooth(3)
    uniform = np.random.default_rng(0).uniform(-2, 2, size=(4000, 3)).astype(np.float32)
    study = decoders.carrying(decode, uniform, settings=Settings(rows=1500))
    problem = {"num_vars": 3, "names": list("abc"), "bounds": [[-2, 2]] * 3}
    sample = sobol_sample.sample(problem, 4096, calc_second_order=False, seed=0)
    images = decode(torch.from_numpy(sample.astype(np.float32))).double().numpy()
    totals = np.array(
        [sobol.analyze(problem, p, calc_second_order=False, seed=0)["ST"] for p in images.T]
    )
    expected = images.var(axis=0) @ totals / images.var(axis=0).sum()
    np.testing.assert_allclose(values(tables(study)["resample"]), expected, rtol=0.08)


@pytest.mark.parametrize("base", [64, 256])
def test_resampled_effects_on_salib_s_own_sample_are_its_total_indices(base: int) -> None:
    """Jansen's ½ Σ(f(A) − f(AB_k))² over Var of f(A) and f(B), per pixel, weighted by variance.

    Rows are SALib's A; donors of unit k are its B, whose column k makes AB_k.
    """
    units = 3
    decode = decoders.smooth(units)
    problem = {"num_vars": units, "names": list("abc"), "bounds": [[-2, 2]] * units}
    sample = sobol_sample.sample(problem, base, calc_second_order=False, seed=0)
    codes = sample.astype(np.float32).reshape(base, units + 2, units)
    first, second = codes[:, 0], codes[:, -1]
    study = decoders.carrying(decode, np.concatenate([first, second]), fit_codes=first)
    rows = dataclasses.replace(study.rows, statistics=np.arange(base))
    study = dataclasses.replace(study, rows=rows, _shared={})

    images = decode(torch.from_numpy(codes.reshape(-1, units))).double().numpy()
    totals = np.array(
        [sobol.analyze(problem, p, calc_second_order=False, seed=0)["ST"] for p in images.T]
    )
    both = images.reshape(base, units + 2, -1)[:, [0, -1]].reshape(2 * base, -1)
    expected = both.var(axis=0) @ totals / both.var(axis=0).sum()

    taken = np.broadcast_to(base + np.arange(base)[:, None, None], (base, units, 1))
    spread = np.full(base, both.var(axis=0).sum())
    ablated = baselines._ablations(study, baselines._from_donors(study, taken))
    found = baselines._table(study, "resample", ablated, spread)
    np.testing.assert_allclose(values(found), expected, rtol=1e-6)


def test_zero_differs_from_mean_by_the_squared_shift(shifted) -> None:
    zero, mean = values(tables(shifted)["zero"]), values(tables(shifted)["mean"])
    codes = shifted.test.codes[shifted.rows.statistics].astype(np.float64)
    start = shifted.baseline.astype(np.float64)
    expected = np.square(codes).mean(axis=0) / np.square(codes - start).mean(axis=0)
    np.testing.assert_allclose(zero / mean, expected, rtol=1e-5)
    assert expected[1] == pytest.approx(1 + 3**2, rel=0.2)


def test_donors_are_other_rows() -> None:
    study = decoders.carrying(decoders.linear(2), decoders.gaussian_codes(60, 2), settings=FEW)
    rows = study.rows.statistics[:, None, None]
    for donors in (baselines._random_donors(study), baselines._nearest_donors(study)):
        assert donors.shape == (len(study.rows.statistics), 2, 2)
        assert (donors != rows).all()
        assert donors.min() >= 0 and donors.max() < len(study.test)


def test_near_donors_are_among_scikit_learn_s_ten_nearest_in_the_other_units(shifted) -> None:
    donors = baselines._nearest_donors(shifted)
    scaled = shifted.test.codes / shifted.fit.codes.std(axis=0, dtype=np.float64)
    for unit in range(3):
        others = np.delete(scaled, unit, axis=1)
        nearest = NearestNeighbors(n_neighbors=11).fit(others)
        close = nearest.kneighbors(others[shifted.rows.statistics], return_distance=False)
        for row, picked in zip(close, donors[:, unit], strict=True):
            assert set(picked) <= set(row)


def test_a_unit_that_does_not_vary_over_the_test_rows_has_no_say_in_who_is_near() -> None:
    """It varies over the fit rows, so it is a player; it has no sd of its own in the test rows."""
    codes = decoders.gaussian_codes(80, 3)
    codes[:, 2] = 3
    study = decoders.carrying(
        decoders.linear(3), codes, fit_codes=decoders.gaussian_codes(80, 3, seed=5), settings=FEW
    )
    scaled = codes[:, :2] / study.fit.codes[:, :2].std(axis=0, dtype=np.float64)
    nearest = NearestNeighbors(n_neighbors=11).fit(scaled[:, 1:])
    close = nearest.kneighbors(scaled[study.rows.statistics, 1:], return_distance=False)
    for row, picked in zip(close, baselines._nearest_donors(study)[:, 0], strict=True):
        assert set(picked) <= set(row)


def test_the_only_unit_has_every_row_near_it() -> None:
    study = decoders.carrying(
        decoders.linear(1), decoders.gaussian_codes(400, 1), settings=Settings(rows=200)
    )
    assert len(np.unique(baselines._nearest_donors(study))) > 100


def test_near_donors_of_a_copied_unit_change_next_to_nothing() -> None:
    codes = decoders.gaussian_codes(1200, 2)
    codes[:, 1] = codes[:, 0] + 0.01 * codes[:, 1]
    study = decoders.carrying(decoders.linear(2), codes, settings=Settings(rows=128))
    found = tables(study)
    assert values(found["nearest"]).max() < 0.05 * values(found["resample"]).min()


def test_agreement_is_scipy_s_kendall_tau_with_shares(smooth_study) -> None:
    shares = {s.unit: s.share.value for s in contributions.run(smooth_study).shares}
    for table in tables(smooth_study).values():
        expected = stats.kendalltau(values(table), [shares[unit] for unit in table.units])
        assert table.rank_agreement == pytest.approx(expected.statistic)


def test_resampling_costs_r_k_forwards_a_row() -> None:
    study = decoders.carrying(decoders.smooth(4), decoders.gaussian_codes(300, 4), settings=FEW)
    ablation.run(study)
    contributions.run(study)
    with study.engine.charged_to("baselines"):
        result = baselines.run(study)
    rows, units = len(study.rows.statistics), 4
    assert result.donors == 2
    assert study.engine.forwards["baselines"] <= rows * units * (2 * result.donors + 1)


def test_the_seed_chooses_the_donors(smooth_study) -> None:
    other = dataclasses.replace(smooth_study, settings=dataclasses.replace(FEW, seed=4), _shared={})
    assert (
        values(tables(smooth_study)["resample"]).tolist()
        == values(tables(smooth_study)["resample"]).tolist()
    )
    assert not np.array_equal(
        baselines._random_donors(other), baselines._random_donors(smooth_study)
    )


def resampled(decode, uniform: np.ndarray) -> np.ndarray:
    study = decoders.carrying(decode, uniform, settings=Settings(rows=1000))
    return values(tables(study)["resample"])


def test_resampled_effects_of_ishigami_are_its_analytic_total_indices() -> None:
    """ST = .5576, .4424, .2437 (SALib's documentation); R = 2 on 1,000 rows: within 8 % + .01."""
    generator = np.random.default_rng(1)
    uniform = generator.uniform(-np.pi, np.pi, size=(2500, 3)).astype(np.float32)
    found = resampled(decoders.ishigami(), uniform)
    np.testing.assert_allclose(found, [0.5576, 0.4424, 0.2437], rtol=0.08, atol=0.01)


def test_resampled_effects_of_sobol_s_g_are_salib_s_analytic_total_indices() -> None:
    from SALib.test_functions import Sobol_G

    importances = np.array([0.0, 1.0, 4.5, 99.0])
    uniform = np.random.default_rng(2).uniform(size=(2500, 4)).astype(np.float32)
    found = resampled(decoders.sobol_g(importances), uniform)
    expected = Sobol_G.total_sensitivity_index(importances)
    np.testing.assert_allclose(found, expected, rtol=0.08, atol=0.01)
