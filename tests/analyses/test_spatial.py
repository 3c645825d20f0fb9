"""M13: spatial codes: footprints, effects, colours in closed form; every section on such a code."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.linear_model import LinearRegression

from reportgen.analyses import (
    DoesNotApplyError,
    UnanswerableError,
    ablation,
    baselines,
    contributions,
    linearity,
    permuted_codes,
    spatial,
)
from reportgen.analyses.shared.coalition_table import coalition_table
from reportgen.analyses.shared.path_contributions import path_shares
from reportgen.engine import Engine
from reportgen.questions import QUESTIONS, runs_of
from reportgen.settings import Settings
from reportgen.statistics.footprints import holding_radius
from reportgen.study.single_moves import single_moves
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders
from tests.oracles.spatial_codes import colours, painting, site_codes
from tests.peak_memory import peak_of

SHAPE, SCALE = (3, 3, 4), 4


@pytest.fixture(scope="module")
def linear() -> Study:
    return painting(site_codes(200, SHAPE), SCALE, settings=FEW)


@pytest.fixture(scope="module")
def bent() -> Study:
    labels = tuple("ab"[row % 2] for row in range(400))
    return painting(site_codes(400, (2, 2, 2)), 2, bend=0.3, settings=FEW, labels=labels)


def expected_effects(study: Study, shape: tuple[int, int, int], scale: int) -> np.ndarray:
    """(height, width) Σ‖(z − m) · colours‖² · scale² / Σ‖x̂ − mean x̂‖², site by site."""
    rows = study.rows.table
    codes = study.test.codes.astype(np.float64).reshape(-1, *shape)[rows]
    moves = codes - study.baseline.reshape(shape)
    painted = np.einsum("nchw,cd->ndhw", moves, colours(shape[0]).double().numpy())
    images = study.test.reconstructions[rows].astype(np.float64)
    total = np.square(images - images.mean(axis=0)).sum()
    return np.square(painted).sum(axis=(0, 1)) * scale**2 / total


def test_effects_of_sites_are_their_closed_form(linear) -> None:
    result = spatial.run(linear)
    assert result.block == 1
    np.testing.assert_allclose(
        result.site_effects, expected_effects(linear, SHAPE, SCALE), rtol=1e-4
    )


def interval_of_ratio(numerators: np.ndarray, denominators: np.ndarray):
    """SciPy's percentile interval of Σa / Σb."""
    return stats.bootstrap(
        (numerators, denominators),
        lambda a, b, axis: a.sum(axis=axis) / b.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=10_000,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval


def test_a_site_s_interval_is_scipy_s_bootstrap_over_images() -> None:
    """2,000 resamples of 24 images each; both are Monte Carlo."""
    settings = Settings(rows=40, table_rows=24, bootstrap_resamples=2000)
    study = painting(site_codes(200, SHAPE), SCALE, settings=settings)
    result = spatial.run(study)
    rows = study.rows.table
    moves = study.test.codes.astype(np.float64).reshape(-1, *SHAPE)[rows, :, 1, 2]
    moves -= study.baseline.reshape(SHAPE)[:, 1, 2]
    squares = np.square(moves @ colours(SHAPE[0]).double().numpy()).sum(axis=1) * SCALE**2
    images = study.test.reconstructions[rows].astype(np.float64)
    spread = np.square(images - images.mean(axis=0)).sum(axis=1)
    theirs = interval_of_ratio(squares, spread)
    width = theirs.high - theirs.low
    assert result.site_effects_low[1, 2] == pytest.approx(theirs.low, abs=0.1 * width)
    assert result.site_effects_high[1, 2] == pytest.approx(theirs.high, abs=0.1 * width)


@pytest.mark.parametrize(("scale", "corner"), [(1, 0.0), (2, 0.5), (4, 1.5), (5, 2.0)])
def test_a_footprint_is_the_distance_to_the_corner_of_a_site_s_patch(scale, corner) -> None:
    """A patch of ≤ 5 × 5 even pixels: its four corners hold more than a tenth."""
    study = painting(site_codes(60, (2, 2, 3)), scale, settings=FEW)
    result = spatial.run(study)
    np.testing.assert_allclose(result.footprint_radii, corner * np.sqrt(2), atol=1e-3)
    assert result.median_radius == pytest.approx(corner * np.sqrt(2), abs=1e-3)


@pytest.mark.parametrize("together", [1, 5])
def test_maps_of_a_few_sites_at_a_time_are_those_of_all(linear, monkeypatch, together) -> None:
    whole = spatial.run(linear)
    channels, height, width = linear.image_shape
    monkeypatch.setattr(spatial, "MAP_BYTES", together * 8 * height * width)
    image_and_code = 4 * (channels * height * width + linear.engine.code_size)
    small = Engine(linear.autoencoder, block_bytes=2 * 2 * image_and_code)
    assert small.block_size == 2
    found = spatial.run(dataclasses.replace(linear, engine=small, _shared={}))
    np.testing.assert_allclose(found.footprint_radii, whole.footprint_radii, rtol=1e-9)
    np.testing.assert_allclose(found.site_effects, whole.site_effects, rtol=1e-6)


def test_the_footprint_leaves_out_a_tenth() -> None:
    """A ring that holds 9 % is outside, one of 11 % is not."""
    y, x = np.mgrid[:9, :9] - 4
    distance = np.hypot(y, x)
    for share, radius in ((0.09, 0.0), (0.11, 4.0)):
        energy = np.zeros((9, 9))
        energy[4, 4] = 1 - share
        energy[distance == 4] = share / 4
        assert holding_radius(energy) == radius


def test_a_site_that_paints_nothing_has_no_effect_and_no_footprint() -> None:
    study = painting(site_codes(60, (2, 2, 2)), 3, hidden_sites=((0, 1),), settings=FEW)
    result = spatial.run(study)
    assert result.site_effects[0, 1] == 0
    assert np.isnan(result.footprint_radii[0, 1])
    assert np.isfinite(result.median_radius)


def test_a_linear_colour_map_has_r2_one_and_the_painted_slopes(linear) -> None:
    result = spatial.run(linear)
    assert result.colour_r2.value == pytest.approx(1, abs=1e-6)
    fitted = linear.fit.codes.astype(np.float64).reshape(-1, *SHAPE)
    deviations = fitted.std(axis=(0, 2, 3))
    expected = colours(SHAPE[0]).numpy() * deviations[:, None]
    np.testing.assert_allclose(result.colour_weights, expected, atol=1e-5)


def test_a_bent_colour_map_has_scikit_learn_s_r2_on_the_test_rows(bent) -> None:
    """One regression for all sites, on patches averaged here by reshaping."""
    channels, height, width = bent.autoencoder.code_shape

    def parts(sample) -> tuple[np.ndarray, np.ndarray]:
        codes = sample.codes.astype(np.float64).reshape(-1, channels, height, width)
        images = sample.images.astype(np.float64).reshape(-1, 3, height, 2, width, 2)
        patches = images.mean(axis=(3, 5))
        return tuple(
            np.moveaxis(part, 1, -1).reshape(-1, part.shape[1]) for part in (codes, patches)
        )

    fitted = LinearRegression().fit(*parts(bent.fit))
    codes, patches = parts(bent.test)
    missed = np.square(patches - fitted.predict(codes))
    total = np.square(patches - patches.mean(axis=0))
    expected = 1 - missed.sum() / total.sum()
    assert expected < 0.9
    found = spatial.run(bent).colour_r2
    assert found.value == pytest.approx(expected, abs=1e-6)
    # SciPy resamples images, whose four sites go together.
    theirs = interval_of_ratio(
        *(part.reshape(len(bent.test), -1).sum(1) for part in (missed, total))
    )
    width = theirs.high - theirs.low
    assert found.low == pytest.approx(1 - theirs.high, abs=0.2 * width)
    assert found.high == pytest.approx(1 - theirs.low, abs=0.2 * width)


@pytest.mark.parametrize(
    ("height", "width", "block"),
    [(16, 16, 1), (17, 16, 2), (32, 32, 2), (31, 33, 3), (1, 256, 1), (1, 257, 2), (2, 1000, 4)],
)
def test_blocks_are_the_smallest_that_are_at_most_256(height, width, block) -> None:
    assert spatial._block(height, width) == block
    units, grid = spatial._sites((2, height, width), block, 2 * height * width)
    assert len(units) == grid[0] * grid[1] <= 256
    coordinates = np.concatenate(units.members)
    assert sorted(coordinates.tolist()) == list(range(2 * height * width))


def test_above_256_sites_blocks_move_together() -> None:
    shape = (1, 19, 15)
    study = painting(site_codes(24, shape), 1, settings=Settings(rows=8, table_rows=4))
    result = spatial.run(study)
    assert result.block == 2
    assert result.site_effects.shape == (10, 8)
    by_site = np.pad(expected_effects(study, shape, 1), ((0, 1), (0, 1)))
    np.testing.assert_allclose(
        result.site_effects, by_site.reshape(10, 2, 8, 2).sum(axis=(1, 3)), rtol=1e-4
    )


@pytest.mark.parametrize(("pixels", "sites"), [(12, 3), (13, 5), (7, 7), (4, 8), (1, 3)])
def test_patches_cover_every_pixel_and_none_is_empty(pixels: int, sites: int) -> None:
    patches = spatial._patches(pixels, sites)
    assert len(patches) == sites
    covered = [pixel for patch in patches for pixel in range(pixels)[patch]]
    assert set(covered) == set(range(pixels))
    assert all(patch.stop > patch.start for patch in patches)
    if sites <= pixels:
        assert covered == list(range(pixels))


def test_flat_codes_have_no_sites(smooth_study) -> None:
    with pytest.raises(DoesNotApplyError, match="flat"):
        spatial.run(smooth_study)


def test_a_decoder_that_ignores_its_code_has_no_site_effects() -> None:
    everywhere = tuple((y, x) for y in range(2) for x in range(2))
    study = painting(site_codes(40, (2, 2, 2)), 2, hidden_sites=everywhere, settings=FEW)
    with pytest.raises(UnanswerableError, match="same for every row"):
        spatial.run(study)


def test_units_are_channels_and_the_baseline_is_a_mean_for_each_channel_and_site(linear) -> None:
    assert linear.units.kind == "channel"
    assert len(linear.units) == SHAPE[0]
    expected = linear.fit.codes.astype(np.float64).reshape(-1, *SHAPE).mean(axis=0)
    np.testing.assert_allclose(linear.baseline.reshape(SHAPE), expected, atol=1e-6)
    assert np.ptp(linear.baseline.reshape(SHAPE)[0]) > 0.1  # not one mean for the channel


def test_channels_of_a_linear_painter_have_their_closed_forms(linear) -> None:
    codes = linear.test.codes.astype(np.float64).reshape(-1, *SHAPE)
    weights = np.square(colours(SHAPE[0]).double().numpy()).sum(axis=1) * SCALE**2
    rows = linear.rows.statistics
    moves = np.square(codes[rows] - linear.baseline.reshape(SHAPE)).sum(axis=(0, 2, 3))
    images = linear.test.reconstructions[rows].astype(np.float64)
    total = np.square(images - images.mean(axis=0)).sum()
    for found, expected in zip(ablation.run(linear).effects, moves * weights / total, strict=True):
        assert found.effect.value == pytest.approx(expected, rel=1e-4)
        assert found.solo.value == pytest.approx(expected, rel=1e-4)
    shares = contributions.run(linear).shares
    assert sum(share.share.value for share in shares) == pytest.approx(1, abs=1e-6)


def test_a_linear_painter_is_linear_with_real_and_with_permuted_channels(linear) -> None:
    """Each site's value is a regressor: channels' means would call it not additive."""
    small = painting(site_codes(200, (2, 2, 3)), 2, settings=FEW)
    assert linearity.run(small).linear.value == pytest.approx(1, abs=1e-6)
    assert permuted_codes.run(small).linear.value == pytest.approx(1, abs=1e-6)
    assert permuted_codes.run(linear).linear.value == pytest.approx(1, abs=1e-6)


def test_permuting_keeps_a_channel_s_sites_together(linear) -> None:
    codes = permuted_codes._permuted(linear, 0).reshape(-1, *SHAPE)
    fitted = linear.fit.codes.reshape(-1, *SHAPE)
    for channel in range(SHAPE[0]):
        known = {row.tobytes() for row in fitted[:, channel]}
        assert all(row.tobytes() in known for row in codes[:50, channel])


def test_every_section_answers_a_spatial_code_or_says_why_not(bent) -> None:
    study = dataclasses.replace(bent, _shared={})
    answered, reasons = set(), {}
    for name, run in runs_of(QUESTIONS).items():
        try:
            run(study)
            answered.add(name)
        except (DoesNotApplyError, UnanswerableError) as reason:
            reasons[name] = str(reason)
    # Its images are its own reconstructions.
    asked = {
        "code_book",
        "dependent_shares",
        "directions",
        "errors",
        "pre_activation",
        "replicates",
    }
    assert set(reasons) == asked
    assert "a unit is a channel" in reasons["directions"]
    assert all(reason.endswith((".", ")")) for reason in reasons.values())
    assert answered == set(runs_of(QUESTIONS)) - set(reasons)


def test_a_wide_spatial_code_leaves_out_only_what_needs_more_images() -> None:
    """128 elements and 30 fit rows: the regressions have too few rows and say so."""
    study = painting(site_codes(60, (2, 8, 8)), 1, bend=0.3, settings=FEW)
    for analysis in (linearity, permuted_codes):
        with pytest.raises(UnanswerableError, match="128 coordinates that vary"):
            analysis.run(study)
    assert spatial.run(study).site_effects.shape == (8, 8)


def test_one_channel_and_one_site_are_answered_too() -> None:
    for shape in ((1, 2, 3), (3, 1, 1)):
        study = painting(site_codes(60, shape), 2, settings=FEW)
        result = spatial.run(study)
        assert result.site_effects.shape == shape[1:]
        assert result.colour_r2.value == pytest.approx(1, abs=1e-5)


def test_sites_finer_than_pixels_are_answered() -> None:
    codes = site_codes(60, (2, 8, 8))
    flat = decoders.of_pixels(
        codes[:, 0, ::2, ::2].reshape(60, -1),
        shape=(1, 4, 4),
        encode=lambda x: x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3),
        decode=lambda z: z[:, :, ::2, ::2],
        code_shape=(1, 8, 8),
        settings=FEW,
    )
    result = spatial.run(flat)
    assert result.colour_r2.value == pytest.approx(1, abs=1e-6)
    assert (result.site_effects[1::2] == 0).all()


@pytest.mark.parametrize("together", [True, False])
def test_sites_at_their_mean_are_flagged_where_no_real_code_is_like_that(together: bool) -> None:
    """An encoder that gives all sites one value never gives one of them another."""
    codes = decoders.gaussian_codes(200, 4).reshape(-1, 1, 2, 2)
    if together:
        codes = np.repeat(codes[:, :, :1, :1], 4, axis=1).reshape(-1, 1, 2, 2)
    pool = torch.nn.AvgPool2d(4 if together else 2)
    study = decoders.of_pixels(
        codes.repeat(2, axis=2).repeat(2, axis=3).reshape(200, -1),
        shape=(1, 4, 4),
        encode=lambda x: pool(x).expand(-1, 1, 2, 2),
        decode=lambda z: z.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3),
        code_shape=(1, 2, 2),
        settings=FEW,
    )
    found = spatial.run(study).off_data_share.value
    assert found > 0.9 if together else found < 0.1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("compute", "megabytes"),
    [
        pytest.param(lambda study: study.shared(single_moves), 180, id="single moves"),
        *(
            pytest.param(compute, megabytes, id=name, marks=pytest.mark.slow)
            for name, compute, megabytes in (
                ("coalition table", lambda study: study.shared(coalition_table), 300),
                ("baselines", baselines.run, 200),
            )
        ),
    ],
)
def test_moved_codes_of_all_rows_are_never_in_memory_together(
    monkeypatch, compute, megabytes
) -> None:
    """Kept, they took 320, 810 and 520 MB for these 10,240 numbers."""
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    settings = Settings(rows=64, table_rows=8, off_data_sample=16, memory=0.25)
    study = painting(site_codes(150, (10, 32, 32)), 1, settings=settings)
    assert study.off_data and study.shared(path_shares)
    _, peak = peak_of(lambda: compute(study), megabytes * 10**6)
    assert peak < megabytes * 10**6
