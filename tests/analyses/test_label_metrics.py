"""Label metrics: scikit-learn's mutual information, closed forms, and labels of every kind."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mutual_info_score

from reportgen.analyses import DoesNotApplyError, UnanswerableError, label_metrics
from reportgen.analyses.label_metrics import LabelMetrics
from tests.conftest import FEW
from tests.oracles import decoders

ROWS = 2000
# Three factors of five values, 400 images each: the twenty bins of a copy hold one value each.
DISCS = np.random.default_rng(1).permuted(np.tile(np.arange(ROWS)[:, None] % 5, 3), axis=0)


def of(codes: np.ndarray, *, labels=None, **factors) -> LabelMetrics:
    """Every row is a test row; the fit rows are others."""
    study = decoders.carrying(
        decoders.linear(codes.shape[1]),
        codes.astype(np.float32),
        fit_codes=decoders.gaussian_codes(100, codes.shape[1], seed=77),
        settings=FEW,
        labels=labels,
        factors={name: tuple(column) for name, column in factors.items()},
    )
    return label_metrics.run(study)


def chance(classes: int, bins: int = 20, rows: int = ROWS) -> float:
    """Expected mutual information of unrelated labels, to first order (Miller, 1955)."""
    return (classes - 1) * (bins - 1) / (2 * rows)


def spread(factors: np.ndarray, seed: int = 2) -> np.ndarray:
    """The factors as units: same order, all values distinct."""
    return factors + np.random.default_rng(seed).uniform(0, 0.5, size=factors.shape)


def test_mutual_information_is_scikit_learn_s_over_quantile_bins_less_shuffled_labels() -> None:
    generator = np.random.default_rng(3)
    factor = generator.integers(0, 4, size=ROWS)
    codes = np.column_stack([factor + generator.normal(size=ROWS), generator.normal(size=ROWS)])
    found = of(codes, size=factor).mutual_information[0]
    for unit, value in zip(codes.astype(np.float32).T, found, strict=True):
        edges = np.quantile(unit, np.arange(1, 20) / 20)
        bins = np.digitize(unit, edges)
        shuffled = np.mean(
            [mutual_info_score(generator.permutation(factor), bins) for _ in range(100)]
        )
        expected = max(0.0, mutual_info_score(factor, bins) - shuffled)
        assert value == pytest.approx(expected, abs=4e-3)


def test_any_number_of_threads_grows_the_same_forests(monkeypatch) -> None:
    generator = np.random.default_rng(9)
    codes = generator.normal(size=(400, 3))
    size, kind = codes[:, 0] + generator.normal(size=400), codes[:, 1] > codes[:, 2]
    found = []
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        metrics = of(codes, size=size, kind=kind.astype(str))
        found.append((metrics.disentanglement, metrics.completeness, *metrics.informativeness))
    assert found[0] == found[1]


def test_unrelated_labels_give_next_to_nothing() -> None:
    generator = np.random.default_rng(4)
    codes = generator.normal(size=(ROWS, 3))
    result = of(codes, a=generator.integers(0, 6, ROWS), b=generator.normal(size=ROWS))
    assert result.mutual_information.max() < 0.02
    assert result.gap < 0.01


def test_a_copy_gives_the_entropy_less_chance() -> None:
    result = of(spread(DISCS), a=DISCS[:, 0], b=DISCS[:, 1], c=DISCS[:, 2])
    for place, factor in enumerate(DISCS.T):
        entropy = stats.entropy(np.bincount(factor))
        assert result.entropies[place] == pytest.approx(entropy, rel=1e-12)
        assert result.mutual_information[place, place] == pytest.approx(
            math.log(5) - chance(5), abs=0.005
        )


@pytest.mark.parametrize("r", [0.5, -0.8, 0.95])
def test_normal_pairs_have_minus_half_the_log_of_one_minus_r_squared(r: float) -> None:
    """Twenty bins lose some of it: up to a tenth at r = .95."""
    z = np.random.default_rng(5).normal(size=(8000, 2))
    factor = r * z[:, 0] + math.sqrt(1 - r**2) * z[:, 1]
    closed = -0.5 * math.log(1 - r**2)
    found = of(z, size=factor).mutual_information[0, 0]
    assert 0.88 * closed < found < closed + 0.01


@pytest.mark.parametrize("share", [0.03, 0.5, 0.97])
def test_a_unit_of_two_values_keeps_all_it_says(share: float) -> None:
    """Quantile edges would put a unit that is 0 in 97 % of images into one bin."""
    inside = np.arange(ROWS) < share * ROWS
    result = of(np.column_stack([inside * 1.0, DISCS[:, 0]]), rare=inside.astype(int))
    entropy = stats.entropy([share, 1 - share])
    assert result.mutual_information[0, 0] == pytest.approx(entropy, abs=0.002)


def test_an_atom_is_apart_from_the_values_beside_it() -> None:
    """A rectified unit: whether it is above zero at all is told in full."""
    unit = np.maximum(np.random.default_rng(6).normal(size=ROWS), 0)
    result = of(np.column_stack([unit, DISCS[:, 0]]), on=(unit > 0).astype(int))
    assert result.mutual_information[0, 0] == pytest.approx(math.log(2), abs=0.01)


def test_mig_of_a_permutation_of_the_factors_is_near_one() -> None:
    order = [2, 0, 1]
    result = of(spread(DISCS)[:, order], a=DISCS[:, 0], b=DISCS[:, 1], c=DISCS[:, 2])
    assert 0.95 < result.gap < 1
    for factor, row in enumerate(result.mutual_information):
        assert np.argmax(row) == order.index(factor)


def test_mig_is_zero_where_two_units_copy_one_factor() -> None:
    copied = spread(DISCS[:, :1])
    result = of(
        np.column_stack([copied, -3 * copied + 1, spread(DISCS[:, 1:2]), -spread(DISCS[:, 1:2])]),
        a=DISCS[:, 0],
        b=DISCS[:, 1],
    )
    assert result.gap == pytest.approx(0, abs=0.01)


def test_mig_of_one_of_two_factors_alone_is_a_half() -> None:
    noise = np.random.default_rng(7).normal(size=ROWS)
    result = of(np.column_stack([spread(DISCS[:, :1]), noise]), a=DISCS[:, 0], b=DISCS[:, 1])
    assert result.gap == pytest.approx(0.5, abs=0.03)


def test_dci_of_a_permutation_is_near_one_and_of_a_mixture_low() -> None:
    factors = np.random.default_rng(8).uniform(-1, 1, size=(600, 3))
    named = dict(zip("abc", factors.T, strict=True))
    apart = of(factors[:, [1, 2, 0]], **named)
    assert apart.disentanglement > 0.95
    assert apart.completeness > 0.95
    assert min(apart.informativeness) > 0.95
    # A mirror whose rows have squares 1/9, 4/9, 4/9: 1 − H/log 3 of these is .12.
    mixed = of(factors @ (np.eye(3) - 2 / 3), **named)
    assert mixed.disentanglement < 0.3
    assert mixed.completeness < 0.3


def test_concentration_is_one_less_scipy_s_entropy_to_the_base_of_the_columns() -> None:
    importances = np.random.default_rng(9).dirichlet(np.full(4, 0.4), size=3)
    totals = importances.sum(axis=1)
    expected = np.average(
        [1 - stats.entropy(row, base=4) for row in importances], weights=totals / totals.sum()
    )
    assert label_metrics._concentration(importances) == pytest.approx(expected, rel=1e-12)
    assert label_metrics._concentration(np.eye(3)) == 1
    assert label_metrics._concentration(np.ones((2, 5))) == pytest.approx(0, abs=1e-12)
    assert np.isnan(label_metrics._concentration(np.zeros((2, 5))))


def test_a_circular_label_is_told_although_no_rank_correlation_sees_it() -> None:
    angle = np.random.default_rng(10).uniform(0, 360, size=ROWS)
    unit = np.cos(np.radians(angle))
    assert abs(stats.spearmanr(unit, angle).statistic) < 0.05
    found = of(np.column_stack([unit, DISCS[:, 0]]), hue=angle).mutual_information[0]
    assert found[0] > 1.5
    assert found[1] < 0.02


def test_constant_columns_names_of_images_and_mostly_empty_columns_are_no_factors() -> None:
    generator = np.random.default_rng(11)
    result = of(
        generator.normal(size=(300, 2)),
        same=np.ones(300),
        word=["x"] * 300,
        name=[f"image {row}" for row in range(300)],
        rare=[1.0, 2.0] + [math.nan] * 298,
        size=generator.normal(size=300),
    )
    assert result.factors == ("size",)
    assert result.rows == 300
    assert result.gap is None and result.disentanglement is None and result.completeness is None
    assert result.informativeness == ()


def test_images_without_a_label_are_left_out_and_counted() -> None:
    size = DISCS[:, 0].astype(float)
    size[:500] = math.nan
    colour = np.array(["red", "green", ""])[np.minimum(DISCS[:, 1], 1)].tolist()
    colour[-100:] = [""] * 100
    result = of(spread(DISCS), size=size, colour=colour)
    assert result.rows == ROWS - 600
    assert result.factors == ("size", "colour")
    entropy = stats.entropy(np.bincount(DISCS[500:-100, 0]))
    assert result.entropies[0] == pytest.approx(entropy, rel=1e-12)


def test_words_are_classes_and_class_folders_are_a_factor_of_their_own() -> None:
    words = np.array(["ab", "cd", "ef", "gh", "ij"])[DISCS[:, 0]]
    numbers = of(spread(DISCS), size=DISCS[:, 0]).mutual_information
    found = of(spread(DISCS), labels=tuple(words.tolist()), colour=words.tolist())
    assert found.factors == ("colour", "class")
    np.testing.assert_allclose(found.mutual_information[:1], numbers, atol=1e-9)
    assert min(found.informativeness) > 0.9


def test_a_column_called_class_stands_beside_the_classes_and_is_not_lost() -> None:
    labels = tuple("ab"[row % 2] for row in range(ROWS))
    found = of(spread(DISCS), labels=labels, **{"class": DISCS[:, 0]})
    assert found.factors == ("class", "class of the image")
    numbers = of(spread(DISCS), size=DISCS[:, 0]).mutual_information
    np.testing.assert_allclose(found.mutual_information[:1], numbers, atol=1e-9)
    assert found.entropies[1] == pytest.approx(np.log(2), abs=1e-3)


def test_informativeness_of_classes_is_above_chance() -> None:
    """Nine in ten images are of one class: always saying so scores 0, not .9."""
    generator = np.random.default_rng(12)
    word = np.where(generator.random(ROWS) < 0.9, "common", "rare").tolist()
    result = of(generator.normal(size=(ROWS, 2)), word=word, size=generator.normal(size=ROWS))
    assert result.informativeness[0] < 0.05
    assert result.informativeness[1] < 0.05


def test_a_class_that_no_held_out_image_has_gives_no_score_and_no_warning() -> None:
    for odd in range(3):
        word = ["common"] * 100
        word[odd] = "rare"
        codes = np.random.default_rng(13).normal(size=(100, 2))
        score = of(codes, word=word, size=codes[:, 0]).informativeness[0]
        assert score <= 0 or np.isnan(score)


def test_one_unit_has_no_gap_and_no_completeness() -> None:
    result = of(spread(DISCS[:, :1]), a=DISCS[:, 0], b=DISCS[:, 1])
    assert result.gap is None
    assert result.completeness is None
    assert result.disentanglement is not None


def test_99_rows_are_too_few_and_100_are_not() -> None:
    for rows in (99, 100):
        codes, factor = decoders.gaussian_codes(rows, 2), np.arange(rows) % 3
        if rows == 100:
            assert of(codes, size=factor).rows == 100
        else:
            with pytest.raises(UnanswerableError, match="99 labelled test images"):
                of(codes, size=factor)


def test_without_labels_the_question_does_not_apply() -> None:
    for factors in ({}, {"same": np.ones(200)}, {"gone": np.full(200, math.nan)}):
        with pytest.raises(DoesNotApplyError, match="no labels"):
            of(decoders.gaussian_codes(200, 2), **factors)


def test_the_order_and_sign_of_units_do_not_matter() -> None:
    codes = spread(DISCS)
    named = {"a": DISCS[:, 0], "b": DISCS[:, 1]}
    plain, turned = of(codes, **named), of(-2 * codes[:, ::-1] + 5, **named)
    np.testing.assert_allclose(
        turned.mutual_information[:, ::-1], plain.mutual_information, atol=0.02
    )
    assert turned.gap == pytest.approx(plain.gap, abs=0.01)
