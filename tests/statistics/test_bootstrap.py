"""Percentile intervals against scipy's, and against the truth over many data sets."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats

from reportgen.analyses import additivity, linearity, reconstruction
from reportgen.rows import choose_rows
from reportgen.settings import Settings
from reportgen.statistics.bootstrap import Bootstrap, Estimate, interval, safe_ratio
from reportgen.study import Study
from tests.oracles import decoders

ROWS = 120


@pytest.fixture(scope="module")
def terms() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    total = generator.gamma(2, size=ROWS)
    return total * generator.beta(2, 5, size=ROWS), total


def test_an_interval_of_a_ratio_is_scipy_s_percentile_interval(terms) -> None:
    resamples = 20_000
    ours = Bootstrap(ROWS, resamples, seed=1).ratio(*terms)
    theirs = stats.bootstrap(
        terms,
        lambda a, b, axis: a.sum(axis=axis) / b.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    assert ours.value == pytest.approx(terms[0].sum() / terms[1].sum(), rel=1e-12)
    # Both are Monte Carlo; their ends have a standard error of about 1 % of the width.
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.05 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.05 * width)


def test_an_interval_of_one_minus_a_ratio_is_scipy_s(terms) -> None:
    ours = Bootstrap(ROWS, 20_000, seed=1).estimate(lambda m, t: 1 - safe_ratio(m, t), *terms)
    theirs = stats.bootstrap(
        terms,
        lambda a, b, axis: 1 - a.sum(axis=axis) / b.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.05 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.05 * width)


def test_every_resample_has_as_many_rows_as_there_are() -> None:
    weights = Bootstrap(37, 50, seed=0).weights
    assert weights.shape == (50, 37)
    assert (weights.sum(axis=1) == 37).all()
    assert (weights >= 0).all() and (weights == weights.round()).all()


def test_sums_are_sums_over_repeated_rows() -> None:
    bootstrap = Bootstrap(9, 5, seed=0)
    values = np.random.default_rng(0).normal(size=(9, 2, 3))
    for drawn, total in zip(bootstrap.weights.astype(int), bootstrap.sums(values), strict=True):
        np.testing.assert_allclose(np.repeat(values, drawn, axis=0).sum(axis=0), total, atol=1e-12)


def test_ratios_of_columns_are_ratios_one_by_one(terms) -> None:
    bootstrap = Bootstrap(ROWS, 200, seed=0)
    columns = np.stack([terms[0], terms[0] ** 2], axis=1)
    one_by_one = [bootstrap.ratio(column, terms[1]) for column in columns.T]
    together = bootstrap.ratios(columns, terms[1])
    np.testing.assert_allclose(
        [dataclasses.astuple(estimate) for estimate in together],
        [dataclasses.astuple(estimate) for estimate in one_by_one],
        rtol=1e-12,
    )


def test_ratios_are_of_sums_and_not_means_of_ratios() -> None:
    assert Bootstrap(2, 100, seed=0).ratio(np.array([1.0, 9]), np.array([1.0, 99])).value == 0.1


def test_the_same_seed_draws_the_same_resamples() -> None:
    assert np.array_equal(Bootstrap(30, 10, 4).weights, Bootstrap(30, 10, 4).weights)
    assert not np.array_equal(Bootstrap(30, 10, 4).weights, Bootstrap(30, 10, 5).weights)


def test_a_ratio_without_a_denominator_is_undefined_in_all_three() -> None:
    estimate = Bootstrap(5, 100, seed=0).ratio(np.zeros(5), np.zeros(5))
    assert np.isnan(dataclasses.astuple(estimate)).all()


def test_resamples_that_are_undefined_are_left_out_of_the_interval() -> None:
    assert interval(1.0, np.array([np.nan, 1.0, np.inf, 3.0])) == Estimate(1.0, 1.05, 2.95)


SIMULATIONS, SIMULATED_ROWS = 200, 80
HEADLINES = {
    "R²": lambda study: reconstruction.run(study, study.settings).r2,
    "linear share": lambda study: linearity.run(study, study.settings).linear,
    "gap": lambda study: additivity.run(study, study.settings).up.gap,
}


def noisy_smooth_study(rows: int, settings: Settings) -> Study:
    """Test rows of one fixed model with one fixed fit: images are reconstructions plus noise."""
    generator = np.random.default_rng(21)
    decode = decoders.smooth(3)
    mixing = torch.from_numpy(generator.normal(size=(decoders.PIXELS, 3)).astype(np.float32) / 2)
    return decoders.of_pixels(
        generator.normal(size=(rows, decoders.PIXELS)),
        fit_pixels=np.random.default_rng(22).normal(size=(100, decoders.PIXELS)),
        encode=lambda images: images.reshape(len(images), -1) @ mixing,
        decode=lambda z: decode(z).reshape(len(z), 1, decoders.HEIGHT, decoders.WIDTH),
        code_shape=(3,),
        settings=settings,
    )


def drawn(population: Study, number: int) -> Study:
    """A data set of a few of the population's test rows."""
    rows = np.random.default_rng([7, number]).choice(len(population.test), SIMULATED_ROWS)
    test = population.test.take(rows)
    chosen = choose_rows(test.codes, test.squared_errors, 3, population.settings)
    return dataclasses.replace(population, test=test, rows=chosen, _shared={})


def test_95_percent_intervals_cover_the_truth_in_90_to_98_percent_of_200_data_sets() -> None:
    settings = Settings(bootstrap_resamples=300, rows=5_000)
    population = noisy_smooth_study(5_000, settings)
    truth = {name: headline(population).value for name, headline in HEADLINES.items()}
    covered = dict.fromkeys(HEADLINES, 0)
    for number in range(SIMULATIONS):
        study = drawn(population, number)
        for name, headline in HEADLINES.items():
            estimate = headline(study)
            covered[name] += estimate.low <= truth[name] <= estimate.high
    for name, count in covered.items():
        assert 0.90 <= count / SIMULATIONS <= 0.98, (name, count)
