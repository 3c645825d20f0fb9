"""Graphs of images and their classes are cut, and studied at each image's own class."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from reportgen.autoencoder import Autoencoder
from reportgen.errors import ModelError
from reportgen.loading import autoencoder_from_module, load_autoencoder
from tests.loading.test_conditional import (
    CLASSES,
    IMAGES,
    NUMBERS,
    PIXELS,
    SAID,
    Indexed,
    OneHot,
    one_hot,
)

IMAGES_OF_THREE = torch.from_numpy(PIXELS[:3])
BATCH = torch.export.Dim("batch")


def exported(module: nn.Module, given: Any, path: Path) -> None:
    program = torch.export.export(module, given, dynamic_shapes=({0: BATCH}, {0: BATCH}))
    torch.export.save(program, path)


def exported_for_three(module: nn.Module, given: Any, path: Path) -> None:
    torch.export.save(torch.export.export(module, given), path)


def traced(module: nn.Module, given: Any, path: Path) -> None:
    torch.jit.save(torch.jit.trace(module, given, check_trace=False), path)


def scripted(module: nn.Module, given: Any, path: Path) -> None:
    torch.jit.save(torch.jit.script(module), path)


def onnx(module: nn.Module, given: Any, path: Path) -> None:
    free = {"x": {0: "n"}, "c": {0: "n"}}
    torch.onnx.export(module, given, path, dynamo=False, input_names=["x", "c"], dynamic_axes=free)


def onnx_for_three(module: nn.Module, given: Any, path: Path) -> None:
    torch.onnx.export(module, given, path, dynamo=False)


def newer_onnx(module: nn.Module, given: Any, path: Path) -> None:
    free = ({0: BATCH}, {0: BATCH})
    torch.onnx.export(
        module, given, path, dynamo=True, external_data=False, dynamic_shapes=free, verbose=False
    )


class HalvesOnly(nn.Module):
    """The encoder or the decoder of `OneHot`."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, values: Tensor, y: Tensor) -> Tensor:
        planes = y.unsqueeze(2).unsqueeze(3).expand(-1, -1, values.shape[2], values.shape[3])
        return torch.tanh(self.layer(torch.cat([values, planes], 1)))


def images_at(found: Autoencoder, codes: Tensor) -> Tensor:
    """What is decoded of each image's code at the image's own class."""
    with torch.no_grad():
        return found.decode(
            torch.cat([codes.flatten(1), functional.one_hot(NUMBERS, CLASSES)[:, 1:].float()], 1)
        )


def same_as(model: Any, found: Autoencoder, labels: Tensor) -> None:
    with torch.no_grad():
        codes = found.encode(torch.from_numpy(PIXELS), NUMBERS)
        own = model.encode(torch.from_numpy(PIXELS), labels)
        own = own[0] if isinstance(own, tuple) else own
        torch.testing.assert_close(codes, own.reshape(codes.shape), atol=1e-6, rtol=0)
        image = model.decode(own, labels)
        torch.testing.assert_close(images_at(found, codes), image, atol=1e-6, rtol=0)


class AsNumbers(Indexed):
    def encode(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        return self.encoder(x, c)

    def decode(self, z: Tensor, c: Tensor) -> Tensor:
        return self.decoder(z, c)


@pytest.mark.parametrize(
    "write", [exported, exported_for_three, traced, onnx, onnx_for_three, newer_onnx]
)
@pytest.mark.parametrize("is_one_hot", [False, True])
def test_a_graph_of_images_and_classes(
    write: Callable[..., None], is_one_hot: bool, tmp_path: Path
) -> None:
    model = (OneHot() if is_one_hot else AsNumbers()).eval()
    labels = one_hot() if is_one_hot else NUMBERS
    write(model, (IMAGES_OF_THREE, labels[:3]), tmp_path / "model")
    found = load_autoencoder(tmp_path / "model", images=IMAGES, **SAID)
    same_as(model, found, labels)
    assert found.is_variational is not is_one_hot


@pytest.mark.parametrize("write", [exported, exported_for_three, traced, scripted, onnx])
def test_halves_of_values_and_classes(write: Callable[..., None], tmp_path: Path) -> None:
    model = OneHot().eval()
    encoder, decoder = HalvesOnly(model.down), HalvesOnly(model.up)
    codes = encoder(IMAGES_OF_THREE, one_hot()[:3]).detach()
    write(encoder, (IMAGES_OF_THREE, one_hot()[:3]), tmp_path / "encoder")
    write(decoder, (codes, one_hot()[:3]), tmp_path / "decoder")
    found = load_autoencoder(
        tmp_path / "encoder", images=IMAGES, decoder=str(tmp_path / "decoder"), **SAID
    )

    class Both:
        encode, decode = encoder, decoder

    same_as(Both(), found, one_hot())


class WithoutHalves(nn.Module):
    """A model with neither methods nor submodules for the two, and noise in training alone."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.spread = nn.Linear(36 + CLASSES, 3), nn.Linear(36 + CLASSES, 3)
        self.last = nn.Linear(3 + CLASSES, 36)

    def coded(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        given = torch.cat([x.flatten(1), functional.one_hot(c, CLASSES).float()], 1)
        return self.first(given), torch.exp(self.spread(given))

    def image(self, z: Tensor, c: Tensor) -> Tensor:
        given = torch.cat([z, functional.one_hot(c, CLASSES).float()], 1)
        return torch.sigmoid(self.last(given)).view(-1, 1, 6, 6)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        z, sd = self.coded(x, c)
        return self.image(z + sd * torch.randn_like(z) if self.training else z, c)


def deviations_where_codes_and_images_are_its_own(
    found: Autoencoder, model: WithoutHalves
) -> Tensor:
    """The model's own sds of the codes, which are found as its own, and images of them too."""
    own, sd = model.coded(torch.from_numpy(PIXELS), NUMBERS)
    codes = found.encode(torch.from_numpy(PIXELS), NUMBERS)
    torch.testing.assert_close(codes, own)
    torch.testing.assert_close(images_at(found, codes), model.image(own, NUMBERS))
    return sd


def test_a_module_without_halves_is_cut_at_the_mean_that_training_adds_noise_to() -> None:
    model = WithoutHalves().eval()
    found = autoencoder_from_module(model, IMAGES, **SAID)
    with torch.no_grad():
        sd = deviations_where_codes_and_images_are_its_own(found, model)
        assert found.posterior_sd is not None
        torch.testing.assert_close(found.posterior_sd(torch.from_numpy(PIXELS), NUMBERS), sd)


class InRows(nn.Module):
    """A model that takes its classes as a column of numbers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(37, 3), nn.Linear(4, 36)

    def encode(self, x: Tensor, c: Tensor) -> Tensor:
        return self.first(torch.cat([x.flatten(1), c], 1))

    def decode(self, z: Tensor, c: Tensor) -> Tensor:
        return self.last(torch.cat([z, c], 1)).view(-1, 1, 6, 6)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        return self.decode(self.encode(x, c), c)


def test_classes_in_a_column(tmp_path: Path) -> None:
    model, column = InRows(), NUMBERS.float().unsqueeze(1)
    same_as(model, autoencoder_from_module(model, IMAGES, **SAID), column)
    exported(model, (IMAGES_OF_THREE, column[:3]), tmp_path / "model")
    same_as(model, load_autoencoder(tmp_path / "model", images=IMAGES, **SAID), column)


def test_what_a_graph_does_not_take_is_said(tmp_path: Path) -> None:
    class OfTwoImages(InRows):
        def forward(self, x: Tensor, c: Tensor) -> Tensor:
            return self.decode(self.encode(x, c.flatten(1)[:, :1]), c.flatten(1)[:, :1])

    refused = functools.partial(load_autoencoder, images=IMAGES)
    exported(OfTwoImages(), (IMAGES_OF_THREE, IMAGES_OF_THREE), tmp_path / "images")
    with pytest.raises(ModelError, match=r"takes 1×6×6 numbers for each image as its 'c', and"):
        refused(tmp_path / "images", **SAID)
    with pytest.raises(ModelError, match=r"2 inputs \(images, c\).*say --condition labels, else"):
        refused(tmp_path / "images")
    onnx(InRows(), (IMAGES_OF_THREE, torch.zeros(3, 1)), tmp_path / "onnx")
    with pytest.raises(ModelError, match=r"2 inputs \(x, c\).*say --condition labels, else"):
        refused(tmp_path / "onnx")
    few = OneHot(3).eval()
    exported(few, (IMAGES_OF_THREE, torch.eye(3)), tmp_path / "few")
    with pytest.raises(ModelError, match="of 3 classes, and the data's have the numbers 0 to 3"):
        refused(tmp_path / "few", **SAID)
    plain = nn.Sequential(nn.Flatten(), nn.Linear(36, 3), nn.Linear(3, 36))
    torch.export.save(torch.export.export(plain, (IMAGES_OF_THREE,)), tmp_path / "plain")
    with pytest.raises(ModelError, match="one graph of images alone"):
        refused(tmp_path / "plain", **SAID)


class ByKeyword(WithoutHalves):
    """A model whose forward looks its classes up among keywords, as PyTorch-VAE's does."""

    def forward(self, x: Tensor, **keywords: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x, keywords["labels"])


def test_classes_by_keyword() -> None:
    model = ByKeyword().eval()
    found = autoencoder_from_module(model, IMAGES, **SAID)
    with torch.no_grad():
        deviations_where_codes_and_images_are_its_own(found, model)
    with pytest.raises(ModelError, match=r"KeyError: 'labels' \(.*say --condition labels"):
        autoencoder_from_module(model, IMAGES, normalize="0,1", output="pixels")
