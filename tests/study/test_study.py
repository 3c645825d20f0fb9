"""Rows and shared statistics: which images each number may see."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest
import torch

from reportgen.analyses import (
    ablation,
    additivity,
    contributions,
    health,
    interactions,
    linearity,
    one_picture,
    partial_reconstruction,
    reconstruction,
    subtraction,
    tracking,
    traversal,
    trust,
)
from reportgen.autoencoder import Autoencoder, UnitKind, Units
from reportgen.settings import Settings
from reportgen.study.assemble import make_study
from reportgen.study.rows import choose_rows, pooled_count, split_rows
from reportgen.study.study import Study
from reportgen.suite import control
from tests.conftest import FEW
from tests.oracles import decoders

ANALYSES = (
    reconstruction,
    linearity,
    ablation,
    contributions,
    partial_reconstruction,
    one_picture,
    additivity,
    subtraction,
    traversal,
    interactions,
    health,
    tracking,
    trust,
    control,
)


@pytest.mark.parametrize("count", [20, 21, 997])
def test_fit_and_test_rows_are_disjoint_halves_of_all_images(count: int) -> None:
    fit, test = split_rows(count, seed=0)
    assert len(fit) == count // 2
    assert sorted([*fit, *test]) == list(range(count))


def test_below_twenty_images_one_set_serves_as_both() -> None:
    (both,) = split_rows(19, seed=0)
    assert both.tolist() == list(range(19))
    assert decoders.study_of(decoders.linear(2), decoders.gaussian_codes(19, 2)).in_sample
    assert not decoders.study_of(decoders.linear(2), decoders.gaussian_codes(20, 2)).in_sample


def test_the_split_is_the_seed_s() -> None:
    assert np.array_equal(split_rows(100, 5)[0], split_rows(100, 5)[0])
    assert not np.array_equal(split_rows(100, 5)[0], split_rows(100, 6)[0])


def rows_for(settings: Settings, units: int = 10, count: int = 2000):
    generator = np.random.default_rng(0)
    return choose_rows(
        generator.normal(size=(count, units)), generator.random(count), units, settings
    )


@pytest.mark.parametrize(
    ("units", "statistics"), [(10, 256), (32, 256), (33, 256), (128, 77), (512, 32), (1, 256)]
)
def test_row_counts_follow_methods(units: int, statistics: int) -> None:
    rows = rows_for(Settings(), units)
    assert (len(rows.statistics), len(rows.pooled)) == (statistics, 256)
    assert (len(rows.table), len(rows.pictures), len(rows.walks)) == (32, 8, 4)


@pytest.mark.parametrize(
    ("players", "steps", "rows"),
    [
        (10, 2, 256),
        (10, 4, 250),
        (10, 8, 125),
        (10, 32, 32),
        (33, 2, 151),
        (33, 4, 75),
        (1, 2, 256),
    ],
)
def test_more_steps_leave_fewer_rows_for_shares(players: int, steps: int, rows: int) -> None:
    assert pooled_count(players, steps, Settings()) == rows
    quarter = pooled_count(players, steps, Settings(effort="quick"))
    assert quarter == round(rows / 4)


@pytest.mark.parametrize(
    ("effort", "counts"), [("quick", (64, 64, 8)), ("thorough", (1024, 1024, 128))]
)
def test_effort_multiplies_row_counts(effort: str, counts: tuple[int, ...]) -> None:
    rows = rows_for(Settings(effort=effort))
    assert (len(rows.statistics), len(rows.pooled), len(rows.table)) == counts


def test_fewer_rows_are_the_first_of_more_rows() -> None:
    few, many = rows_for(Settings(rows=50)), rows_for(Settings(rows=200))
    assert np.array_equal(few.statistics, many.statistics[:50])
    assert np.array_equal(many.table, many.statistics[: len(many.table)])
    assert np.array_equal(few.pooled, many.pooled)


@pytest.mark.parametrize("rows", [2, 8, 31, 32, 200])
def test_table_rows_are_always_among_the_statistics_rows(rows: int) -> None:
    chosen = rows_for(Settings(rows=rows))
    assert set(chosen.table) <= set(chosen.statistics)


def test_rows_are_distinct_and_there_are_never_more_than_images() -> None:
    rows = rows_for(Settings(rows=500, picture_rows=64), count=30)
    for chosen in (rows.statistics, rows.pooled, rows.table, rows.pictures, rows.walks):
        assert len(set(chosen.tolist())) == len(chosen) <= 30
        assert chosen.min() >= 0 and chosen.max() < 30


def test_walk_rows_are_the_medoid_and_the_error_quantiles() -> None:
    codes = np.random.default_rng(0).normal(size=(101, 3))
    codes[17] = 0
    errors = np.random.default_rng(1).permutation(101).astype(float)
    walks = choose_rows(codes, errors, 3, Settings()).walks
    assert walks[0] == 17
    assert errors[17] not in (10, 50, 90)
    assert errors[walks[1:]].tolist() == [10, 50, 90]


def test_a_walk_row_that_is_taken_gives_way_to_its_neighbour() -> None:
    codes = np.random.default_rng(0).normal(size=(101, 3))
    codes[17] = 0
    errors = np.arange(101.0)
    errors[[17, 50]] = errors[[50, 17]]
    walks = choose_rows(codes, errors, 3, Settings()).walks
    assert errors[walks].tolist() in ([50, 10, 49, 90], [50, 10, 51, 90])


def test_the_medoid_does_not_depend_on_the_scale_of_units() -> None:
    codes = decoders.gaussian_codes(200, 3)
    errors = np.arange(200.0)
    first = choose_rows(codes, errors, 3, Settings()).walks[0]
    assert choose_rows(codes * [1, 1e3, 1e-3], errors, 3, Settings()).walks[0] == first


@pytest.fixture(scope="module")
def study() -> Study:
    return decoders.study_of(
        decoders.smooth(3), 2 + 3 * decoders.gaussian_codes(101, 3), settings=FEW
    )


def test_statistics_are_of_the_fit_rows_with_ddof_0(study: Study) -> None:
    codes = study.fit.codes.astype(np.float64)
    np.testing.assert_allclose(study.baseline, codes.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(study.deviations, codes.std(axis=0, ddof=0), rtol=1e-12)
    everything = np.concatenate([study.fit.codes, study.test.codes])
    assert np.abs(study.baseline - everything.mean(axis=0)).max() > 1e-3


def test_codes_and_reconstructions_are_the_model_s(study: Study) -> None:
    expected = decoders.smooth(3)(torch.from_numpy(study.test.codes)).numpy()
    np.testing.assert_allclose(study.test.reconstructions, expected, atol=1e-6)
    np.testing.assert_allclose(study.test.images, expected, atol=1e-6)


def test_fit_images_are_fitted_on_and_every_other_image_is_a_test_row() -> None:
    study = decoders.carrying(
        decoders.linear(3),
        decoders.gaussian_codes(30, 3),
        fit_codes=5 + decoders.gaussian_codes(50, 3, seed=12),
    )
    assert (len(study.fit), len(study.test)) == (50, 30)
    assert study.baseline.min() > 4
    assert not study.in_sample


def test_the_same_images_to_fit_and_to_test_are_in_sample() -> None:
    codes = decoders.gaussian_codes(60, 2)
    pixels = np.pad(codes, ((0, 0), (0, decoders.PIXELS - 2))).reshape(-1, 1, 4, 5)
    images = decoders.ArrayImages(pixels)
    autoencoder = Autoencoder(
        encode=lambda x: x.reshape(len(x), -1)[:, :2],
        decode=lambda z: decoders.linear(2)(z).reshape(-1, 1, 4, 5),
        input_shape=(1, 4, 5),
        code_shape=(2,),
    )
    study = make_study(autoencoder, images, Settings(), fit_images=images)  # type: ignore[arg-type]
    assert study.in_sample


@pytest.mark.parametrize(
    ("jitter", "constant"), [(0.0, True), (0.9e-6, True), (1.2e-6, False), (1e-3, False)]
)
def test_a_unit_is_constant_up_to_1e_6_of_its_own_scale(jitter: float, constant: bool) -> None:
    codes = decoders.gaussian_codes(400, 3)
    # Float32 has steps of 1.2e-7 at 1: alternate between two values so that the sd is exact.
    codes[:, 1] = 1 - jitter * np.resize([0.0, 2.0], 400)
    study = decoders.carrying(decoders.linear(3), codes, fit_codes=codes)
    assert (1 not in study.player_units) == constant


def test_units_are_not_the_code_s_floats_where_codes_are_spatial() -> None:
    module = decoders.convolutional(2)
    images = np.random.default_rng(0).random((60, 16))
    study = decoders.of_pixels(
        images,
        shape=(1, 4, 4),
        encode=lambda x: x.reshape(-1, 16)[:, :8].reshape(-1, 2, 2, 2),
        decode=module,
        code_shape=(2, 2, 2),
    )
    assert (len(study.units), study.units.kind, study.autoencoder.code_size) == (2, "channel", 8)
    assert study.pca_components == 8


def test_the_control_of_a_spatial_code_has_ten_components_and_not_one_for_each_number() -> None:
    study = decoders.of_pixels(
        np.random.default_rng(0).random((200, 64)),
        shape=(1, 8, 8),
        encode=lambda x: x.reshape(-1, 64)[:, :32].reshape(-1, 2, 4, 4),
        decode=torch.nn.ConvTranspose2d(2, 1, 2, stride=2).requires_grad_(False),
        code_shape=(2, 4, 4),
    )
    assert study.pca_components == 32
    assert study.linear_control().autoencoder.code_size == 10


def test_pca_has_no_more_components_than_rows_minus_one_or_pixels() -> None:
    few = decoders.carrying(decoders.linear(4), decoders.gaussian_codes(4, 4))
    assert few.pca_components == 3


def digest(study: Study) -> str:
    sha = hashlib.sha256()
    for sample in (study.fit, study.test):
        for array in (sample.images, sample.codes, sample.reconstructions):
            sha.update(array.tobytes())
    sha.update(study.baseline.tobytes())
    return sha.hexdigest()


def test_no_analysis_changes_the_data_it_was_given(study: Study) -> None:
    before = digest(study)
    for analysis in ANALYSES:
        analysis.run(study)
    assert digest(study) == before


def results_in_order(order) -> dict:
    study = decoders.study_of(decoders.smooth(3), decoders.gaussian_codes(80, 3), settings=FEW)
    return {analysis.__name__: analysis.run(study) for analysis in order}


def test_the_same_seed_gives_the_same_numbers() -> None:
    assert repr(results_in_order(ANALYSES)) == repr(results_in_order(ANALYSES))


def test_the_order_of_analyses_changes_nothing_beyond_1e_6() -> None:
    forwards, backwards = results_in_order(ANALYSES), results_in_order(ANALYSES[::-1])
    for name in forwards:
        one, other = numbers(forwards[name]), numbers(backwards[name])
        np.testing.assert_allclose(one, other, atol=1e-6, err_msg=name)


def numbers(value: object) -> np.ndarray:
    """Every number in a result, in order."""
    if dataclasses.is_dataclass(value):
        value = [getattr(value, field.name) for field in dataclasses.fields(value)]
    if isinstance(value, tuple | list):
        return np.concatenate([numbers(entry) for entry in value] or [np.zeros(0)])
    if isinstance(value, str | None | dict):
        return np.zeros(0)
    return np.asarray(value, dtype=np.float64).ravel()


def test_what_is_shared_is_computed_once_and_charged_to_its_own_name(study: Study) -> None:
    calls = []

    def costly_thing(given: Study) -> int:
        calls.append(given)
        given.engine.decode(np.full((1, 3), 77, np.float32))
        return 5

    fresh = dataclasses.replace(study, _shared={})
    assert fresh.shared(costly_thing) + fresh.shared(costly_thing) == 10
    assert len(calls) == 1
    assert fresh.engine.forwards["costly thing"] == 1


def test_the_control_sees_the_same_images_and_rows_with_its_own_codes(study: Study) -> None:
    pca = study.linear_control()
    assert pca.rows is study.rows
    assert pca.test.images is study.test.images
    np.testing.assert_allclose(pca.baseline, pca.fit.codes.mean(axis=0), atol=1e-7)
    assert pca.engine is not study.engine
    assert not np.array_equal(pca.test.codes, study.test.codes)


def test_sites_are_the_units_of_a_code_of_one_channel() -> None:
    """One of one says nothing: sixteen numbers in space are sixteen units."""
    for shape in ((1, 4, 4), (1, 2, 3)):
        units = Units.of(shape)
        assert units.kind is UnitKind.SITE
        assert len(units) == units.code_size == shape[1] * shape[2]
        assert units.names[0] == "(0, 0)" and units.names[-1] == f"({shape[1] - 1}, {shape[2] - 1})"
        assert [members.tolist() for members in units.members] == [[k] for k in range(len(units))]
    assert Units.of((2, 4, 4)).kind is UnitKind.CHANNEL
    assert Units.of((1,)).kind is Units.of((16,)).kind is UnitKind.COORDINATE
    # A single number is a channel of one site.
    assert len(Units.of((1, 1, 1))) == 1


def test_a_code_of_one_channel_is_what_it_is_as_a_vector() -> None:
    """The same network, its code as 1 × 2 × 2 and as four numbers: the same effects and shares."""
    codes = decoders.gaussian_codes(200, 4)
    decode = decoders.smooth(4)
    pixels = np.zeros((200, decoders.PIXELS), np.float32)
    pixels[:, :4] = codes
    found = []
    for shape in ((4,), (1, 2, 2)):
        study = decoders.of_pixels(
            pixels,
            encode=lambda x, s=shape: x.reshape(len(x), -1)[:, :4].reshape(-1, *s),
            decode=lambda z: decode(z.reshape(len(z), 4)).reshape(
                -1, 1, decoders.HEIGHT, decoders.WIDTH
            ),
            code_shape=shape,
            settings=FEW,
        )
        effects = [effect.effect.value for effect in ablation.run(study).effects]
        shares = [share.share.value for share in contributions.run(study).shares]
        found.append((effects, shares, additivity.run(study).up.gap.value))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-6)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-6)
    assert found[0][2] == pytest.approx(found[1][2], rel=1e-6)
    assert len(found[1][0]) == 4
