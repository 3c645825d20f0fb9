"""Numbers that the page computes distances and sliders from, against the study's own."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from reportgen.analyses import traversal
from reportgen.live.program import LiveWalk, NotLiveError
from reportgen.live.trace import live_encoder
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


def test_an_encoder_is_checked_on_real_images_and_left_out_where_it_does_not_fit() -> None:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    images = torch.rand(5, 1, 6, 6)
    with torch.no_grad():
        codes = encoder(images).numpy()
    flat, deviations = images.numpy().reshape(5, -1), codes.std(axis=0)
    given = encoder, (1, 6, 6), "cpu", flat, codes, deviations
    found = live_encoder(*given, room=1000)
    assert found.checked == 5
    assert found.weights.nbytes == 2 * (36 * 8 + 8 + 8 * 3 + 3)
    rounded = copy.deepcopy(encoder).half().float()
    with torch.no_grad():
        missed = np.abs(rounded(images).numpy() - codes) / deviations
    assert found.largest_error == pytest.approx(missed.max(), rel=1e-3)
    with pytest.raises(NotLiveError, match="too large for a page beside the decoder"):
        live_encoder(*given, room=600)
    with pytest.raises(NotLiveError, match=r"change a code by .* of its sd"):
        live_encoder(*given[:4], codes + 1, deviations, room=1000)


def test_a_report_says_why_it_does_not_carry_the_encoder(study) -> None:
    settings = replace(study.settings, live_encoder=False)
    without = replace(study, settings=settings)
    found = live_walk(without, traversal.run(without))
    assert found.encoder is None
    assert found.encoder_reason == "the report was built with --no-live-encoder"
    assert found.gallery is None
