"""M30's rest: directions alone, summed, one after another and walked, in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from reportgen.analyses import DoesNotApplyError, direction_moves
from reportgen.analyses.direction_moves import DirectionMoves
from reportgen.analyses.shared.found_directions import found_directions
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders


@pytest.fixture(scope="module")
def linear() -> tuple[Study, DirectionMoves]:
    """Four units mixed at random, a linear decoder."""
    mixing = np.random.default_rng(3).normal(size=(4, 4))
    codes = decoders.gaussian_codes(300, 4) @ (np.diag([3, 2, 1, 0.5]) @ mixing).astype(np.float32)
    study = decoders.study_of(decoders.linear(4), codes, settings=FEW)
    return study, direction_moves.run(study)


def scores(study: Study, rows: np.ndarray) -> tuple[np.ndarray, PCA]:
    fitted = PCA(4, svd_solver="full").fit(study.fit.reconstructions.astype(np.float64))
    return fitted.transform(study.test.reconstructions[rows].astype(np.float64)), fitted


def test_a_linear_decoder_s_directions_alone_are_squared_principal_scores(linear) -> None:
    study, result = linear
    rows = study.rows.statistics
    own, _ = scores(study, rows)
    images = study.test.reconstructions[rows].astype(np.float64)
    spread = np.square(images - images.mean(axis=0)).sum()
    expected = np.square(own).sum(axis=0) / spread
    np.testing.assert_allclose([e.value for e in result.solo], expected, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose([e.value for e in result.last], expected, rtol=1e-3, atol=1e-6)
    for rho in (result.rho_solo, result.rho_context):
        np.testing.assert_allclose([e.value for e in rho], 1, atol=1e-6)
    assert result.gap_up.value == pytest.approx(0, abs=1e-5)
    assert result.gap_down.value == pytest.approx(0, abs=1e-5)
    assert result.rows == len(rows)


def test_the_first_directions_rebuild_what_the_first_principal_components_do(linear) -> None:
    study, result = linear
    rows = study.rows.statistics
    own, fitted = scores(study, rows)
    originals = study.test.images[rows].astype(np.float64)
    spread = np.square(originals - study.fit.images.mean(axis=0, dtype=np.float64)).sum()
    for count in range(5):
        images = fitted.mean_ + own[:, :count] @ fitted.components_[:count]
        expected = 1 - np.square(originals - images).sum() / spread
        assert result.model_r2[count].value == pytest.approx(expected, abs=1e-4)
    # The rest adds nothing.
    assert result.model_r2[5].value == pytest.approx(result.model_r2[4].value, abs=1e-5)
    assert len(result.model_r2) == len(result.solo) + 2
    pca = 1 - study.pca_errors[rows].sum(axis=0) / study.pca_errors[rows, 0].sum()
    np.testing.assert_allclose([r2.value for r2 in result.pca_r2], pca[:5], rtol=1e-6, atol=1e-12)


def test_pictures_of_the_first_directions_are_sums_of_the_first_principal_components(
    linear,
) -> None:
    study, result = linear
    own, fitted = scores(study, study.rows.pictures)
    for count in range(5):
        images = fitted.mean_ + own[:, :count] @ fitted.components_[:count]
        np.testing.assert_allclose(result.growing[:, count], images, atol=1e-4)
    reconstructions = study.test.reconstructions[study.rows.pictures]
    np.testing.assert_allclose(result.growing[:, 5], reconstructions, atol=1e-6)


def test_a_product_s_directions_do_not_add_up() -> None:
    study = decoders.study_of(
        decoders.product_and_linear(), decoders.symmetric_codes(300, 2), settings=FEW, noise=0.01
    )
    result = direction_moves.run(study)
    found = study.shared(found_directions)
    rows, decode = study.rows.statistics, study.engine.decode
    nobody = decode(study.baseline[None]).astype(np.float64)
    missed = missed_down = combined = 0.0
    lasts = []
    for code in study.test.codes[rows]:
        parts = found.players.parts_of(code)
        alone = decode((study.baseline + parts).astype(np.float32)) - nobody
        everyone = decode(code[None])
        lasts.append(everyone - decode((code - parts).astype(np.float32)).astype(np.float64))
        whole = everyone - nobody
        missed += np.linalg.norm(whole - alone.sum(axis=0))
        missed_down += np.linalg.norm(whole - lasts[-1].sum(axis=0))
        combined += np.linalg.norm(whole)
    assert result.gap_up.value == pytest.approx(missed / combined, rel=1e-4)
    assert result.gap_up.value > 0.1
    assert result.gap_down.value == pytest.approx(missed_down / combined, rel=1e-4)
    images = study.test.reconstructions[rows].astype(np.float64)
    spread = np.square(images - images.mean(axis=0)).sum()
    for place, (last, rho) in enumerate(zip(result.last, result.rho_context, strict=True)):
        moves = np.stack([each[place] for each in lasts])
        assert last.value == pytest.approx(np.square(moves).sum() / spread, rel=1e-3)
        values = np.linalg.svd(moves, compute_uv=False) ** 2
        assert rho.value == pytest.approx(values[0] / values.sum(), rel=1e-3)


def test_a_walk_moves_the_code_by_the_direction_s_regression(linear) -> None:
    """By Cov(z, a)/sd(a) for one sd of the direction's score, and its image by one component."""
    study, result = linear
    row = study.rows.walks[0]
    assert result.walked == study.test.names[row]
    own, fitted = scores(study, np.array([row]))
    deviations = np.sqrt(fitted.explained_variance_ * (len(study.fit) - 1) / len(study.fit))
    np.testing.assert_allclose(result.lengths[:, 4], own[0] / deviations, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(np.diff(result.lengths), 0.5)
    x = study.test.reconstructions[row].astype(np.float64)
    for place, frames in enumerate(result.frames):
        moved = np.linspace(-2, 2, 9)[:, None] * deviations[place] * fitted.components_[place]
        np.testing.assert_allclose(frames, x + moved, atol=2e-4)
    assert result.flagged.shape == (4, 9)
    assert result.flagged_share.value == pytest.approx(result.flagged.mean())
    assert 0 <= result.off_data_share.value <= 1


def test_one_number_has_no_directions() -> None:
    study = decoders.carrying(decoders.linear(1), decoders.gaussian_codes(60, 1), settings=FEW)
    with pytest.raises(DoesNotApplyError, match="fewer than two numbers"):
        direction_moves.run(study)
