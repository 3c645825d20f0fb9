"""M15: is the bottleneck complete, and do shares and ablations agree?"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats

from reportgen.analyses import ablation, contributions, trust
from reportgen.engine import Engine
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders


def with_forward(forward=None, **of_autoencoder) -> Study:
    """A study with exactly these images; x̂ has range 1 by construction of the decoder."""
    return decoders.carrying(
        unit_range, decoders.gaussian_codes(80, 3), settings=FEW, forward=forward, **of_autoencoder
    )


def unit_range(z: torch.Tensor) -> torch.Tensor:
    """Images from 0 to 1, both ends reached in every image."""
    images = torch.sigmoid(z @ decoders.directions(3)) * 0.5 + 0.25
    images[:, 0], images[:, 1] = 0, 1
    return images


def split_forward(extra: float = 0.0):
    def forward(images: torch.Tensor) -> torch.Tensor:
        out = unit_range(images.reshape(len(images), -1)[:, :3])
        out[:, 5] += extra
        return out.reshape(images.shape)

    return forward


def test_a_model_equal_to_its_two_halves_is_complete() -> None:
    result = trust.run(with_forward(split_forward()))
    assert result.bottleneck == "complete"
    assert result.largest_difference == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("extra", "verdict"), [(0.9e-4, "complete"), (1.1e-4, "incomplete")])
def test_completeness_is_a_ten_thousandth_of_the_range(extra: float, verdict: str) -> None:
    result = trust.run(with_forward(split_forward(extra)))
    assert result.bottleneck == verdict
    assert result.largest_difference == pytest.approx(extra, abs=1e-6)


def test_a_difference_is_a_part_of_the_reconstructions_range() -> None:
    """Images from 0 to 5, and .00045 at one pixel."""

    def decode(z: torch.Tensor) -> torch.Tensor:
        return 5 * unit_range(z)

    def forward(images: torch.Tensor) -> torch.Tensor:
        out = decode(images.reshape(len(images), -1)[:, :3])
        out[:, 5] += 5 * 0.9e-4
        return out.reshape(images.shape)

    study = decoders.carrying(decode, decoders.gaussian_codes(80, 3), settings=FEW, forward=forward)
    result = trust.run(study)
    assert result.bottleneck == "complete"
    assert result.largest_difference == pytest.approx(0.9e-4, abs=1e-6)


def test_a_skip_around_the_bottleneck_is_incomplete() -> None:
    def forward(images: torch.Tensor) -> torch.Tensor:
        return split_forward()(images) + 0.3 * images

    assert trust.run(with_forward(forward)).bottleneck == "incomplete"


def test_a_forward_that_samples_is_stochastic_and_not_accused_of_a_skip() -> None:
    generator = torch.Generator().manual_seed(0)

    def forward(images: torch.Tensor) -> torch.Tensor:
        return split_forward()(images) + 0.5 * torch.rand(images.shape, generator=generator)

    result = trust.run(with_forward(forward))
    assert result.bottleneck == "stochastic"
    assert result.largest_difference == pytest.approx(0.5, abs=0.1)


def test_noise_that_was_held_for_the_check_is_said() -> None:
    result = trust.run(with_forward(split_forward(), noise_held=True))
    assert (result.bottleneck, result.noise_held) == ("complete", True)
    assert not trust.run(with_forward(split_forward())).noise_held


def test_a_model_without_a_forward_is_not_checked() -> None:
    result = trust.run(with_forward(None))
    assert (result.bottleneck, result.largest_difference) == ("not checked", None)


def test_agreement_is_scipy_s_kendall_tau_of_shares_and_last_in_effects(smooth_study) -> None:
    shares = contributions.run(smooth_study).shares
    share = {s.unit: s.share.value for s in shares}
    effects = {e.unit: e.effect.value for e in ablation.run(smooth_study).effects}
    units = sorted(share)
    expected = stats.kendalltau([share[u] for u in units], [effects[u] for u in units]).statistic
    found = trust.run(smooth_study).share_and_ablation_agree
    assert found == pytest.approx(expected)


def test_agreement_needs_three_units() -> None:
    study = decoders.carrying(decoders.linear(2), decoders.gaussian_codes(60, 2), settings=FEW)
    assert trust.run(study).share_and_ablation_agree is None


def test_about_one_percent_of_real_codes_are_flagged() -> None:
    pictures = decoders.directions(3)
    study = decoders.of_pixels(
        decoders.gaussian_codes(1200, 3) @ pictures.numpy(),
        encode=lambda x: x.reshape(len(x), -1) @ pictures.T,
        decode=lambda z: (z @ pictures).reshape(len(z), 1, 4, 5),
        code_shape=(3,),
        settings=FEW,
    )
    result = trust.run(study)
    assert 0 < result.real_codes_flagged.value < 0.04
    assert result.largest_cycle_error == 1e-3
    # The 99 % quantile of a χ² with three degrees of freedom.
    assert result.largest_distance == pytest.approx(stats.chi2(3).ppf(0.99), rel=0.2)


@pytest.mark.parametrize(("images", "shrunk"), [(58, True), (60, False)])
def test_a_covariance_of_fewer_than_ten_fit_images_for_each_unit_is_shrunk(images, shrunk) -> None:
    study = decoders.carrying(decoders.linear(3), decoders.gaussian_codes(images, 3), settings=FEW)
    assert len(study.fit) == images // 2
    assert trust.run(study).covariance_shrunk == shrunk


def test_in_sample_is_told() -> None:
    small = decoders.carrying(decoders.linear(3), decoders.gaussian_codes(12, 3))
    assert trust.run(small).in_sample
    assert not trust.run(with_forward(None)).in_sample


def test_the_posterior_noise_floor_of_a_linear_decoder_is_its_closed_form() -> None:
    """E‖σε W‖² = Σ σ_k² ‖W_k‖², with rows of length 1, 2, 3."""
    deviations = torch.tensor([0.5, 0.2, 0.1])
    codes = decoders.gaussian_codes(512, 3)
    study = decoders.carrying(
        decoders.linear(3),
        codes,
        fit_codes=codes,
        posterior_sd=lambda images: deviations.expand(len(images), -1),
    )
    moved = float((deviations**2 * torch.tensor([1.0, 4, 9])).sum())
    rows = codes[study.rows.statistics].astype(np.float64)
    spread = (rows.var(axis=0) * [1, 4, 9]).sum()
    found = trust.run(study).posterior_noise_floor
    assert found.value == pytest.approx(moved / spread, rel=0.15)
    assert trust.run(with_forward(None)).posterior_noise_floor is None


@pytest.mark.parametrize("odd", [0.5, float("nan")])
def test_large_images_are_compared_a_few_at_a_time_with_the_same_verdict(odd: float) -> None:
    """The difference is in one row, and not in the first that are compared."""

    def forward(images: torch.Tensor) -> torch.Tensor:
        whole = split_forward()(images)
        whole[torch.all(images == target, dim=(1, 2, 3))] += odd
        return whole

    study = with_forward(forward)
    target = torch.from_numpy(study.test.images[17]).reshape(study.image_shape)
    whole = trust.run(study)
    few = Engine(study.autoencoder, block_bytes=10 * 4 * (decoders.PIXELS + 3))
    assert few.block_size == 5
    found = trust.run(dataclasses.replace(study, engine=few, _shared={}))
    assert whole.bottleneck == found.bottleneck == "incomplete"
    np.testing.assert_allclose(found.largest_difference, whole.largest_difference, rtol=1e-5)
    assert np.isnan(found.largest_difference) == np.isnan(odd)
