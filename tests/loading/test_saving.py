"""A model that `save` wrote needs no flag, and is the model that was saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import reportgen
from reportgen.errors import DataError, ModelError, ReportgenError
from reportgen.loading import load_autoencoder, save
from tests.loading.files import example
from tests.loading.image_array import random_images
from tests.loading.test_zoo import IN_EVERY_FORMAT
from tests.loading.zoo import MEMBERS, UNet, UniformNoise
from tests.slow import slow_but

PLAIN = [member for member in MEMBERS if member.name not in ("FlatDense", "GreyHW")]


def note(found: object, topic: str) -> str:
    return next(note.text for note in found.notes if note.topic == topic)


@pytest.mark.parametrize(
    "member",
    slow_but([m for m in PLAIN if m.name in IN_EVERY_FORMAT], PLAIN),
    ids=lambda member: member.name,
)
def test_a_saved_model_is_split_as_its_own_code_splits_it(member: object, tmp_path: Path) -> None:
    module = member.make().train()
    save(module, tmp_path / "model.pt2", example=example(member, 4), normalize="0,1",
         output="pixels")  # fmt: skip
    assert module.training
    images = random_images(member.shape)
    found = load_autoencoder(tmp_path / "model.pt2", images=images)
    assert note(found, "scaling") == "Pixel scale 0,1 (pixels out), as given."
    assert "normalize, output" in note(found, "settings")
    pixels = torch.from_numpy(images.pixels)
    oracle = member.make()
    with torch.no_grad():
        code = member.code(oracle, pixels)
        image = member.image(oracle, code).reshape(pixels.shape)
    torch.testing.assert_close(found.encode(pixels), code, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(found.decode(code), image, atol=1e-6, rtol=1e-5)
    if member.sd is not None:
        with torch.no_grad():
            sd = member.sd(oracle, pixels)
        torch.testing.assert_close(found.posterior_sd(pixels), sd, atol=1e-6, rtol=1e-5)


def test_means_and_sds_are_kept(tmp_path: Path) -> None:
    member = next(member for member in MEMBERS if member.name == "ConvChildren")
    save(
        member.make(),
        tmp_path / "model.pt2",
        example=example(member),
        normalize=((0.1, 0.2, 0.3), (0.5, 0.25, 0.125)),
        output="pixels",
        classes=["cat", "dog"],
    )
    images = random_images(member.shape)
    found = load_autoencoder(tmp_path / "model.pt2", images=images)
    mean = torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)
    sd = torch.tensor([0.5, 0.25, 0.125]).view(3, 1, 1)
    pixels = torch.from_numpy(images.pixels)
    module = member.make()
    with torch.no_grad():
        code = module.encoder((pixels - mean) / sd)
        image = module.decoder(code) * sd + mean
    torch.testing.assert_close(found.encode(pixels), code, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.decode(code), image, atol=1e-6, rtol=1e-5)
    assert "cat, dog" in note(found, "classes")


def test_a_flag_is_stronger_than_what_the_file_says(tmp_path: Path) -> None:
    member = MEMBERS[0]
    save(member.make(), tmp_path / "model.pt2", example=example(member), normalize="-1,1")
    images = random_images(member.shape)
    found = load_autoencoder(
        tmp_path / "model.pt2", images=images, normalize="0,255", bottleneck="linear in 1"
    )
    assert "0,255" in note(found, "scaling") and found.code_shape == (32,)


def test_torch_opens_the_file_too(tmp_path: Path) -> None:
    member = next(member for member in MEMBERS if member.name == "ConvMethods")
    module = member.make()
    save(module, tmp_path / "model.pt2", example=example(member))
    program = torch.export.load(tmp_path / "model.pt2").module()
    x = example(member, 3)
    with torch.no_grad():
        image, code = program(x)
        torch.testing.assert_close(image, module(x))
        torch.testing.assert_close(code, module.encode(x))


@pytest.mark.parametrize(
    ("make", "options", "words"),
    [
        (UNet, {}, "bypassed"),
        (UniformNoise, {}, "random"),
        (lambda: nn.Conv2d(3, 3, 1), {"normalize": "1,0"}, "--normalize"),
        (lambda: nn.Conv2d(3, 3, 1), {"output": "colour"}, "pixels or logits"),
    ],
)
def test_what_cannot_be_loaded_is_not_left_behind(
    make: object, options: dict, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=words):
        save(make(), tmp_path / "model.pt2", example=torch.rand(2, 3, 12, 12), **options)
    assert not (tmp_path / "model.pt2").exists()
    with pytest.raises(DataError, match="at least two float images"):
        save(make(), tmp_path / "model.pt2", example=torch.rand(1, 3, 12, 12))


@pytest.mark.parametrize("how", ["array", "batch"])
def test_an_example_may_be_what_a_data_loader_gives(how: str, tmp_path: Path) -> None:
    images = torch.rand(4, 1, 12, 12)
    example = {
        "array": images.numpy(),
        "batch": [images, torch.arange(4)],
    }[how]
    module = nn.Sequential()
    module.add_module("encoder", nn.Sequential(nn.Flatten(), nn.Linear(144, 3)))
    module.add_module("decoder", nn.Sequential(nn.Linear(3, 144), nn.Unflatten(1, (1, 12, 12))))
    reportgen.save(module, tmp_path / "model.pt2", example)
    assert (tmp_path / "model.pt2").is_file()


@pytest.mark.parametrize(
    ("model", "example", "words"),
    [
        (nn.Flatten(), "images", "example is a str"),
        (nn.Flatten(), np.zeros((4, 3)), "example is 4×3 of float64"),
        (nn.Flatten(), np.zeros((4, 1, 2, 2), np.uint8), "of uint8"),
        (3, np.zeros((4, 1, 2, 2)), "model is an int"),
    ],
)
def test_what_cannot_be_saved_is_one_sentence(
    model: Any, example: Any, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ReportgenError, match=words):
        reportgen.save(model, tmp_path / "model.pt2", example)
    with pytest.raises(ReportgenError, match=r"is no folder|model is a"):
        reportgen.save(model, tmp_path / "nowhere" / "model.pt2", example)
