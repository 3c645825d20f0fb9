"""Loading changes nothing: neither a caller's module, nor random numbers, nor a file's buffers."""

from __future__ import annotations

import copy
import hashlib
import random
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reportgen.autoencoder import Autoencoder
from reportgen.loading import autoencoder_from_module, load_autoencoder
from tests.loading.files import load
from tests.loading.image_array import random_images

SHAPE = (1, 8, 8)


class Trained(nn.Module):
    """Batch norm and dropout on both sides, and a mean that noise is added to in training."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.4)
        )
        self.mean, self.spread = nn.Linear(16, 4), nn.Linear(16, 4)
        self.up = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.4))
        self.last = nn.Linear(16, 64)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.down(x)
        mean, spread = self.mean(hidden), self.spread(hidden)
        z = mean
        if self.training:
            z = mean + torch.randn_like(mean) * torch.exp(0.5 * spread)
        return self.last(self.up(z)).view(-1, 1, 8, 8), mean, spread


class WithHalves(Trained):
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.down(x)
        return self.mean(hidden), self.spread(hidden)

    def decode(self, z: Tensor) -> Tensor:
        return self.last(self.up(z)).view(-1, 1, 8, 8)


class CannotBeCopied(WithHalves):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.calls = 0

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        self.calls += 1
        return super().forward(x)


class UsesEveryRandomNumber(WithHalves):
    """Seeds torch and draws from every generator in each call."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        torch.manual_seed(5)
        self.last_draw = (random.random(), np.random.rand())  # noqa: NPY002
        return super().forward(x)


def trained(make: type[nn.Module]) -> nn.Module:
    """In training mode, with statistics, a frozen layer and a hook."""
    torch.manual_seed(0)
    module = make()
    for _ in range(3):
        module(torch.rand(20, *SHAPE))
    module.mean.weight.requires_grad_(False)
    module.down[1].register_forward_hook(lambda *given: None)
    return module


def digest(module: nn.Module) -> str:
    """Of all that a module holds: tensors, how they are kept, modes, hooks and plain attributes."""
    found = hashlib.sha256()
    for name, part in module.named_modules():
        found.update(f"{name} {part.training} {len(part._forward_hooks)}".encode())
        plain = {k: v for k, v in vars(part).items() if isinstance(v, int | float | str | tuple)}
        found.update(repr(sorted(plain.items())).encode())
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        kept = (name, tensor.dtype, tensor.device, tensor.requires_grad, tensor.stride())
        found.update(repr((*kept, id(tensor), tensor.data_ptr())).encode())
        found.update(tensor.detach().double().numpy().tobytes())
    return found.hexdigest()


def random_states() -> tuple[Any, ...]:
    of_numpy = str(np.random.get_state())  # noqa: NPY002
    return (torch.get_rng_state().tolist(), random.getstate(), of_numpy)


def use(found: Autoencoder) -> None:
    pixels = torch.from_numpy(random_images(SHAPE).pixels)
    found.decode(found.encode(pixels))
    assert found.forward is not None
    found.forward(pixels)
    if found.posterior_sd is not None:
        found.posterior_sd(pixels)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.float16])
@pytest.mark.parametrize("make", [Trained, WithHalves, CannotBeCopied, UsesEveryRandomNumber])
def test_a_callers_module_is_what_it_was(make: type[nn.Module], kind: torch.dtype) -> None:
    module = trained(make).to(kind)
    before = digest(module)
    found = autoencoder_from_module(module, random_images(SHAPE), normalize="0,1", output="pixels")
    assert digest(module) == before
    use(found)
    assert digest(module) == before


@pytest.mark.parametrize("make", [Trained, WithHalves, CannotBeCopied])
def test_a_module_in_training_is_studied_in_evaluation_mode(make: type[nn.Module]) -> None:
    module = trained(make)
    found = autoencoder_from_module(module, random_images(SHAPE), normalize="0,1", output="pixels")
    pixels = torch.from_numpy(random_images(SHAPE).pixels)
    module.eval()
    with torch.no_grad():
        hidden = module.down(pixels)
        code, sd = module.mean(hidden), torch.exp(0.5 * module.spread(hidden))
    torch.testing.assert_close(found.encode(pixels), code, atol=1e-6, rtol=1e-5)
    assert found.posterior_sd is not None, [note.text for note in found.notes]
    torch.testing.assert_close(found.posterior_sd(pixels), sd, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("make", [Trained, WithHalves, UsesEveryRandomNumber])
def test_random_numbers_go_on_as_if_nothing_was_loaded(make: type[nn.Module]) -> None:
    module = trained(make)
    before = random_states()
    autoencoder_from_module(module, random_images(SHAPE), normalize="0,1", output="pixels")
    assert random_states() == before


@pytest.mark.parametrize("make", [Trained, WithHalves])
def test_random_numbers_go_on_as_if_nothing_was_encoded(make: type[nn.Module]) -> None:
    found = autoencoder_from_module(
        trained(make), random_images(SHAPE), normalize="0,1", output="pixels"
    )
    before = random_states()
    use(found)
    assert random_states() == before


class WritesEachTime(nn.Module):
    """Its normalisation follows every batch, in evaluation mode too."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(64, 4)
        self.decoder = nn.Linear(4, 64)
        self.register_buffer("centre", torch.zeros(64))

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        code = self.encoder(flat - self.centre)
        self.centre = 0.5 * self.centre + 0.5 * flat.mean(0)
        self.encoder.bias.data.add_(1)
        return self.decoder(code).view_as(x)

    def encode(self, x: Tensor) -> Tensor:
        code = self.encoder(x.flatten(1) - self.centre)
        self.centre.add_(x.flatten(1).mean(0))
        return code

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z).view(-1, 1, 8, 8)


def test_what_a_model_writes_into_itself_is_taken_back_after_every_call() -> None:
    torch.manual_seed(0)
    module = WritesEachTime()
    kept = copy.deepcopy(module)
    images = random_images(SHAPE)
    found = autoencoder_from_module(module, images, normalize="0,1", output="pixels")
    pixels = torch.from_numpy(images.pixels)
    with torch.no_grad():
        expected = kept.encoder(pixels.flatten(1))
    for _ in range(3):
        torch.testing.assert_close(found.encode(pixels), expected)
        found.forward(pixels)


@pytest.mark.parametrize("how", ["trace", "script"])
@pytest.mark.parametrize("make", [Trained, WithHalves])
def test_a_script_written_in_training_mode_keeps_its_statistics(
    make: type[nn.Module], how: str, tmp_path: Path
) -> None:
    module = trained(make)
    pixels = torch.from_numpy(random_images(SHAPE).pixels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if how == "trace":
            kept = copy.deepcopy(module.state_dict())
            script = torch.jit.trace(module, pixels, check_trace=False)
            module.load_state_dict(kept)
            script.load_state_dict(kept)
        else:
            # A hook is written in Python, which a script does not hold.
            module.down[1]._forward_hooks.clear()
            script = torch.jit.script(module)
        torch.jit.save(script, tmp_path / "model.pt")
    found = load(tmp_path / "model.pt", random_images(SHAPE))
    module.eval()
    with torch.no_grad():
        code = module.mean(module.down(pixels))
    torch.testing.assert_close(found.encode(pixels), code, atol=1e-6, rtol=1e-5)


def test_loading_a_file_leaves_the_file_and_the_random_numbers(tmp_path: Path) -> None:
    module = trained(WithHalves)
    torch.save(module.state_dict(), tmp_path / "model.pt")
    content, before = (tmp_path / "model.pt").read_bytes(), random_states()
    load_autoencoder(
        tmp_path / "model.pt",
        images=random_images(SHAPE),
        model_class=f"{__file__}:WithHalves",
        normalize="0,1",
    )
    assert random_states() == before
    assert (tmp_path / "model.pt").read_bytes() == content
