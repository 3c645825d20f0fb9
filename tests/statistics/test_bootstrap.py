"""Percentile intervals against scipy's, and against the truth over many data sets."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats

from reportgen.analyses import linearity, reconstruction
from reportgen.analyses.shared.gaps import gaps
from reportgen.analyses.shared.leading_shares import leading_shares, pooled_rho
from reportgen.settings import Settings
from reportgen.statistics.bootstrap import (
    Bootstrap,
    Estimate,
    bias_corrected_interval,
    held_by_few,
    interval,
    safe_ratio,
)
from reportgen.study.rows import choose_rows
from reportgen.study.single_moves import single_moves
from reportgen.study.study import Study
from tests.oracles import decoders
from tests.oracles.studentized import studentized

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
    "R²": lambda study: reconstruction.run(study).r2,
    "linear share": lambda study: linearity.run(study).linear,
    "gap": lambda study: gap(study),
    "ρ solo": lambda study: pooled_rho(study.shared(leading_shares).solo),
    "ρ context": lambda study: pooled_rho(study.shared(leading_shares).context),
}


def gap(study: Study) -> Estimate:
    """The gap of all units moved up, over the test rows alone."""
    moves = study.shared(single_moves)
    ratio = study.bootstrap(moves.rows).ratio
    return ratio(np.sqrt(moves.gap_up), np.sqrt(moves.combined))


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
    whole = population.test
    test = dataclasses.replace(
        whole,
        images=whole.images[rows],
        codes=whole.codes[rows],
        reconstructions=whole.reconstructions[rows],
        names=tuple(whole.names[row] for row in rows),
        every_code=whole.codes[rows],
        fingerprints=np.arange(2 * len(rows)).reshape(-1, 2),
    )
    chosen = choose_rows(test.codes, test.squared_errors, 3, population.settings)
    errors = population.pca_errors[rows]
    return dataclasses.replace(population, test=test, pca_errors=errors, rows=chosen, _shared={})


@pytest.mark.slow
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


def test_the_gap_of_these_data_sets_is_the_report_s() -> None:
    study = noisy_smooth_study(80, Settings(bootstrap_resamples=300, rows=80))
    assert gap(study) == gaps(study)[0].gap


def leading_share(moves: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """σ₁² / Σσ² of rows (n, q) under each resample's weights (B, n)."""
    squares = np.einsum("np,np->n", moves, moves)
    products = np.einsum("bn,np,nq->bpq", weights, moves, moves, optimize=True)
    return np.linalg.eigvalsh(products)[:, -1] / (weights @ squares)


@pytest.mark.parametrize(("rows", "coverage"), [(32, 0.96), (128, 0.88)])
def test_corrected_intervals_cover_where_few_rows_push_and_percentile_ones_do_not(
    rows: int, coverage: float
) -> None:
    """Twelve almost equally strong pictures: σ₁² of few rows is far too large.

    The coverage is that of 1,200 data sets; of 200 it is known to 0.02.
    """
    spread = np.r_[1.3, np.ones(11)]
    truth = spread[0] ** 2 / (spread**2).sum()
    bootstrap = Bootstrap(rows, 300, seed=0)
    corrected = percentile = above = 0
    for number in range(SIMULATIONS):
        moves = np.random.default_rng([8, number]).normal(size=(rows, 12)) * spread
        value = float(leading_share(moves, np.ones((1, rows)))[0])
        resampled = leading_share(moves, bootstrap.weights)
        found = bias_corrected_interval(value, resampled, 1.0)
        plain = interval(value, resampled)
        corrected += found.low <= truth <= found.high
        percentile += plain.low <= truth <= plain.high
        above += value > truth
    assert corrected / SIMULATIONS == pytest.approx(coverage, abs=0.03)
    assert percentile / SIMULATIONS < 0.75
    assert above / SIMULATIONS > 0.9


def test_a_correction_moves_the_interval_by_twice_the_bias_and_not_the_value() -> None:
    resampled = np.linspace(0.5, 0.7, 101)
    plain, found = interval(0.55, resampled), bias_corrected_interval(0.55, resampled, 1.0)
    assert found.value == 0.55
    assert found.low == pytest.approx(plain.low - 0.1)
    assert found.high == pytest.approx(plain.high - 0.1)


def test_a_corrected_interval_stays_within_what_the_number_can_be() -> None:
    found = bias_corrected_interval(0.99, np.linspace(0.9, 0.99, 50), 1.0)
    assert found.high == 1.0
    assert bias_corrected_interval(0.01, np.linspace(0.02, 0.3, 50), 1.0).low == 0.0


@pytest.mark.parametrize(("part", "few"), [(0.24, False), (0.26, True)])
def test_the_largest_hundredth_of_rows_holds_over_a_quarter_or_not(part: float, few: bool) -> None:
    sizes = np.append(np.full(99, (1 - part) / 99), part)
    assert held_by_few(sizes) == few
    assert held_by_few(np.ones(100), sizes) == few


def test_r2_s_interval_is_the_studentized_one_of_the_logarithm_of_what_is_missed(terms) -> None:
    """Davison & Hinkley, 1997, §5.2, resample by resample; sd by the delta method."""
    ours = Bootstrap(ROWS, 4_000, seed=1).explained(*terms)
    whole, deviation, moved = studentized(*terms, resamples=4_000, seed=2)
    least, most = np.percentile(moved, [2.5, 97.5])
    low, high = 1 - np.exp(whole - least * deviation), 1 - np.exp(whole - most * deviation)
    assert ours.value == pytest.approx(1 - terms[0].sum() / terms[1].sum(), rel=1e-12)
    assert ours.low == pytest.approx(low, abs=0.05 * (high - low))
    assert ours.high == pytest.approx(high, abs=0.05 * (high - low))


def test_r2_s_interval_holds_more_often_where_few_rows_decide() -> None:
    """Totals with an infinite variance, errors without: the R² of the population is known."""
    truth, held = 1 - 1 / 5, {"studentized": 0, "percentile": 0}
    for seed in range(200):
        generator = np.random.default_rng([31, seed])
        total = generator.pareto(1.25, size=300)  # Of mean 4.
        missed = generator.uniform(0.6, 1.0, size=300)
        bootstrap = Bootstrap(300, 200, seed)
        for name, found in (
            ("studentized", bootstrap.explained(missed, total)),
            ("percentile", bootstrap.estimate(lambda m, t: 1 - safe_ratio(m, t), missed, total)),
        ):
            held[name] += found.low <= truth <= found.high
    assert held["percentile"] + 10 < held["studentized"]


def test_copies_are_one_image_to_the_sd_of_r2_too(terms) -> None:
    copies = np.repeat(np.arange(ROWS), 3)
    tripled = Bootstrap(3 * ROWS, 500, 1, copies).explained(*(np.repeat(t, 3) for t in terms))
    once = Bootstrap(ROWS, 500, 1).explained(*terms)
    assert (tripled.low, tripled.high) == pytest.approx((once.low, once.high), rel=1e-9)


@pytest.mark.parametrize(
    ("missed", "value"), [(np.zeros(40), 1.0), (np.full(40, 0.25), 0.75), (np.ones(40) * 3, -2.0)]
)
def test_an_r2_that_is_the_same_for_every_row_has_an_interval_of_no_width(missed, value) -> None:
    found = Bootstrap(40, 50, 0).explained(missed, np.ones(40))
    assert (found.low, found.value, found.high) == pytest.approx((value,) * 3, abs=1e-12)


def test_a_miss_s_interval_is_the_symmetric_studentized_one_of_its_logarithm(terms) -> None:
    """Hall, 1988, resample by resample: the |t| that 95 % of them keep within, to both sides."""
    ours = Bootstrap(ROWS, 4_000, seed=1).root_ratio(*terms)
    _, deviation, moved = studentized(*terms, resamples=4_000, seed=2)
    half = np.percentile(np.abs(moved), 95) * deviation / 2
    assert ours.value == pytest.approx(np.sqrt(terms[0].sum() / terms[1].sum()), rel=1e-12)
    assert np.log(ours.high / ours.value) == pytest.approx(half, rel=0.05)
    assert np.log(ours.value / ours.low) == pytest.approx(half, rel=0.05)


def test_a_miss_s_interval_holds_it_more_often_than_percentiles_of_16_images() -> None:
    """Totals are gamma distributed with mean 2; a tenth of their squares, .6 on average, missed."""
    truth, held = np.sqrt(0.3), {"studentized": 0, "percentile": 0}
    for seed in range(SIMULATIONS):
        total = np.random.default_rng([32, seed]).gamma(2, size=16)
        bootstrap = Bootstrap(16, 200, seed)
        found = bootstrap.root_ratio(0.1 * total**2, total)
        plain = bootstrap.estimate(lambda m, t: np.sqrt(m / t), 0.1 * total**2, total)
        held["studentized"] += found.low <= truth <= found.high
        held["percentile"] += plain.low <= truth <= plain.high
    assert held["percentile"] + 20 < held["studentized"]


@pytest.mark.parametrize(("rows", "studentized"), [(15, False), (16, True)])
def test_a_miss_of_fewer_than_16_images_has_percentiles(terms, rows: int, studentized: bool):
    few = [part[:rows] for part in terms]
    bootstrap = Bootstrap(rows, 200, seed=1)
    plain = bootstrap.estimate(lambda m, t: np.sqrt(m / t), *few)
    assert (bootstrap.root_ratio(*few) != plain) == studentized
