"""M24: maps of the codes, against scikit-learn and NumPy's SVD."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.manifold import TSNE, trustworthiness

from reportgen.analyses import DoesNotApplyError, code_map
from reportgen.analyses.code_map import CodeMap
from reportgen.analyses.shared.path_contributions import units_by_share
from reportgen.settings import Settings
from reportgen.study.study import Study
from tests.oracles import decoders

FEW = Settings(rows=16, table_rows=4, bootstrap_resamples=100)
THOROUGH = Settings(effort="thorough", rows=16, table_rows=2, bootstrap_resamples=100)


def clusters(units: int, count: int = 160, settings: Settings = FEW, named: bool = True) -> Study:
    """Codes about three centres, whose classes are a, b, c."""
    generator = np.random.default_rng(2)
    belongs = generator.integers(3, size=count)
    centres = 4 * generator.normal(size=(3, units))
    codes = (centres[belongs] + generator.normal(size=(count, units))).astype(np.float32)
    labels = tuple("abc"[k] for k in belongs) if named else None
    return decoders.carrying(decoders.linear(units), codes, labels=labels, settings=settings)


@pytest.fixture(scope="module")
def mapped() -> tuple[Study, CodeMap]:
    study = clusters(5)
    return study, code_map.run(study)


def test_principal_axes_are_numpy_s_of_the_fit_codes(mapped) -> None:
    study, result = mapped
    (drawn,) = result.maps
    assert drawn.kind == "principal axes"
    fit = study.fit.codes.astype(np.float64)
    axes = np.linalg.svd(fit - fit.mean(axis=0), full_matrices=False)[2][:2]
    expected = study.test.codes.astype(np.float64) @ axes.T
    for own, theirs in zip(drawn.points.T, expected.T, strict=True):
        sign = np.sign(own @ theirs)
        np.testing.assert_allclose(own, sign * theirs, atol=1e-4 * np.abs(expected).max())
    spread = study.test.codes.var(axis=0, dtype=np.float64).sum()
    assert drawn.held_variance == pytest.approx(expected.var(axis=0).sum() / spread, rel=1e-6)
    assert (result.rows, result.code_numbers) == (len(study.test), 5)


def test_trustworthiness_is_scikit_learn_s(mapped) -> None:
    study, result = mapped
    theirs = trustworthiness(study.test.codes, result.maps[0].points, n_neighbors=15)
    assert result.maps[0].trustworthiness == pytest.approx(theirs, abs=1e-3)
    assert result.neighbours == 15


def test_a_code_of_two_numbers_is_its_own_map() -> None:
    study = clusters(2)
    result = code_map.run(study)
    (drawn,) = result.maps
    assert drawn.kind == "the code itself"
    np.testing.assert_allclose(drawn.points, study.test.codes, atol=1e-3)
    assert drawn.trustworthiness == pytest.approx(1, abs=1e-4)
    assert drawn.held_variance == 1


def test_pictures_are_of_points_that_do_not_cover_each_other(mapped) -> None:
    study, result = mapped
    (drawn,) = result.maps
    np.testing.assert_array_equal(drawn.pictures, study.test.images[drawn.pictured])
    scaled = drawn.points / np.ptp(drawn.points, axis=0)
    apart = np.abs(scaled[drawn.pictured][:, None] - scaled[drawn.pictured]).max(axis=-1)
    np.fill_diagonal(apart, 1)
    assert apart.min() >= 1 / 11 - 1e-3
    # And every other point is near a picture.
    near = np.abs(scaled[:, None] - scaled[drawn.pictured]).max(axis=-1).min(axis=1)
    assert near.max() < 1 / 11 + 1e-3


def test_classes_and_the_strongest_unit_s_values_colour_the_points(mapped) -> None:
    study, result = mapped
    assert result.classes == ("a", "b", "c")
    assert tuple(result.classes[k] for k in result.class_of) == study.test.labels
    assert result.unit == study.player_units[units_by_share(study)[0]]
    np.testing.assert_allclose(result.unit_values, study.test.codes[:, result.unit], rtol=1e-6)
    unnamed = code_map.run(clusters(5, named=False))
    assert unnamed.classes == ()
    assert len(unnamed.class_of) == 0


def test_a_walk_on_the_map_is_the_projection_of_its_codes(mapped) -> None:
    """Of every walk row with each unit 1.5 more."""
    study, result = mapped
    fit = study.fit.codes.astype(np.float64)
    axes = np.linalg.svd(fit - fit.mean(axis=0), full_matrices=False)[2][:2]
    starts = study.test.codes[study.rows.walks].astype(np.float64)
    for unit in range(5):
        moved = starts + 1.5 * np.eye(5)[unit]
        expected = moved @ axes.T
        sign = np.sign((result.walk_starts * (starts @ axes.T)).sum(axis=0))
        on_map = result.walk_starts + 1.5 * result.unit_steps[unit]
        np.testing.assert_allclose(on_map, sign * expected, atol=1e-4)


@pytest.fixture(scope="module")
def thorough() -> tuple[Study, CodeMap]:
    study = clusters(4, 80, THOROUGH)
    return study, code_map.run(study)


def test_t_sne_is_scikit_learn_s_and_comes_with_effort_thorough(thorough) -> None:
    study, result = thorough
    assert [drawn.kind for drawn in result.maps] == ["principal axes", "t-SNE"]
    codes = study.test.codes.astype(np.float64)
    seed = study.settings.seed
    theirs = TSNE(perplexity=13, init="pca", random_state=seed).fit_transform(codes)
    np.testing.assert_allclose(result.maps[1].points, theirs, atol=1e-3 * np.abs(theirs).max())
    assert np.isnan(result.maps[1].held_variance)
    trust = trustworthiness(codes, theirs, n_neighbors=15)
    assert result.maps[1].trustworthiness == pytest.approx(trust, abs=1e-3)


def test_units_that_the_decoder_does_not_read_take_no_part() -> None:
    codes = decoders.gaussian_codes(120, 4)
    codes[:, 3] *= 50
    decode = decoders.linear(3)
    study = decoders.carrying(lambda z: decode(z[:, :3]), codes, settings=FEW)
    result = code_map.run(study)
    assert result.code_numbers == 3
    np.testing.assert_array_equal(result.unit_steps[3], 0)
    assert np.abs(result.maps[0].points).max() < 10


def test_a_code_of_one_number_has_no_map() -> None:
    study = decoders.carrying(decoders.linear(1), decoders.gaussian_codes(60, 1), settings=FEW)
    with pytest.raises(DoesNotApplyError, match="fewer than two numbers"):
        code_map.run(study)


def test_few_codes_have_no_trustworthiness_and_many_are_sampled() -> None:
    few = decoders.carrying(decoders.linear(3), decoders.gaussian_codes(7, 3), settings=FEW)
    result = code_map.run(few)
    assert np.isnan(result.maps[0].trustworthiness)
    assert result.neighbours == 3
    many = clusters(3, 1_300)
    sampled = code_map.run(many)
    assert sampled.rows == 500
    again = code_map.run(dataclasses.replace(many, _shared={}))
    np.testing.assert_array_equal(sampled.maps[0].points, again.maps[0].points)
