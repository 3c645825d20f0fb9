"""M12: constant, ignored, collapsed, atom, duplicate: each threshold from both sides."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from torch.distributions import Normal, kl_divergence

from reportgen.analyses import health
from reportgen.analyses.health import UnitHealth
from reportgen.settings import Settings
from reportgen.study.rows import split_rows
from tests.conftest import FEW
from tests.oracles import decoders
from tests.oracles.spatial_codes import painting


def units_of(codes: np.ndarray, decode=None, **of_autoencoder) -> tuple[UnitHealth, ...]:
    """Health on exactly these codes, which are also the fit rows."""
    study = decoders.carrying(
        decode or decoders.linear(codes.shape[1]),
        codes,
        fit_codes=codes,
        settings=FEW,
        **of_autoencoder,
    )
    return health.run(study).units


def test_healthy_units_have_nothing_to_report() -> None:
    assert [unit.states for unit in units_of(decoders.gaussian_codes(200, 3))] == [()] * 3


@pytest.mark.parametrize(("jitter", "constant"), [(0.9e-6, True), (1.2e-6, False)])
def test_constant_is_relative_to_a_unit_s_own_scale(jitter: float, constant: bool) -> None:
    for scale in (1e-3, 1.0, 1e3):
        codes = decoders.gaussian_codes(200, 3)
        codes[:, 1] = scale * (1 - jitter * np.resize([0.0, 2.0], 200))
        assert ("constant" in units_of(codes)[1].states) == constant


def test_constant_units_are_named_and_stay() -> None:
    codes = decoders.gaussian_codes(200, 3)
    codes[:, 1] = 7
    study = decoders.carrying(decoders.linear(3), codes, settings=FEW)
    result = health.run(study)
    assert [unit.states for unit in result.units] == [(), ("constant",), ()]
    assert result.live == 2
    assert (result.units[1].mean, result.units[1].deviation) == (7, 0)
    assert np.isnan(result.units[1].r2_on_others)


def weak_unit(effect: float) -> tuple[str, ...]:
    """States of a unit whose effects, alone and last, are this share of the spread."""
    pictures = decoders.directions(2)
    codes = decoders.symmetric_codes(200, 2)
    codes[:, 1] *= np.sqrt(np.square(codes[:, 0]).sum() / np.square(codes[:, 1]).sum())
    strength = np.sqrt(effect / (1 - effect))
    return units_of_all_rows(
        codes, lambda z: z[:, :1] * pictures[0] + strength * z[:, 1:] * pictures[1]
    )


def units_of_all_rows(codes: np.ndarray, decode) -> tuple[str, ...]:
    settings = dataclasses.replace(FEW, rows=len(codes))
    study = decoders.carrying(decode, codes, fit_codes=codes, settings=settings)
    return health.run(study).units[1].states


def test_a_unit_is_ignored_below_a_hundredth_of_its_even_part() -> None:
    assert weak_unit(0.98 * 0.01 / 2) == ("ignored",)
    assert weak_unit(1.02 * 0.01 / 2) == ()


def test_a_unit_that_acts_only_in_company_or_only_alone_is_not_ignored() -> None:
    first, second = decoders.directions(2)
    codes = decoders.symmetric_codes(200, 2)
    in_company = units_of_all_rows(
        codes, lambda z: z[:, :1] * first + z[:, :1] * z[:, 1:2] * second
    )
    assert in_company == ()


def test_a_live_unit_is_neither_constant_nor_ignored() -> None:
    codes = decoders.gaussian_codes(200, 4)
    codes[:, 3] = 1
    decode = decoders.linear(2)
    study = decoders.carrying(lambda z: decode(z[:, :2]), codes, settings=FEW)
    assert health.run(study).live == 2


def posterior(deviations: torch.Tensor):
    return {"posterior_sd": lambda images: deviations.expand(len(images), -1)}


def test_divergence_is_torch_s_to_the_standard_normal() -> None:
    deviations = torch.tensor([0.1, 0.7, 1.3])
    codes = decoders.gaussian_codes(200, 3)
    expected = kl_divergence(
        Normal(torch.from_numpy(codes).double(), deviations.double()),
        Normal(torch.zeros(3).double(), torch.ones(3).double()),
    ).mean(dim=0)
    for unit, value in zip(units_of(codes, **posterior(deviations)), expected, strict=True):
        assert unit.divergence == pytest.approx(float(value), rel=1e-6)


@pytest.mark.parametrize("known", [True, False])
def test_a_code_is_variational_where_its_posterior_s_sd_is_known(known: bool) -> None:
    posteriors = posterior(torch.ones(2)) if known else {}
    codes = decoders.gaussian_codes(60, 2)
    study = decoders.carrying(decoders.linear(2), codes, settings=FEW, **posteriors)
    assert health.run(study).variational == known


def test_a_unit_is_collapsed_when_divergence_and_variance_of_means_are_both_small() -> None:
    codes = decoders.symmetric_codes(400, 4)
    codes /= codes.std(axis=0)
    codes[:, 0] *= 0.09  # variance .0081 and KL .00405 at σ = 1: collapsed
    codes[:, 1] *= 0.11  # variance .0121: not
    codes[:, 2] *= 0.05  # variance .0025, but KL .0115 at σ = .9
    deviations = torch.tensor([1.0, 1.0, 0.9, 0.5])
    states = [unit.states for unit in units_of(codes, **posterior(deviations))]
    assert [("collapsed" in state) for state in states] == [True, False, False, False]


def test_without_a_posterior_nothing_is_collapsed() -> None:
    codes = decoders.gaussian_codes(200, 2) * np.array([1, 1e-3], np.float32)
    units = units_of(codes)
    assert [unit.divergence for unit in units] == [None, None]
    assert not any("collapsed" in unit.states for unit in units)


@pytest.mark.parametrize(("on_one_value", "atom"), [(100, False), (101, True)])
def test_an_atom_is_one_value_for_more_than_half_of_the_rows(on_one_value, atom) -> None:
    codes = decoders.gaussian_codes(200, 2)
    codes[:on_one_value, 1] = -0.0
    codes[: on_one_value // 2, 1] = 0.0
    unit = units_of(codes)[1]
    assert ("atom" in unit.states) == atom
    assert unit.atom_value == (0 if atom else None)


def correlated_pair(r: float, rows: int) -> np.ndarray:
    """Two units whose sample correlation is exactly r, and an unrelated third."""
    generator = np.random.default_rng(0)
    scores = generator.normal(size=(rows, 3))
    scores = np.linalg.qr(scores - scores.mean(axis=0))[0] * np.sqrt(rows)
    scores[:, 1] = r * scores[:, 0] + np.sqrt(1 - r**2) * scores[:, 1]
    return scores.astype(np.float32)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("r", "rows", "duplicate"), [(0.96, 30, True), (0.94, 30, False), (0.96, 29, False)]
)
def test_duplicates_correlate_above_95_over_30_rows_or_more(r, rows, duplicate, sign) -> None:
    codes = correlated_pair(r, rows) * np.array([1, sign, 1], np.float32)
    first, second, third = units_of(codes)
    assert (first.duplicate_of, second.duplicate_of) == ((1, 0) if duplicate else (None, None))
    assert third.duplicate_of is None
    assert ("duplicate" in first.states) == duplicate


@pytest.mark.parametrize(("r", "named"), [(0.71, True), (0.69, False)])
def test_company_above_70_is_named_with_its_r(r: float, named: bool) -> None:
    first, second, third = units_of(correlated_pair(-r, 100))
    if named:
        ((other, value),) = first.correlated_with
        assert (other, value) == (1, pytest.approx(-r, abs=1e-4))
        assert second.correlated_with[0][0] == 0
    else:
        assert first.correlated_with == second.correlated_with == ()
    assert third.correlated_with == ()


def test_company_never_names_a_constant_unit() -> None:
    codes = decoders.gaussian_codes(200, 2)
    codes[:, 1] = 1 + 5e-8 * codes[:, 0]
    assert units_of(codes)[0].correlated_with == ()


def with_a_copy(rows: int) -> np.ndarray:
    """Three units, of which two are correlated, and a fourth that is one of them again."""
    codes = correlated_pair(0.8, rows)
    return np.column_stack([codes, codes[:, 0]])


@pytest.mark.parametrize("codes", [correlated_pair(0.8, 300), with_a_copy(300)])
def test_r2_on_the_others_is_scikit_learn_s(codes) -> None:
    count = codes.shape[1]
    study = decoders.carrying(decoders.linear(count), codes, settings=FEW)
    fit, test = study.fit.codes.astype(np.float64), study.test.codes.astype(np.float64)
    for k, unit in enumerate(health.run(study).units):
        others = [j for j in range(count) if j != k]
        line = LinearRegression().fit(fit[:, others], fit[:, k])
        expected = r2_score(test[:, k], line.predict(test[:, others]))
        assert unit.r2_on_others == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("rows", [300, 500, 1000])
def test_r2_on_the_others_is_undefined_for_a_unit_that_is_silent_on_the_test_rows(rows) -> None:
    codes = decoders.gaussian_codes(rows, 3)
    fit_rows, _ = split_rows(rows, FEW.seed)
    codes[:, 1] = 0
    codes[fit_rows[:7], 1] = 1.7
    study = decoders.carrying(decoders.linear(3), codes, settings=FEW)
    assert 1 in study.player_units
    assert not study.test.codes[:, 1].any()
    silent = health.run(study).units[1]
    assert np.isnan(silent.r2_on_others)


def test_moments_and_quantiles_are_of_the_fit_rows_and_histograms_of_the_test_rows() -> None:
    study = decoders.carrying(
        decoders.linear(2),
        decoders.gaussian_codes(90, 2),
        fit_codes=5 + decoders.gaussian_codes(60, 2, seed=8),
        settings=FEW,
    )
    fit, test = study.fit.codes.astype(np.float64), study.test.codes.astype(np.float64)
    for k, unit in enumerate(health.run(study).units):
        assert unit.mean == pytest.approx(fit[:, k].mean())
        assert unit.deviation == pytest.approx(fit[:, k].std(ddof=0))
        assert unit.quantiles[3] == pytest.approx(np.median(fit[:, k]))
        assert unit.histogram.sum() == 90
        assert (unit.edges[0], unit.edges[-1]) == (test[:, k].min(), test[:, k].max())
        assert unit.posterior_mean_variance == pytest.approx(test[:, k].var(ddof=0))


def test_extreme_images_are_those_of_the_lowest_and_highest_values() -> None:
    codes = decoders.gaussian_codes(60, 2)
    study = decoders.carrying(decoders.linear(2), codes, fit_codes=codes, settings=FEW)
    unit = health.run(study).units[1]
    order = np.argsort(codes[:, 1])
    np.testing.assert_array_equal(unit.lowest, study.test.images[order[:8]])
    np.testing.assert_array_equal(unit.highest, study.test.images[order[::-1][:8]])


def test_images_are_kept_of_the_live_units_with_the_largest_effects(monkeypatch) -> None:
    places = np.random.default_rng(2).permutation(18)
    sizes = 1.15**places
    matrix = decoders.directions(18) * torch.from_numpy(sizes.astype(np.float32))[:, None]
    codes, fit_codes = (decoders.gaussian_codes(200, 18, seed) for seed in (3, 8))
    study = decoders.carrying(lambda z: 0.5 + z @ matrix, codes, fit_codes=fit_codes, settings=FEW)
    for most in (18, 17, 12):
        monkeypatch.setattr(health, "MOST_PICTURED", most)
        for unit in health.run(study).units:
            images = 8 if places[unit.unit] >= 18 - most else 0
            assert (len(unit.lowest), len(unit.highest)) == (images, images)


def test_a_decoder_that_ignores_its_code_has_only_ignored_units() -> None:
    for slope in (0.0, 3e-8):
        study = decoders.carrying(
            lambda z, slope=slope: 0.5 + slope * z @ decoders.directions(2),
            decoders.gaussian_codes(200, 2),
            settings=FEW,
        )
        result = health.run(study)
        assert [unit.states for unit in result.units] == [("ignored",)] * 2
        assert result.live == 0


def test_one_unit_is_healthy_alone() -> None:
    (unit,) = units_of(decoders.gaussian_codes(100, 1))
    assert unit.states == ()
    assert np.isnan(unit.r2_on_others)


def test_codes_that_do_not_vary_are_all_constant() -> None:
    assert [u.states for u in units_of(np.ones((60, 2), np.float32))] == [("constant",)] * 2


def test_thresholds_are_the_settings() -> None:
    settings = Settings(rows=40, duplicate_correlation=0.5, correlated_units=0.4)
    study = decoders.carrying(
        decoders.linear(3), correlated_pair(0.6, 200), fit_codes=correlated_pair(0.6, 200)
    )
    first = health.run(dataclasses.replace(study, settings=settings)).units[0]
    assert first.duplicate_of == 1
    assert first.correlated_with[0][0] == 1


def test_channels_are_duplicates_where_their_sites_agree_and_not_where_only_their_means_do() -> (
    None
):
    """Channel 1 is channel 0 with its sites turned around: the same mean, other numbers."""
    codes = np.random.default_rng(5).normal(size=(80, 4, 2, 3)).astype(np.float32)
    codes[:, 1] = codes[:, 0, ::-1, ::-1]
    codes[:, 2] = -codes[:, 0] + 0.1 * codes[:, 2]
    study = painting(codes, 2, settings=FEW)
    found = health.run(study).units
    assert [unit.coordinates for unit in found] == [6] * 4
    assert found[1].duplicate_of is None and found[3].duplicate_of is None
    assert found[0].duplicate_of == 2 and found[2].duplicate_of == 0
    kept = study.test.codes.reshape(-1, 4, 6)
    centred = (kept - kept.mean(axis=0, dtype=np.float64)).transpose(1, 0, 2).reshape(4, -1)
    ((other, r),) = found[0].correlated_with
    assert other == 2
    assert r == pytest.approx(np.corrcoef(centred)[0, 2], abs=1e-6)


def test_units_without_effect_are_no_copies_and_no_company() -> None:
    """Unit 2 copies unit 0, unit 3 goes with it; the decoder reads neither of them."""
    codes = decoders.gaussian_codes(400, 4)
    codes[:, 2] = codes[:, 0]
    codes[:, 3] = 0.9 * codes[:, 0] + np.sqrt(0.19) * codes[:, 3]
    decode = decoders.linear(2)
    first, second, copy, companion = units_of(codes, lambda z: decode(z[:, :2]))
    assert first.states == second.states == ()
    assert first.duplicate_of is None and first.correlated_with == ()
    assert copy.states == companion.states == ("ignored",)
    assert copy.r2_on_others == pytest.approx(1, abs=1e-6)
    assert companion.r2_on_others == pytest.approx(0.81, abs=0.05)
    assert abs(first.r2_on_others) < 0.05


def test_copies_count_once_however_many_there_are() -> None:
    """Units 1, 2 and 3 are one, 4 and 5 another, 0 and 6 by themselves, 7 constant."""
    codes = decoders.gaussian_codes(400, 8)
    codes[:, 2] = codes[:, 3] = codes[:, 1]
    codes[:, 5] = -codes[:, 4]
    codes[:, 7] = 3
    study = decoders.carrying(decoders.linear(8), codes, settings=FEW)
    result = health.run(study)
    assert (result.live, result.distinct) == (7, 4)
    copies = {unit.unit for unit in result.units if unit.duplicate_of is not None}
    assert copies == {1, 2, 3, 4, 5}


def test_without_live_units_none_are_distinct() -> None:
    study = decoders.carrying(
        lambda z: 0.5 + 0 * z @ decoders.directions(2), decoders.gaussian_codes(60, 2)
    )
    assert health.run(study).distinct == 0
