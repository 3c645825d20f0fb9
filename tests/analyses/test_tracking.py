"""M18: what a unit follows; scipy's Spearman correlation and scikit-learn's AUC."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from reportgen.analyses import UnanswerableError, tracking
from reportgen.analyses.tracking import Factor
from reportgen.settings import Settings
from reportgen.study.study import Study
from tests.oracles import decoders

ROWS = 160
MANY = Settings(bootstrap_resamples=2000, rows=20)


def study_with(codes: np.ndarray, settings: Settings = MANY, **known) -> Study:
    """All of these rows are test rows."""
    return decoders.carrying(
        decoders.linear(codes.shape[1]), codes, fit_codes=codes, settings=settings, **known
    )


def factors_of(codes: np.ndarray, unit: int = 0, **known) -> dict[str, Factor]:
    result = tracking.run(study_with(codes, **known))
    return {factor.name: factor for factor in result.units[unit].factors}


@pytest.fixture(scope="module")
def codes() -> np.ndarray:
    return decoders.gaussian_codes(ROWS, 2)


def noisy(values: np.ndarray, noise: float) -> np.ndarray:
    return values + noise * np.random.default_rng(1).normal(size=len(values))


@pytest.mark.parametrize("noise", [0.1, 1.0, 5.0])
def test_a_given_factor_s_r_is_scipy_s_spearman(codes, noise: float) -> None:
    factor = np.round(np.exp(noisy(codes[:, 0], noise)), 1)  # with ties
    found = factors_of(codes, factors={"dose": tuple(factor)})["dose"]
    expected = stats.spearmanr(codes[:, 0], factor).statistic
    assert found.kind == "given"
    assert found.measure.value == pytest.approx(expected, abs=1e-9)


def test_rows_without_the_factor_are_left_out_as_scipy_s_omit_does(codes) -> None:
    factor = noisy(codes[:, 0], 1)
    factor[::3] = np.nan
    found = factors_of(codes, factors={"dose": tuple(factor)})["dose"]
    expected = stats.spearmanr(codes[:, 0], factor, nan_policy="omit").statistic
    assert found.measure.value == pytest.approx(expected, abs=1e-9)


def test_a_correlation_s_interval_is_scipy_s_bootstrap(codes) -> None:
    """Ours keeps the whole sample's ranks; scipy ranks each resample again."""
    factor = noisy(codes[:, 0], 1)
    found = factors_of(codes, factors={"dose": tuple(factor)})["dose"].measure
    theirs = stats.bootstrap(
        (codes[:, 0], factor),
        lambda x, y: stats.spearmanr(x, y).statistic,
        paired=True,
        vectorized=False,
        n_resamples=1000,
        method="percentile",
        rng=np.random.default_rng(3),
    ).confidence_interval
    width = theirs.high - theirs.low
    assert found.low == pytest.approx(theirs.low, abs=0.15 * width)
    assert found.high == pytest.approx(theirs.high, abs=0.15 * width)


def test_a_class_s_auc_is_scikit_learn_s(codes) -> None:
    rounded = np.round(codes, 1)  # with ties
    inside = noisy(rounded[:, 0], 1) > 0.3
    labels = tuple("yes" if flag else "no" for flag in inside)
    found = factors_of(rounded, labels=labels)
    assert found["yes"].kind == "class"
    expected = roc_auc_score(inside, rounded[:, 0])
    assert found["yes"].measure.value == pytest.approx(expected, abs=1e-9)
    assert found["no"].measure.value == pytest.approx(1 - expected, abs=1e-9)


def test_an_auc_s_interval_is_scipy_s_bootstrap_over_rows(codes) -> None:
    inside = noisy(codes[:, 0], 1) > 0.3
    labels = tuple("yes" if flag else "no" for flag in inside)
    found = factors_of(codes, labels=labels)["yes"].measure
    theirs = stats.bootstrap(
        (codes[:, 0], inside),
        lambda x, y: roc_auc_score(y, x),
        paired=True,
        vectorized=False,
        n_resamples=400,
        method="percentile",
        rng=np.random.default_rng(3),
    ).confidence_interval
    width = theirs.high - theirs.low
    assert found.low == pytest.approx(theirs.low, abs=0.15 * width)
    assert found.high == pytest.approx(theirs.high, abs=0.15 * width)


@pytest.mark.parametrize(("digits", "kind"), [(1, "first"), (9, "third")])
def test_a_resample_s_auc_is_scikit_learn_s_with_rows_weighted_by_their_counts(
    codes, digits: int, kind: str
) -> None:
    values = np.round(codes, digits)  # with ties and without
    kinds = np.random.default_rng(6).choice(["first", "second", "third"], size=ROWS)
    few = dataclasses.replace(MANY, bootstrap_resamples=200)
    study = study_with(values, few, labels=tuple(kinds))
    weights = study.bootstrap(study.test_rows).weights
    found = {f.name: f.measure for f in tracking.run(study).units[1].factors}
    areas = [roc_auc_score(kinds == kind, values[:, 1], sample_weight=own) for own in weights]
    expected = np.percentile(areas, [2.5, 97.5])
    np.testing.assert_allclose((found[kind].low, found[kind].high), expected, atol=1e-12)


def test_image_factors_are_of_the_images_and_not_of_the_reconstructions() -> None:
    codes = decoders.gaussian_codes(ROWS, 2)
    found = factors_of(codes)["brightness"]
    study = study_with(codes)
    expected = stats.spearmanr(codes[:, 0], study.test.images.mean(axis=1)).statistic
    assert found.kind == "image"
    assert found.measure.value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("noise", "named"), [(0.5, True), (2.0, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_factor_is_named_when_the_weaker_end_of_r_passes_a_half(
    codes, noise, named, sign
) -> None:
    factor = sign * noisy(codes[:, 0], noise)
    found = factors_of(codes, factors={"dose": tuple(factor)})["dose"]
    weaker = min(abs(found.measure.low), abs(found.measure.high))
    assert found.named == named == (weaker > 0.5)


def test_a_large_r_whose_interval_reaches_below_a_half_is_not_named() -> None:
    codes = decoders.gaussian_codes(24, 1)
    factor = noisy(codes[:, 0], 1.2)
    found = factors_of(codes, factors={"dose": tuple(factor)})["dose"]
    assert found.measure.value > 0.6 and found.measure.low < 0.5
    assert not found.named


@pytest.mark.parametrize(("gap", "named"), [(3.0, True), (1.5, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_class_is_named_when_the_weaker_end_of_the_auc_passes_85(gap, named, sign) -> None:
    codes = decoders.gaussian_codes(ROWS, 1)
    inside = np.arange(ROWS) % 3 == 0
    codes[inside] += np.float32(sign * gap)
    labels = tuple("yes" if flag else "no" for flag in inside)
    found = factors_of(codes, labels=labels)["yes"]
    low, high = found.measure.low, found.measure.high
    weaker = low if sign > 0 else 1 - high
    assert found.named == named == (weaker > 0.85)


def test_unrelated_factors_are_never_named(codes) -> None:
    noise = np.random.default_rng(5).normal(size=(20, ROWS))
    given = {f"noise {k}": tuple(column) for k, column in enumerate(noise)}
    found = tracking.run(study_with(codes, factors=given))
    assert not any(f.named for u in found.units for f in u.factors if f.kind == "given")


def test_a_class_of_fewer_than_five_images_is_left_out(codes) -> None:
    labels = tuple(["rare"] * 4 + ["few"] * 5 + ["many"] * (ROWS - 9))
    assert tracking.run(study_with(codes, labels=labels)).classes == ("few", "many")


def test_a_factor_that_does_not_vary_is_undefined(codes) -> None:
    result = tracking.run(study_with(codes, factors={"same": (3.0,) * ROWS}))
    assert "same" in result.undefined_factors
    assert not any(f.name == "same" for u in result.units for f in u.factors)


def test_a_factor_without_a_single_value_is_undefined(codes) -> None:
    result = tracking.run(study_with(codes, factors={"empty": (float("nan"),) * ROWS}))
    assert "empty" in result.undefined_factors


def test_images_of_one_grey_each_have_brightness_and_no_place() -> None:
    grey = np.random.default_rng(0).random((60, 1)).astype(np.float32)
    study = decoders.of_pixels(np.repeat(grey, decoders.PIXELS, axis=1))
    result = tracking.run(study)
    (unit,) = result.units
    assert unit.factors[0].name == "brightness"
    assert unit.factors[0].measure.value == pytest.approx(1)
    assert {"centre x", "centre y", "extent", "orientation"} <= set(result.undefined_factors)


@pytest.mark.parametrize("known_rows", [2, 3, 8])
def test_a_factor_that_few_images_have_is_never_beyond_one(codes, known_rows: int) -> None:
    factor = np.full(ROWS, np.nan)
    factor[:known_rows] = codes[:known_rows, 0]
    for found in factors_of(codes, factors={"few": tuple(factor)}).values():
        ends = np.array(dataclasses.astuple(found.measure))
        assert np.isnan(ends).all() or (np.abs(ends) <= 1 + 1e-9).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_factor_that_few_images_stand_out_in_is_never_beyond_one(seed: int) -> None:
    codes = decoders.gaussian_codes(97, 2, seed=seed)
    factor = np.zeros(97)
    factor[[5, 50]] = 1
    ends = dataclasses.astuple(factors_of(codes, factors={"rare": tuple(factor)})["rare"].measure)
    assert (np.abs(ends) <= 1 + 1e-9).all()


def test_labels_that_are_words_are_no_given_factor(codes) -> None:
    result = tracking.run(study_with(codes, factors={"colour": ("red",) * ROWS}))
    assert result.given_factors == ()


def test_at_most_three_factors_of_each_kind_are_kept_strongest_first(codes) -> None:
    given = {f"noise {n}": tuple(noisy(codes[:, 0], n)) for n in (4, 0.1, 2, 1)}
    (first, *_), *_ = (u.factors for u in tracking.run(study_with(codes, factors=given)).units)
    kept = [
        f
        for f in tracking.run(study_with(codes, factors=given)).units[0].factors
        if f.kind == "given"
    ]
    assert [f.name for f in kept] == ["noise 0.1", "noise 1", "noise 2"]
    assert first == kept[0]


def test_codes_that_do_not_vary_follow_nothing() -> None:
    study = decoders.carrying(decoders.linear(2), np.ones((60, 2), np.float32))
    with pytest.raises(UnanswerableError):
        tracking.run(study)
