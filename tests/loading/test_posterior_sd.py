"""The posterior sd is what the model's own sampling adds, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from reportgen.autoencoder import Autoencoder
from reportgen.loading import autoencoder_from_module
from tests.loading.files import FORMATS
from tests.loading.image_array import random_images
from tests.loading.zoo import Member, seeded

SHAPE = (3, 12, 12)


class Sampling(nn.Module):
    """Samples with its log-variance's sd times a factor, applied before or after the noise."""

    factor_first = True

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Linear(432, 8)
        self.up = nn.Linear(4, 432)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.down(x.flatten(1)).chunk(2, 1)
        sd = torch.exp(0.5 * log_variance)
        noise = torch.randn_like(sd)
        moved = noise * (sd * 0.5) if self.factor_first else noise * sd * 0.5
        return self.up(mean + moved).view(-1, 3, 12, 12), mean, log_variance


class FactorLast(Sampling):
    factor_first = False


def loaded(make: type[nn.Module], name: str, folder: Path) -> tuple[Autoencoder, str]:
    member = Member(make.__name__, seeded(make), SHAPE, lambda m, x: x, lambda m, z: z)
    found = FORMATS[name](member, folder, random_images(SHAPE))
    return found, " ".join(note.text for note in found.notes if note.topic == "posterior")


@pytest.mark.parametrize("name", ["in_memory", "exported", "traced"])
def test_a_factor_that_belongs_to_the_noise_belongs_to_the_sd(name: str, tmp_path: Path) -> None:
    found, text = loaded(Sampling, name, tmp_path)
    module = seeded(Sampling)()
    pixels = torch.from_numpy(random_images(SHAPE).pixels)
    with torch.no_grad():
        sd = 0.5 * torch.exp(0.5 * module.down(pixels.flatten(1))[:, 4:])
    assert found.posterior_sd is not None, text
    torch.testing.assert_close(found.posterior_sd(pixels), sd, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ["in_memory", "exported", "traced"])
def test_an_sd_that_the_models_sampling_contradicts_is_left_out(name: str, tmp_path: Path) -> None:
    """The log-variance says twice what the model adds."""
    found, text = loaded(FactorLast, name, tmp_path)
    assert found.posterior_sd is None
    assert "sampling fits no usual reading" in text


class SamplingEncoder(nn.Module):
    """Returns its sample, with the mean and the sd itself beside it, or alone."""

    def __init__(self, alone: bool) -> None:
        super().__init__()
        self.layer, self.alone = nn.Linear(432, 8), alone

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        mean, before = self.layer(x.flatten(1)).chunk(2, 1)
        sd = nn.functional.softplus(before)
        sample = mean + sd * torch.randn_like(sd)
        return sample if self.alone else (sample, mean, sd)


class HalvesAlone(nn.Module):
    def __init__(self, alone: bool) -> None:
        super().__init__()
        self.encoder = SamplingEncoder(alone)
        self.decoder = nn.Sequential(nn.Linear(4, 432), nn.Unflatten(1, SHAPE))


@pytest.mark.parametrize("alone", [False, True])
def test_an_encoder_that_samples_is_tested_without_a_model_around_it(alone: bool) -> None:
    torch.manual_seed(0)
    module = HalvesAlone(alone)
    images = random_images(SHAPE)
    found = autoencoder_from_module(module, images, normalize="0,1", output="pixels")
    pixels = torch.from_numpy(images.pixels)
    with torch.no_grad():
        mean, before = module.encoder.layer(pixels.flatten(1)).chunk(2, 1)
    assert found.posterior_sd is not None
    torch.testing.assert_close(found.encode(pixels), mean, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(
        found.posterior_sd(pixels), nn.functional.softplus(before), atol=1e-5, rtol=1e-4
    )
    text = " ".join(note.text for note in found.notes if note.topic == "posterior")
    assert "the model's own sampling in its encoder confirms" in text
