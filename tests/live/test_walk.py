"""Numbers that the page computes distances and sliders from, against the study's own."""

from __future__ import annotations

import numpy as np
import pytest

from reportgen.analyses import traversal
from reportgen.live.program import LiveWalk
from reportgen.live.walk import live_walk
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders


@pytest.fixture(scope="module")
def study() -> Study:
    codes = decoders.gaussian_codes(300, 3) + np.array([0, 2, -1], np.float32)
    codes[:, 2] += 0.8 * codes[:, 0]
    return decoders.study_of(decoders.smooth(3), codes, settings=FEW, noise=0.05)


@pytest.fixture(scope="module")
def walk(study: Study) -> LiveWalk:
    return live_walk(study, traversal.run(study))


def test_a_slider_s_middle_is_the_mean_of_the_fit_images_codes(study, walk) -> None:
    fitted = study.fit.codes[:, list(walk.units)].astype(np.float64)
    np.testing.assert_allclose(walk.means, fitted.mean(axis=0))


def test_the_page_s_distance_of_a_moved_code_is_the_study_s(study, walk) -> None:
    moves = np.random.default_rng(1).normal(size=(20, 3)).astype(np.float32)
    for code, distance, slopes in zip(walk.codes, walk.distances, walk.slopes, strict=True):
        moved = np.tile(code, (20, 1))
        moved[:, list(walk.units)] += moves
        by_page = distance + 2 * moves @ slopes + ((moves @ walk.precision) * moves).sum(axis=1)
        np.testing.assert_allclose(by_page, study.off_data.distances(moved), rtol=1e-4)


def test_the_rounding_of_weights_was_looked_at_on_every_pictured_and_walked_image(
    study, walk
) -> None:
    looked_at = np.union1d(study.rows.walks, study.rows.pictures)
    assert walk.decoder.checked == len(looked_at)
