"""An encoder and a decoder in two files, each of any format, are one model."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn

from reportgen.command.cli import main
from reportgen.errors import ModelError
from reportgen.loading import inspect_model
from tests.loading.files import load
from tests.loading.image_array import random_images
from tests.loading.test_onnx import export_onnx

SOURCE = """
import torch
from torch import nn

class Encoder(nn.Module):
    def __init__(self, units=5):
        super().__init__()
        self.hidden = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU())
        self.mean, self.spread = nn.Linear(16, units), nn.Linear(16, units)

    def forward(self, x):
        hidden = self.hidden(x)
        return self.mean(hidden), self.spread(hidden)

class Decoder(nn.Module):
    def __init__(self, units=5, sides=8):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(units, 16), nn.ReLU(), nn.Linear(16, 64))
        self.sides = sides

    def forward(self, z):
        return torch.sigmoid(self.layers(z)).view(-1, 1, self.sides, self.sides)

class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = Encoder(), Decoder()

    def forward(self, x):
        mean, spread = self.encoder(x)
        return self.decoder(mean + torch.randn_like(mean) * torch.exp(0.5 * spread))
"""
IMAGES = random_images((1, 8, 8))


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, nn.Module, nn.Module]:
    folder = tmp_path_factory.mktemp("halves")
    (folder / "net.py").write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("two_halves_of_a_test", folder / "net.py")
    assert spec is not None and spec.loader is not None
    net = importlib.util.module_from_spec(spec)
    sys.modules["two_halves_of_a_test"] = net
    spec.loader.exec_module(net)
    torch.manual_seed(0)
    return folder / "net.py", net.Encoder().eval(), net.Decoder().eval()


def pickled(module: nn.Module, given: Tensor, path: Path) -> None:
    torch.save(module, path)


def weights(module: nn.Module, given: Tensor, path: Path) -> None:
    torch.save(module.state_dict(), path)


def traced(module: nn.Module, given: Tensor, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(module, given), path)


def exported(module: nn.Module, given: Tensor, path: Path) -> None:
    shapes = ({0: torch.export.Dim("batch", min=1)},)
    program = torch.export.export(module, (given,), dynamic_shapes=shapes)
    with path.open("wb") as file:
        torch.export.save(program, file)


WRITERS: dict[str, Callable[[nn.Module, Tensor, Path], None]] = {
    "pickled": pickled,
    "weights": weights,
    "traced": traced,
    "exported": exported,
    "onnx": export_onnx,
}


def written(halves: tuple[Path, nn.Module, nn.Module], how: list[str], folder: Path) -> list[Path]:
    given = (torch.rand(3, 1, 8, 8), torch.rand(3, 5))
    paths = [folder / "first.bin", folder / "second.bin"]
    for name, module, tensor, path in zip(how, halves[1:], given, paths, strict=True):
        WRITERS[name](module, tensor, path)
    return paths


@pytest.mark.parametrize(
    "how",
    [*([name, name] for name in WRITERS), ["weights", "onnx"], ["traced", "exported"]],
    ids=str,
)
def test_two_files_are_one_model(
    how: list[str], halves: tuple[Path, nn.Module, nn.Module], tmp_path: Path
) -> None:
    encoder, decoder = written(halves, how, tmp_path)
    source = halves[0]
    found = load(
        encoder, IMAGES, decoder=str(decoder), model_class=f"{source}:Encoder,{source}:Decoder"
    )
    pixels = torch.from_numpy(IMAGES.pixels)
    with torch.no_grad():
        code, _ = halves[1](pixels)
        image = halves[2](code)
    assert found.code_shape == (5,)
    torch.testing.assert_close(found.encode(pixels), code, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(found.decode(code), image, atol=1e-6, rtol=1e-5)
    assert found.source is not None
    assert found.source.size == sum(path.stat().st_size for path in (encoder, decoder))


def test_weights_of_halves_fit_the_class_of_both(
    halves: tuple[Path, nn.Module, nn.Module], tmp_path: Path
) -> None:
    encoder, decoder = written(halves, ["weights", "weights"], tmp_path)
    found = load(encoder, IMAGES, decoder=str(decoder), model_class=f"{halves[0]}:Both")
    pixels = torch.from_numpy(IMAGES.pixels)
    with torch.no_grad():
        code, spread = halves[1](pixels)
    torch.testing.assert_close(found.encode(pixels), code, atol=1e-6, rtol=1e-5)
    assert found.posterior_sd is not None
    torch.testing.assert_close(found.posterior_sd(pixels), torch.exp(0.5 * spread))


def test_each_half_has_arguments_of_its_own(
    halves: tuple[Path, nn.Module, nn.Module], tmp_path: Path
) -> None:
    encoder, decoder = written(halves, ["weights", "weights"], tmp_path)
    found = load(
        encoder,
        IMAGES,
        decoder=str(decoder),
        model_class=f"{halves[0]}:Encoder,{halves[0]}:Decoder",
        model_args={"encoder": {"units": 5}, "decoder": {"units": 5, "sides": 8}},
    )
    assert found.code_shape == (5,)


def test_a_class_without_the_two_parts_is_named(
    halves: tuple[Path, nn.Module, nn.Module], tmp_path: Path
) -> None:
    encoder, decoder = written(halves, ["weights", "weights"], tmp_path)
    with pytest.raises(ModelError, match=r"Decoder has no two parts .* file.py:Encoder,file.py"):
        load(encoder, IMAGES, decoder=str(decoder), model_class=f"{halves[0]}:Decoder")


def test_the_command_takes_the_data_behind_the_two_files(
    halves: tuple[Path, nn.Module, nn.Module], tmp_path: Path
) -> None:
    encoder, decoder = written(halves, ["traced", "onnx"], tmp_path)
    np.save(tmp_path / "x.npy", IMAGES.pixels)
    files = ["--encoder", str(encoder), "--decoder", str(decoder)]
    # A value that begins like an option is a value all the same.
    given = ["--normalize", "-1,1", "--output", "pixels"]
    said = CliRunner().invoke(main, ["inspect", str(tmp_path / "x.npy"), *given, *files])
    assert said.exit_code == 0, said.output
    assert "first.bin and second.bin: encoder and decoder in two files." in said.output
    assert inspect_model(encoder, images=IMAGES, decoder=str(decoder)).problem is None


def test_data_that_is_missing_is_said(tmp_path: Path) -> None:
    said = CliRunner().invoke(main, ["build", "model.pt"])
    assert said.exit_code == 2 and "Missing argument 'DATA'" in said.output
