"""Label metrics: disentanglement_lib's definitions restated, closed forms, labels of every kind.

What is restated is `disentanglement_lib/evaluation/metrics/{mig,sap_score,dci,utils}.py` with the
settings of its `config/unsupervised_study_v1` (Locatello et al., 2019), without its code.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import mutual_info_score
from sklearn.svm import LinearSVC

from reportgen.analyses import DoesNotApplyError, UnanswerableError, label_metrics
from reportgen.analyses.label_metrics import LabelMetrics
from reportgen.statistics import label_scores
from tests.conftest import FEW
from tests.oracles import decoders
from tests.test_sample_models import python_file

ROWS = 1000
# Three factors of five values, 200 images each: the twenty bins of a copy hold one value each.
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


@pytest.fixture
def few_trees(monkeypatch) -> None:
    """Forests of three trees, for tests that look at nothing that a forest says."""
    few = functools.partial(GradientBoostingClassifier, n_estimators=3)
    monkeypatch.setattr("sklearn.ensemble.GradientBoostingClassifier", few)


def chance(classes: int, bins: int, rows: int = ROWS) -> float:
    """Expected mutual information of unrelated labels, to first order (Miller, 1955)."""
    return (classes - 1) * (bins - 1) / (2 * rows)


def spread(factors: np.ndarray, seed: int = 2) -> np.ndarray:
    """The factors as units: same order, all values distinct."""
    return factors + np.random.default_rng(seed).uniform(0, 0.5, size=factors.shape)


def published_bins(unit: np.ndarray) -> np.ndarray:
    """disentanglement_lib's discretizer: the histogram's 20 left edges, counted from 1."""
    return np.digitize(unit, np.histogram(unit, 20)[1][:-1])


def published_mig(codes: np.ndarray, factors: np.ndarray) -> float:
    """mig.py: the two largest informations of each factor, over its entropy."""
    table = np.array(
        [[mutual_info_score(f, published_bins(u)) for f in factors.T] for u in codes.T]
    )
    entropies = np.array([mutual_info_score(f, f) for f in factors.T])
    largest = np.sort(table, axis=0)[::-1]
    return float(np.mean((largest[0] - largest[1]) / entropies))


def published_sap(codes: np.ndarray, factors: np.ndarray, kept, held_out) -> float:
    """sap_score.py with discrete factors: linear SVMs, C = .01, balanced classes."""
    accuracy = np.zeros((codes.shape[1], factors.shape[1]))
    for i, unit in enumerate(codes.T):
        for j, factor in enumerate(factors.T):
            machine = LinearSVC(C=0.01, class_weight="balanced", random_state=0)
            machine.fit(unit[kept, None], factor[kept])
            accuracy[i, j] = np.mean(machine.predict(unit[held_out, None]) == factor[held_out])
    ordered = np.sort(accuracy, axis=0)
    return float(np.mean(ordered[-1] - ordered[-2]))


def published_dci(codes: np.ndarray, factors: np.ndarray, kept, held_out) -> list[float]:
    """dci.py: disentanglement, completeness, informativeness on held-out images."""
    importances = np.zeros((codes.shape[1], factors.shape[1]))
    right = []
    for j, factor in enumerate(factors.T):
        trees = GradientBoostingClassifier(random_state=0).fit(codes[kept], factor[kept])
        importances[:, j] = np.abs(trees.feature_importances_)
        right.append(np.mean(trees.predict(codes[held_out]) == factor[held_out]))

    def score(matrix: np.ndarray) -> float:
        per_row = 1 - stats.entropy(matrix.T + 1e-11, base=matrix.shape[1])
        return float(np.sum(per_row * matrix.sum(axis=1) / matrix.sum()))

    return [score(importances), score(importances.T), float(np.mean(right))]


def split(rows: int) -> tuple[np.ndarray, np.ndarray]:
    shuffled = np.random.default_rng([FEW.seed, 11]).permutation(rows)
    return shuffled[rows // 3 :][:1000], shuffled[: rows // 3][:500]


@pytest.fixture(scope="module")
def sprites() -> tuple[LabelMetrics, np.ndarray, np.ndarray]:
    """Sprites that train.py renders, coded by PCA: the metrics, the codes and the factors.

    Places and orientation are taken in four steps: forty classes would grow 4,000 trees.
    """
    rendering = python_file("sprites/rendering.py")
    drawn = rendering.draw_factors(460)
    factors = drawn // np.array([1, 1, 10, 8, 8])
    pixels = rendering.render(drawn).reshape(len(drawn), -1) / 255.0
    fitted = PCA(6, svd_solver="full").fit(pixels)
    study = decoders.of_pixels(
        pixels,
        shape=(1, 64, 64),
        fit_pixels=pixels[:100],
        settings=FEW,
        factors={n: tuple(c.tolist()) for n, c in zip(rendering.FACTORS, factors.T, strict=True)},
        **decoders.pca_model(fitted, (1, 64, 64)),
    )
    codes = study.test.codes.astype(np.float64)
    return label_metrics.run(study), codes, factors


@pytest.mark.slow
def test_mig_of_sprites_is_that_of_disentanglement_lib(sprites) -> None:
    result, codes, factors = sprites
    assert result.factors == ("shape", "scale", "orientation", "x", "y")
    assert result.rows == 460
    assert result.information_gap == pytest.approx(published_mig(codes, factors), rel=1e-9)
    assert result.information_gap > 0.01


@pytest.mark.slow
def test_sap_of_sprites_is_that_of_disentanglement_lib(sprites) -> None:
    result, codes, factors = sprites
    kept, held_out = split(len(codes))
    expected = published_sap(codes, factors, kept, held_out)
    assert result.separated_predictability == pytest.approx(expected, rel=1e-9)
    assert expected > 0


@pytest.mark.slow
def test_dci_of_sprites_is_that_of_disentanglement_lib(sprites) -> None:
    result, codes, factors = sprites
    kept, held_out = split(len(codes))
    assert (result.trained_rows, result.scored_rows) == (len(kept), len(held_out)) == (307, 153)
    found = [result.disentanglement, result.completeness, result.informativeness]
    np.testing.assert_allclose(found, published_dci(codes, factors, kept, held_out), rtol=1e-9)


@pytest.mark.usefixtures("few_trees")
def test_a_leak_of_a_thousandth_does_not_break_mig() -> None:
    """Bins of equal filling follow the leak: they would give .03."""
    factors = np.random.default_rng(1).permuted(np.tile(np.arange(ROWS)[:, None] % 4, 3), axis=0)
    codes = (factors + 1e-3 * np.roll(factors, 1, axis=1)).astype(np.float32)
    result = of(codes, a=factors[:, 0], b=factors[:, 1], c=factors[:, 2])
    expected = published_mig(codes.astype(np.float64), factors)
    assert result.information_gap == pytest.approx(expected, rel=1e-9)
    assert result.information_gap > 0.99


def test_dead_units_take_no_part() -> None:
    """A unit that tells a factor in full and is not decoded; a constant one."""
    codes = np.column_stack([spread(DISCS)[:, :2], spread(DISCS)[:, 0], np.ones(ROWS)])
    decode = decoders.linear(2)
    study = decoders.carrying(
        lambda z: decode(z[:, :2]),
        codes.astype(np.float32),
        fit_codes=codes[:100].astype(np.float32),
        settings=FEW,
        factors={"a": tuple(DISCS[:, 0]), "b": tuple(DISCS[:, 1])},
    )
    result = label_metrics.run(study)
    assert result.units == (0, 1)
    assert result.mutual_information.shape == (2, 2)
    assert result.information_gap > 0.95


def test_a_code_without_effect_has_no_scores() -> None:
    study = decoders.carrying(
        lambda z: 0 * z @ decoders.directions(2) + 0.5,
        decoders.gaussian_codes(200, 2),
        settings=FEW,
        factors={"a": tuple(range(200))},
    )
    with pytest.raises(UnanswerableError, match="effect on the image"):
        label_metrics.run(study)


def test_continuous_factors_have_sap_by_squared_correlation() -> None:
    """disentanglement_lib's own definition for continuous factors, closed form: .64 and 1."""
    generator = np.random.default_rng(21)
    first, second = generator.normal(size=(2, ROWS))
    codes = np.column_stack([0.8 * first + 0.6 * generator.normal(size=ROWS), second])
    result = of(codes, a=first, b=second)
    assert result.separated_predictability == pytest.approx((0.64 + 1) / 2, abs=0.03)
    assert result.told[1] > 0.98
    assert result.informativeness == pytest.approx(np.mean(result.told), rel=1e-9)


def test_mutual_information_is_scikit_learn_s_over_bins_of_equal_width_less_shuffled_labels() -> (
    None
):
    generator = np.random.default_rng(3)
    factor = generator.integers(0, 4, size=ROWS)
    codes = np.column_stack([factor + generator.normal(size=ROWS), generator.normal(size=ROWS)])
    found = of(codes, size=factor).mutual_information[0]
    for unit, value in zip(codes.astype(np.float32).T, found, strict=True):
        bins = published_bins(unit)
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
        found.append((metrics.disentanglement, metrics.completeness, *metrics.told))
    assert found[0] == found[1]


@pytest.mark.usefixtures("few_trees")
def test_unrelated_labels_give_next_to_nothing() -> None:
    generator = np.random.default_rng(4)
    codes = generator.normal(size=(ROWS, 3))
    result = of(codes, a=generator.integers(0, 6, ROWS), b=generator.normal(size=ROWS))
    assert result.mutual_information.max() < 0.02
    assert result.information_gap < 0.01


@pytest.mark.usefixtures("few_trees")
def test_a_copy_gives_the_entropy_less_chance() -> None:
    # Of 2,000 rows, as chance to first order is off by more with fewer.
    discs = np.tile(DISCS, (2, 1))
    result = of(spread(discs), a=discs[:, 0], b=discs[:, 1], c=discs[:, 2])
    for place, factor in enumerate(discs.T):
        entropy = stats.entropy(np.bincount(factor))
        occupied = len(np.unique(published_bins(spread(discs)[:, place])))
        assert result.entropies[place] == pytest.approx(entropy, rel=1e-12)
        assert result.mutual_information[place, place] == pytest.approx(
            math.log(5) - chance(5, occupied, len(discs)), abs=0.002
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
    inside = np.arange(ROWS) < share * ROWS
    result = of(np.column_stack([inside * 1.0, DISCS[:, 0]]), rare=inside.astype(int))
    entropy = stats.entropy([share, 1 - share])
    assert result.mutual_information[0, 0] == pytest.approx(entropy, abs=0.002)


@pytest.mark.usefixtures("few_trees")
def test_mig_of_a_permutation_of_the_factors_is_near_one() -> None:
    order = [2, 0, 1]
    result = of(spread(DISCS)[:, order], a=DISCS[:, 0], b=DISCS[:, 1], c=DISCS[:, 2])
    assert 0.95 < result.information_gap < 1
    for factor, row in enumerate(result.mutual_information):
        assert np.argmax(row) == order.index(factor)


@pytest.mark.usefixtures("few_trees")
def test_mig_is_zero_where_two_units_copy_one_factor() -> None:
    copied = spread(DISCS[:, :1])
    result = of(
        np.column_stack([copied, -3 * copied + 1, spread(DISCS[:, 1:2]), -spread(DISCS[:, 1:2])]),
        a=DISCS[:, 0],
        b=DISCS[:, 1],
    )
    assert result.information_gap == pytest.approx(0, abs=0.01)


@pytest.mark.usefixtures("few_trees")
def test_mig_of_one_of_two_factors_alone_is_a_half() -> None:
    noise = np.random.default_rng(7).normal(size=ROWS)
    result = of(np.column_stack([spread(DISCS[:, :1]), noise]), a=DISCS[:, 0], b=DISCS[:, 1])
    assert result.information_gap == pytest.approx(0.5, abs=0.03)


def test_dci_of_a_permutation_is_near_one_and_of_a_mixture_low() -> None:
    factors = np.random.default_rng(8).uniform(-1, 1, size=(600, 3))
    named = dict(zip("abc", factors.T, strict=True))
    apart = of(factors[:, [1, 2, 0]], **named)
    assert apart.disentanglement > 0.95
    assert apart.completeness > 0.95
    assert min(apart.told) > 0.95
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
    assert label_scores.concentration(importances) == pytest.approx(expected, rel=1e-12)
    assert label_scores.concentration(np.eye(3)) == 1
    assert label_scores.concentration(np.ones((2, 5))) == pytest.approx(0, abs=1e-12)
    assert np.isnan(label_scores.concentration(np.zeros((2, 5))))


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
    assert (
        result.information_gap is None
        and result.disentanglement is None
        and result.completeness is None
    )
    assert result.informativeness is result.separated_predictability is None
    assert result.told == ()


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
    assert min(found.told) > 0.9


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
    assert result.told[0] < 0.05
    assert result.told[1] < 0.05


def test_a_class_that_no_held_out_image_has_gives_no_score_and_no_warning() -> None:
    for odd in range(3):
        word = ["common"] * 100
        word[odd] = "rare"
        codes = np.random.default_rng(13).normal(size=(100, 2))
        score = of(codes, word=word, size=codes[:, 0]).told[0]
        assert score <= 0 or np.isnan(score)


@pytest.mark.usefixtures("few_trees")
def test_one_unit_has_no_gap_and_no_completeness() -> None:
    result = of(spread(DISCS[:, :1]), a=DISCS[:, 0], b=DISCS[:, 1])
    assert result.information_gap is None
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


@pytest.mark.usefixtures("few_trees")
def test_the_order_and_sign_of_units_do_not_matter() -> None:
    codes = spread(DISCS)
    named = {"a": DISCS[:, 0], "b": DISCS[:, 1]}
    plain, turned = of(codes, **named), of(-2 * codes[:, ::-1] + 5, **named)
    np.testing.assert_allclose(
        turned.mutual_information[:, ::-1], plain.mutual_information, atol=0.02
    )
    assert turned.information_gap == pytest.approx(plain.information_gap, abs=0.01)
