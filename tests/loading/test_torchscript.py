"""TorchScript in the shapes that saving it leaves behind."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from reportgen.errors import DataError, ModelError
from tests.loading.files import load
from tests.loading.image_array import random_images
from tests.loading.zoo import MEMBERS, BatchNormCode, ConvMethods, Dense

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
GREY = (1, 12, 12)
METHODS = next(member for member in MEMBERS if member.name == "ConvMethods")
NORMED = next(member for member in MEMBERS if member.name == "BatchNormCode")


def test_a_frozen_module_loads(tmp_path: Path) -> None:
    module = NORMED.make()
    torch.jit.save(torch.jit.freeze(torch.jit.script(module)), tmp_path / "model.pt")
    images = random_images(GREY)
    found = load(tmp_path / "model.pt", images)
    pixels = torch.from_numpy(images.pixels)
    with torch.no_grad():
        expected = module(pixels)
    torch.testing.assert_close(found.forward(pixels), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.decode(found.encode(pixels)), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("make", [BatchNormCode, ConvMethods])
def test_a_module_saved_in_training_mode_is_evaluated(make: type, tmp_path: Path) -> None:
    member = METHODS if make is ConvMethods else NORMED
    module = member.make().train()
    scripted = torch.jit.script(module)
    torch.jit.save(scripted, tmp_path / "model.pt")
    images = random_images(GREY)
    found = load(tmp_path / "model.pt", images)
    pixels = torch.from_numpy(images.pixels)
    with torch.no_grad():
        code = member.code(module.eval(), pixels)
    torch.testing.assert_close(found.encode(pixels), code, atol=1e-6, rtol=1e-5)


class Rescues(nn.Module):
    """Branches on pixel values, as code that takes [0, 255] and [0, 1] alike."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(144, 5), nn.Linear(5, 144)

    @torch.jit.export
    def encode(self, x: Tensor) -> Tensor:
        if float(x.max()) > 1.5:
            x = x / 255
        return self.down(x.flatten(1))

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return self.up(z).view(-1, 1, 12, 12)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class RescuesWhole(Rescues):
    """The same without halves of its own."""

    def forward(self, x: Tensor) -> Tensor:
        if float(x.max()) > 1.5:
            x = x / 255
        return self.up(self.down(x.flatten(1))).view(-1, 1, 12, 12)


def test_methods_that_branch_on_pixels_are_called_as_they_are(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Rescues().eval()
    torch.jit.save(torch.jit.script(module), tmp_path / "model.pt")
    images = random_images(GREY)
    found = load(tmp_path / "model.pt", images)
    pixels = torch.from_numpy(images.pixels)
    with torch.no_grad():
        torch.testing.assert_close(found.encode(pixels), module.encode(pixels))
        torch.testing.assert_close(found.forward(pixels), module(pixels))


def test_a_whole_that_branches_on_pixels_cannot_be_cut(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(RescuesWhole().eval()), tmp_path / "model.pt")
    with pytest.raises(ModelError, match=r"pixel|turns pixels into numbers"):
        load(tmp_path / "model.pt", random_images(GREY), bottleneck="linear")


class LoopsOverLayers(nn.Module):
    """A ModuleList in a loop, sizes in conditions, a dictionary out."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(144, 30), nn.Linear(30, 4), nn.Linear(4, 144)])

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        if x.dim() == 3:
            x = x.unsqueeze(1)
        batch, channels, height, width = x.shape
        out = x.reshape(batch, -1)
        for place, layer in enumerate(self.layers):
            out = layer(out)
            if place < 1:
                out = torch.relu(out)
        return {"recon": out.reshape(batch, channels, height, width)}


def test_loops_and_conditions_on_sizes_are_resolved(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = LoopsOverLayers().eval()
    torch.jit.save(torch.jit.script(module), tmp_path / "model.pt")
    images = random_images(GREY)
    found = load(tmp_path / "model.pt", images)
    pixels = torch.from_numpy(images.pixels)
    assert found.code_shape == (4,)
    with torch.no_grad():
        expected = module(pixels)["recon"]
    torch.testing.assert_close(found.decode(found.encode(pixels)), expected)
    torch.testing.assert_close(found.decode(found.encode(pixels[:1])), expected[:1])


class ReshapesByNumber(nn.Module):
    """Asks for its batch size as a Python number, which a trace writes down."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Linear(144, 5)
        self.up = nn.Linear(5, 144)

    def forward(self, x: Tensor) -> Tensor:
        rows = int(x.shape[0])
        return self.up(torch.relu(self.down(x.view(rows, 144)))).view(rows, 1, 12, 12)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_batch_size_that_a_trace_fixed_is_kept_and_said(batch: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = ReshapesByNumber().eval()
    traced = torch.jit.trace(module, torch.rand(batch, *GREY))
    torch.jit.save(traced, tmp_path / "model.pt")
    images = random_images(GREY, count=11)
    found = load(tmp_path / "model.pt", images)
    pixels = torch.from_numpy(images.pixels)
    with torch.no_grad():
        code = torch.relu(module.down(pixels.flatten(1)))
        image = module(pixels)
    torch.testing.assert_close(found.encode(pixels), code)
    torch.testing.assert_close(found.decode(code), image)
    torch.testing.assert_close(found.forward(pixels), image)
    assert any(f"batch size at {batch}" in note.text for note in found.notes)


class HalfPrecision(nn.Module):
    """Converts its input to the type of its weights, and back."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(144, 5))
        self.decoder = nn.Sequential(nn.Linear(5, 144), nn.Unflatten(1, (1, 12, 12)))
        self.norm = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: Tensor) -> Tensor:
        code = self.encoder(x.to(self.norm.dtype))
        return (self.decoder(code * self.norm) + torch.tensor(0.5).to(code.dtype)).float()


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("how", ["script", "trace"])
def test_a_script_of_any_precision_runs_in_float32(
    how: str, kind: torch.dtype, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    module = HalfPrecision().eval().to(kind)
    pixels = torch.from_numpy(random_images((1, 12, 12)).pixels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script = (
            torch.jit.script(module) if how == "script" else torch.jit.trace(module, pixels[:2])
        )
        torch.jit.save(script, tmp_path / "model.pt")
    found = load(tmp_path / "model.pt", random_images(GREY))
    whole = module.float()
    with torch.no_grad():
        expected = whole(pixels)
    torch.testing.assert_close(found.decode(found.encode(pixels)), expected, atol=1e-5, rtol=1e-4)


class BesideItsTensors(nn.Module):
    """Calls an operator whose arguments torch does not check, on constants of its own."""

    def __init__(self, branches: bool) -> None:
        super().__init__()
        self.inner = Dense()
        self.branches = branches
        self.register_buffer("wide", torch.zeros(2, 4096, 3))
        self.register_buffer("short", torch.zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        if self.branches and bool(images.sum() < 0):
            images = -images
        normed, _, _ = torch.native_batch_norm(
            self.wide, None, None, self.short, self.short, False, 0.1, 1e-5
        )
        return self.inner(images) + 0 * normed.sum()


@pytest.mark.parametrize("branches", [False, True], ids=["a graph", "code that branches on pixels"])
def test_operators_on_constants_are_checked_wherever_they_run(
    branches: bool, tmp_path: Path
) -> None:
    """Without the check this reads the heap, when torch prepares the code or when it runs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(BesideItsTensors(branches).eval()), tmp_path / "model.pt")
    with pytest.raises((ModelError, DataError), match="arguments that do not fit together"):
        load(tmp_path / "model.pt", random_images(GREY))
