"""Images that the page explains: which, and what is told of them, against the study's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA

from reportgen.analyses import contributions, direction_contributions, direction_moves
from reportgen.analyses.shared.path_contributions import path_order, path_shares
from reportgen.live.gallery import gallery_of
from reportgen.live.program import Gallery
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders

SETTINGS = replace(FEW, gallery=60, path_players=3, picture_rows=6)


@pytest.fixture(scope="module")
def study() -> Study:
    codes = decoders.gaussian_codes(300, 5) + np.float32(1)
    return decoders.study_of(decoders.smooth(5), codes, settings=SETTINGS, noise=0.05)


@pytest.fixture(scope="module")
def gallery(study: Study) -> Gallery:
    by_direction = direction_contributions.run(study)
    found = gallery_of(study, contributions.run(study), by_direction, np.eye(5))
    assert found is not None
    assert found.directions_lead is by_direction.leads
    return found


def rows_of(study: Study, gallery: Gallery) -> list[int]:
    return [study.test.names.index(name) for name in gallery.names]


def test_the_pictured_images_come_first_and_no_image_comes_twice(study, gallery) -> None:
    rows = rows_of(study, gallery)
    assert rows[: gallery.pictured] == study.rows.pictures.tolist()
    assert len(set(rows)) == len(rows) == 60
    assert gallery.test_images == len(study.test)
    np.testing.assert_array_equal(gallery.codes, study.test.codes[rows])
    np.testing.assert_array_equal(gallery.baseline, study.baseline)
    assert gallery.classes == ("",) * 60
    assert gallery.steps == 8


def test_small_pictures_are_the_images_on_256_levels(study, gallery) -> None:
    low, high = study.pixel_range
    images = np.clip(study.test.images[rows_of(study, gallery)], low, high)
    assert gallery.thumbnail_shape == study.image_shape
    made = low + (high - low) * gallery.thumbnails / 255.0
    assert np.abs(made - images).max() <= (high - low) / 509


def test_players_and_their_order_are_those_of_the_report_s_own_paths(study, gallery) -> None:
    shares, units = study.shared(path_shares), gallery.units
    assert units.units == tuple(shares.player_units[shares.order])
    assert units.names[-1] == "rest"
    assert units.units[-1] == -1
    assert sorted(place for places in units.members for place in places) == list(range(5))
    for row, order in zip(rows_of(study, gallery), units.orders, strict=True):
        own = path_order(study, row, len(units.units))
        np.testing.assert_array_equal(shares.order[order], own)


def test_parts_by_direction_are_the_study_s(study, gallery) -> None:
    directions = gallery.directions
    assert directions is not None
    code = study.test.codes[0]
    change = code.astype(np.float64) - gallery.baseline
    along = change[list(directions.coordinates)] @ directions.readout
    parts = np.zeros((len(along) + 1, len(code)))
    parts[:-1, list(directions.coordinates)] = along[:, None] * directions.drawn
    parts[-1] = change - parts[:-1].sum(axis=0)
    found = direction_contributions.found_directions(study).players
    np.testing.assert_allclose(parts, found.parts_of(code), atol=1e-5)
    assert directions.names == found.names
    assert directions.orders.shape == (60, len(parts))


def test_the_cloud_s_distance_of_a_code_is_the_study_s(study, gallery) -> None:
    cloud = gallery.cloud
    assert cloud is not None
    codes = study.test.codes[:20]
    values = np.stack([codes[:, list(places)].mean(axis=1) for places in cloud.members], axis=1)
    centred = values - cloud.mean
    distances = ((centred @ cloud.precision) * centred).sum(axis=1)
    np.testing.assert_allclose(distances, study.off_data.distances(codes), rtol=1e-5)


def test_lengths_are_those_of_the_walk_along_directions(study, gallery) -> None:
    directions = gallery.directions
    assert directions is not None and directions.lengths is not None
    coordinates, lengths = list(directions.coordinates), directions.lengths
    change = study.test.codes[study.rows.walks[0]].astype(np.float64) - gallery.baseline
    own = lengths.baseline + change[coordinates] @ directions.readout
    walked = direction_moves.run(study).lengths
    np.testing.assert_allclose(own, walked[:, 4], atol=1e-5)
    found = direction_contributions.found_directions(study)
    fitted = found.lengths(study.fit.codes)
    np.testing.assert_allclose(lengths.means, fitted.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(lengths.quantiles[:, 2], np.median(fitted, axis=0))


@pytest.mark.parametrize("way", ["unit", "direction"])
def test_where_no_cloud_fits_distances_around_the_images_are_the_study_s(
    study, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr("reportgen.live.gallery.MOST_LIVE_UNITS", 4)
    by_direction = direction_contributions.run(study)
    found = gallery_of(study, contributions.run(study), by_direction, np.eye(5))
    assert found is not None and found.cloud is None
    steps = np.eye(5)
    near = found.near
    if way == "direction":
        assert found.directions is not None and found.directions.lengths is not None
        near = found.directions.lengths.near
        steps = np.zeros((5, 5))
        steps[:, list(found.directions.coordinates)] = found.directions.drawn
    assert near is not None
    moves = np.random.default_rng(3).normal(size=(60, 5))
    expected = study.off_data.distances(found.codes + moves @ steps)
    across = ((moves @ near.precision) * moves).sum(axis=1)
    moved = near.distances + 2 * (near.slopes * moves).sum(axis=1) + across
    np.testing.assert_allclose(moved, expected, rtol=1e-4)


def test_components_and_scores_are_those_of_scikit_learn(study, gallery) -> None:
    pca = gallery.pca
    assert pca is not None
    fitted = PCA(len(pca.components), svd_solver="full").fit(study.fit.images)
    signs = np.sign((fitted.components_ * pca.components).sum(axis=1))
    np.testing.assert_allclose(fitted.mean_, pca.mean, atol=1e-5)
    np.testing.assert_allclose(signs[:, None] * fitted.components_, pca.components, atol=1e-3)
    scores = fitted.transform(study.test.images[rows_of(study, gallery)])
    np.testing.assert_allclose(signs * scores, pca.scores, atol=1e-3 * np.abs(scores).max())


def test_without_other_images_the_pictured_ones_are_explained_all_the_same(study) -> None:
    alone = replace(study, settings=replace(study.settings, gallery=0))
    found = gallery_of(alone, contributions.run(study), None, np.eye(5))
    assert found is not None
    assert len(found.names) == found.pictured == len(study.rows.pictures)
    assert found.directions is None
    assert not found.directions_lead


def test_there_is_no_gallery_without_contributions(study) -> None:
    assert gallery_of(study, None, None, np.eye(5)) is None
