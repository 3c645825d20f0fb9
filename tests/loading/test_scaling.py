"""The pixel scale a model was trained on is found from how well it reconstructs, or asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reportgen.errors import ModelError
from reportgen.loading import autoencoder_from_module, inspect_model, save
from reportgen.loading.known_scalings import IMAGENET_MEAN, IMAGENET_SD, known_scalings
from tests.loading.image_array import ImageArray

UNITS = 12


def smooth_images(channels: int = 3, count: int = 96, size: int = 12) -> ImageArray:
    """Blobs in [0, 1] that 12 numbers describe well."""
    generator = np.random.default_rng(5)
    y, x = np.mgrid[0:size, 0:size]
    images = np.empty((count, channels, size, size))
    for row in range(count):
        cx, cy = generator.uniform(2, size - 2, 2)
        width = generator.uniform(2, 4)
        blob = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * width**2))
        for channel in range(channels):
            low, high = np.sort(generator.uniform(0, 1, 2))
            images[row, channel] = low + (high - low) * blob
    return ImageArray(images)


class Linear(nn.Module):
    """PCA of scaled images, as a model trained on that scale would end: oracle by construction."""

    def __init__(self, scaled: Tensor, squash: str = "none") -> None:
        super().__init__()
        flat = scaled.flatten(1)
        self.shape = scaled.shape[1:]
        self.register_buffer("mean", flat.mean(0))
        _, _, axes = torch.linalg.svd(flat - self.mean, full_matrices=False)
        self.register_buffer("axes", axes[:UNITS])
        self.squash = squash

    def encode(self, x: Tensor) -> Tensor:
        return (x.flatten(1) - self.mean) @ self.axes.T

    def decode(self, z: Tensor) -> Tensor:
        image = z @ self.axes + self.mean
        if self.squash == "logits":
            image = torch.logit(image.clamp(0.01, 0.99))
        return image.view(-1, *self.shape)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


def numbers(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values).view(1, -1, 1, 1)


def scaled(images: ImageArray, name: str) -> Tensor:
    pixels = torch.from_numpy(images.pixels)
    match name:
        case "0,1":
            return pixels
        case "-1,1":
            return 2 * pixels - 1
        case "0,255":
            return 255 * pixels
        case "imagenet":
            return (pixels - numbers(IMAGENET_MEAN)) / numbers(IMAGENET_SD)
        case "dataset":
            mean = pixels.mean((0, 2, 3), keepdim=True)
            return (pixels - mean) / pixels.std((0, 2, 3), correction=0, keepdim=True)
    raise AssertionError(name)


def note(found: object) -> str:
    return next(note.text for note in found.notes if note.topic == "scaling")


@pytest.mark.parametrize("name", ["0,1", "-1,1", "0,255"])
def test_codes_and_reconstructions_are_on_the_data_scale(name: str) -> None:
    """Even where a linear model cannot tell the scales apart, the flag sets it."""
    images = smooth_images()
    found = autoencoder_from_module(Linear(scaled(images, name)), images, normalize=name)
    pixels = torch.from_numpy(images.pixels)
    x = scaled(images, name)
    module = Linear(x)
    torch.testing.assert_close(found.encode(pixels), module.encode(x), rtol=1e-4, atol=1e-3)
    restored = found.decode(found.encode(pixels))
    assert float((restored - pixels).square().mean()) < 2e-3
    assert float((found.forward(pixels) - restored).abs().max()) < 1e-5
    assert "as given" in note(found)


@pytest.mark.parametrize("name", ["0,1", "-1,1", "0,255", "imagenet", "dataset"])
def test_the_scale_is_found_by_reconstruction(name: str) -> None:
    images = smooth_images()
    found = autoencoder_from_module(Memory(scaled(images, name)), images)
    assert f"Pixel scale {name} (pixels out), found by reconstruction" in note(found), note(found)
    pixels = torch.from_numpy(images.pixels)
    assert float((found.decode(found.encode(pixels)) - pixels).square().mean()) < 5e-3


class Memory(Linear):
    """Decodes a code to the training images whose codes are near: of no use on another scale."""

    def __init__(self, scaled_images: Tensor) -> None:
        super().__init__(scaled_images)
        self.register_buffer("images", scaled_images.flatten(1))
        self.register_buffer("codes", self.encode(scaled_images))
        self.width = float(torch.cdist(self.codes, self.codes).mean()) / 20

    def decode(self, z: Tensor) -> Tensor:
        near = torch.softmax(-((torch.cdist(z, self.codes) / self.width) ** 2), dim=1)
        return (near @ self.images).view(-1, *self.shape)


class HalfScaled(Memory):
    """Takes [−1, 1] and returns [0, 1], as a network with a last sigmoid does."""

    def decode(self, z: Tensor) -> Tensor:
        return (super().decode(z) + 1) / 2


def test_a_model_that_takes_one_scale_and_returns_another_is_recognised() -> None:
    images = smooth_images()
    found = autoencoder_from_module(HalfScaled(scaled(images, "-1,1")), images)
    assert "Pixel scale -1,1 ([0, 1] pixels out), found" in note(found), note(found)
    pixels = torch.from_numpy(images.pixels)
    assert float((found.decode(found.encode(pixels)) - pixels).square().mean()) < 5e-3


def test_logits_are_recognised_and_squashed() -> None:
    images = smooth_images()
    found = autoencoder_from_module(Linear(scaled(images, "0,1"), squash="logits"), images)
    assert "0,1 (logits out)" in note(found)
    pixels = torch.from_numpy(images.pixels)
    restored = found.decode(found.encode(pixels))
    assert float(restored.min()) >= 0
    assert float(restored.max()) <= 1
    assert float((restored - pixels).square().mean()) < 2e-3


def test_an_affine_model_is_taken_on_the_unit_scale_and_said_to_be_one() -> None:
    """A linear model without an offset reconstructs alike on scales that differ by a factor."""
    images = smooth_images(channels=1)

    class Orthogonal(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            flat = torch.from_numpy(images.pixels).flatten(1)
            self.register_buffer("axes", torch.linalg.svd(flat, full_matrices=False)[2][:UNITS])

        def encode(self, x: Tensor) -> Tensor:
            return x.flatten(1) @ self.axes.T

        def decode(self, z: Tensor) -> Tensor:
            return (z @ self.axes).view(-1, 1, 12, 12)

        def forward(self, x: Tensor) -> Tensor:
            return self.decode(self.encode(x))

    text = note(autoencoder_from_module(Orthogonal(), images))
    assert text.startswith("The model is affine") and "Pixel scale 0,1 (pixels out) was" in text


def test_flags_are_checked() -> None:
    images = smooth_images()
    module = Linear(scaled(images, "0,1"))
    found = autoencoder_from_module(module, images, normalize="mean=0.5,0.5,0.5 std=0.5,0.5,0.5")
    assert "as given" in note(found)
    found = autoencoder_from_module(module, images, normalize="0,1", output="pixels")
    assert note(found) == "Pixel scale 0,1 (pixels out), as given."
    for wrong in ("1,0", "mean=0.5", "mean=0.5,0.5 std=0.5,0.5", "mean=0 std=0"):
        with pytest.raises(ModelError, match="--normalize"):
            autoencoder_from_module(module, images, normalize=wrong)
    with pytest.raises(ModelError, match="--output"):
        autoencoder_from_module(module, images, output="probabilities")


class Undecided(nn.Module):
    """Reconstructs badly on every scale that contains a constant, and brighter on small ones."""

    def __init__(self, images: ImageArray) -> None:
        super().__init__()
        flat = torch.from_numpy(images.pixels).flatten(1)
        varied = torch.linalg.svd(flat - flat.mean(0), full_matrices=False)[2][:2]
        basis = torch.cat([torch.ones(1, flat.shape[1]), varied])
        self.register_buffer("axes", torch.linalg.qr(basis.T)[0].T.contiguous())
        self.register_buffer("extra", 0.25 * float(flat.var(0).mean()) ** 0.5 * torch.ones(1))

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.axes.T

    def decode(self, z: Tensor) -> Tensor:
        bent = self.extra * (1 + 0.2 * torch.sin(50 * z[:, 1:2]))
        return (z @ self.axes + bent).view(-1, 1, 12, 12)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


def test_scales_that_reconstruct_alike_but_other_pictures_are_asked_for(tmp_path: Path) -> None:
    images = smooth_images(channels=1)
    model = Undecided(images)
    with pytest.raises(ModelError, match=r"cannot be told.*closer than 20.*--normalize 0,255 or"):
        autoencoder_from_module(model, images)
    example = torch.from_numpy(images.pixels[:4])
    save(model, tmp_path / "silent.pt2", example=example)
    inspection = inspect_model(tmp_path / "silent.pt2", images=images)
    assert "--normalize 0,255 or" in str(inspection.problem)
    assert str(tmp_path / "silent.pt2") in str(inspection.problem)
    assert inspection.code_shape == (3,)
    evidence = next(note.text for note in inspection.notes if note.topic == "scaling")
    assert "mean squared error" in evidence and "variance" in evidence


def test_what_a_file_or_a_flag_says_of_its_scale_is_not_asked_for(tmp_path: Path) -> None:
    images = smooth_images(channels=1)
    model = Undecided(images)
    assert "as given" in note(autoencoder_from_module(model, images, normalize="-1,1"))
    example = torch.from_numpy(images.pixels[:4])
    save(model, tmp_path / "said.pt2", example=example, normalize="0,1")
    assert inspect_model(tmp_path / "said.pt2", images=images).problem is None
    save(model, tmp_path / "beside.pt2", example=example)
    (tmp_path / "beside.toml").write_text('normalize = "0,1"\n')
    assert inspect_model(tmp_path / "beside.pt2", images=images).problem is None


def test_a_model_that_reconstructs_nothing_is_not_asked_about() -> None:
    """An untrained one: no scale can be told, and none would make it better."""

    class Dim(Undecided):
        def decode(self, z: Tensor) -> Tensor:
            return super().decode(0.01 * z)

    images = smooth_images(channels=1)
    text = note(autoencoder_from_module(Dim(images), images))
    assert "is assumed" in text and "images' mean" in text, text


def times(images: ImageArray, factor: float) -> ImageArray:
    return ImageArray(images.pixels * factor)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_a_depth_of_fewer_bits_in_sixteen_is_found(bits: int) -> None:
    images = smooth_images(channels=1)
    top = (2**bits - 1) / 65535
    found = autoencoder_from_module(Memory(torch.from_numpy(images.pixels)), times(images, top))
    assert f"Pixel scale {bits}-bit (pixels out), found by reconstruction" in note(found)
    assert found.white == pytest.approx(top)
    pixels = torch.from_numpy(images.pixels) * top
    restored = found.decode(found.encode(pixels))
    assert float((restored - pixels).square().mean()) < 0.05 * float(pixels.var(0).mean())


def test_values_as_they_are_in_the_file_are_scaled_by_their_depth() -> None:
    images = smooth_images(channels=1)
    found = autoencoder_from_module(Memory(torch.from_numpy(images.pixels)), times(images, 4095))
    assert "Pixel scale 12-bit (pixels out), found by reconstruction" in note(found)


@pytest.mark.parametrize("factor", [0.03, 0.3, 7000.0])
def test_a_model_trained_on_shares_of_the_maximum_is_found(factor: float) -> None:
    images = smooth_images(channels=1)
    images = times(images, 1 / float(images.pixels.max()))
    found = autoencoder_from_module(Memory(torch.from_numpy(images.pixels)), times(images, factor))
    assert "Pixel scale max (pixels out), found by reconstruction" in note(found), note(found)


def test_a_largest_value_near_white_is_no_scale_of_its_own() -> None:
    images = torch.from_numpy(smooth_images(channels=1).pixels)
    names = [scaling.name for scaling in known_scalings(images * 0.9)]
    assert names == ["0,1", "-1,1", "0,255", "dataset"]
    assert [each.name for each in known_scalings(images * 0.06)][4:] == ["12-bit", "14-bit", "max"]


def test_a_best_scale_that_explains_little_is_asked_for_with_numbers() -> None:
    """The right one, 1.7 times the pixels and 0.4, is not among those tried."""
    images = smooth_images(channels=1)
    pixels = torch.from_numpy(images.pixels)
    model = Memory(1.7 * pixels + 0.4)
    with pytest.raises(ModelError) as refused:
        autoencoder_from_module(model, images)
    text = str(refused.value)
    variance = float(pixels.var(0, correction=0).mean())
    assert "on none of the usual scales does it explain 50% of their variance" in text, text
    assert f"{variance:.2g}" in text and "--normalize" in text
    right = "mean=-0.235294 std=0.588235"
    assert "as given" in note(autoencoder_from_module(model, images, normalize=right))


def test_depths_and_the_maximum_can_be_said(tmp_path: Path) -> None:
    images = times(smooth_images(channels=1), 4095 / 65535)
    model = Linear(torch.from_numpy(images.pixels) * 65535 / 4095)
    found = autoencoder_from_module(model, images, normalize="12-bit", output="pixels")
    assert note(found) == "Pixel scale 12-bit (pixels out), as given."
    pixels = torch.from_numpy(images.pixels)
    expected = model.encode(pixels * 65535 / 4095)
    torch.testing.assert_close(found.encode(pixels), expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ModelError, match=r"10-bit.*not known.*12-bit · 14-bit · max"):
        autoencoder_from_module(model, images, normalize="10-bit")
