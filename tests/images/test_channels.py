"""Channels are matched to the model's where nothing is lost, and the report says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from reportgen.errors import DataError
from reportgen.images import ImageSet, open_images
from reportgen.images.channels import in_all_channels, in_channels
from reportgen.job import inspect
from reportgen.loading import LoadingOptions
from reportgen.loading import save as save_model
from reportgen.loading.load import load_fitting
from reportgen.loading.model_file import ModelFile
from tests.images.pictures import folder_of, noise, save


def channels_note(images: ImageSet) -> str:
    return " ".join(note.text for note in images.notes if note.topic == "channels")


def counts(images: ImageSet) -> list[int]:
    return [each.shape[0] for each in in_all_channels(images)]


def grey_as_colour(root: Path, count: int = 6) -> np.ndarray:
    """Files of three equal channels; (n, H, W) pixels in [0, 1]."""
    grey = [noise(8, 8, seed=i) for i in range(count)]
    for i, pixels in enumerate(grey):
        save(root / f"{i}.png", np.repeat(pixels[..., None], 3, axis=2))
    return np.stack(grey) / 255


def translucent(root: Path, count: int = 6) -> np.ndarray:
    """RGBA files; (n, 4, H, W) pixels in [0, 1]."""
    pictures = [noise(8, 8, 4, seed=i) for i in range(count)]
    for i, pixels in enumerate(pictures):
        save(root / f"{i}.png", pixels)
    return np.stack(pictures).transpose(0, 3, 1, 2) / 255


def test_grey_images_are_repeated_for_a_model_of_colours(tmp_path: Path) -> None:
    pixels = folder_of(tmp_path, [f"{i}.png" for i in range(5)])
    images = open_images(tmp_path)
    assert counts(images) == [1, 3]
    colour = in_channels(images, 3, "x")
    assert colour.shape == (3, 8, 8)
    np.testing.assert_allclose(colour.read([4, 1]), np.repeat(pixels[[4, 1]], 3, 1), atol=1e-7)
    assert "repeated in three channels" in channels_note(colour)
    assert channels_note(images) == ""


def test_colours_that_are_all_grey_become_one_channel(tmp_path: Path) -> None:
    pixels = grey_as_colour(tmp_path)
    images = open_images(tmp_path)
    assert counts(images) == [3, 1]
    grey = in_channels(images, 1, "x")
    np.testing.assert_allclose(grey.read([5, 0])[:, 0], pixels[[5, 0]], atol=1e-7)
    assert "one channel was kept" in channels_note(grey)


def test_one_coloured_pixel_keeps_three_channels(tmp_path: Path) -> None:
    grey_as_colour(tmp_path)
    odd = np.zeros((8, 8, 3), np.uint8)
    odd[7, 7, 2] = 1
    save(tmp_path / "odd.png", odd)
    images = open_images(tmp_path)
    assert counts(images) == [3]
    with pytest.raises(DataError, match=r"^x: its images have 3 channels.*with 1; convert"):
        in_channels(images, 1, "x")


def test_transparency_is_kept_for_four_channels(tmp_path: Path) -> None:
    pixels = translucent(tmp_path)
    images = open_images(tmp_path)
    assert images.shape == (3, 8, 8) and "dropped in 6 images" in channels_note(images)
    kept = in_channels(images, 4, "x")
    np.testing.assert_allclose(kept.read([3, 0]), pixels[[3, 0]], atol=1e-7)
    assert "dropped" not in channels_note(kept)
    assert "kept as the fourth channel" in channels_note(kept) and "6 of 6" in channels_note(kept)
    assert kept.source == images.source and kept.names == images.names


def test_pictures_without_transparency_among_others_are_opaque(tmp_path: Path) -> None:
    translucent(tmp_path, 2)
    grey, deep = noise(8, 8, seed=8), noise(8, 8, seed=9, dtype=np.uint16)
    save(tmp_path / "8.png", grey)
    save(tmp_path / "9.png", deep)
    Image.fromarray(noise(8, 8, 2, seed=7), "LA").save(tmp_path / "7.png")
    kept = in_channels(open_images(tmp_path), 4, "x")
    found = kept.read(slice(None))
    assert found[3:, 3].tolist() == np.ones((2, 8, 8)).tolist()
    np.testing.assert_allclose(found[2, 3], noise(8, 8, 2, seed=7)[..., 1] / 255, atol=1e-7)
    np.testing.assert_allclose(found[3, :3], np.stack([grey] * 3) / 255, atol=1e-7)
    np.testing.assert_allclose(found[4, :3], np.stack([deep] * 3) / 65535, atol=1e-7)
    assert "3 of 5 images have it, the others are opaque" in channels_note(kept)


def test_an_opaque_fourth_channel_of_an_array_is_left_out(tmp_path: Path) -> None:
    pixels = noise(5, 8, 8, 4)
    pixels[..., 3] = 255
    np.save(tmp_path / "opaque.npy", pixels)
    opaque = open_images(tmp_path / "opaque.npy")
    assert counts(opaque) == [4, 3]
    colours = in_channels(opaque, 3, "x")
    expected = pixels[..., :3].transpose(0, 3, 1, 2) / 255
    np.testing.assert_allclose(colours.read(slice(None)), expected, atol=1e-7)
    pixels[4, 0, 0, 3] = 254
    np.save(tmp_path / "seen-through.npy", pixels)
    assert counts(open_images(tmp_path / "seen-through.npy")) == [4]


def model_of(channels: int) -> nn.Module:
    """A model of torch's own classes that takes 8×8 images."""
    torch.manual_seed(channels)
    model = nn.Sequential()
    layers = nn.Conv2d(channels, 4, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)
    model.add_module("encoder", nn.Sequential(*layers))
    size = channels * 64
    model.add_module(
        "decoder", nn.Sequential(nn.Linear(3, size), nn.Unflatten(1, (channels, 8, 8)))
    )
    return model


def saved_as(kind: str, channels: int, folder: Path) -> Path:
    path = folder / f"{kind}{channels}"
    model = model_of(channels).eval()
    if kind == "pickle":
        torch.save(model, path)
    elif kind == "script":
        torch.jit.script(model).save(path)
    else:
        save_model(model, path, example=torch.rand(4, channels, 8, 8), normalize="0,1")
    return path


@pytest.mark.parametrize("kind", ["pickle", "script", "export"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_model_of_any_format_gets_the_channels_that_it_takes(
    kind: str, channels: int, tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    if channels == 1:
        grey_as_colour(pictures)
    elif channels == 3:
        folder_of(pictures, [f"{i}.png" for i in range(6)])
    else:
        translucent(pictures)
    said = LoadingOptions(normalize="0,1", output="pixels")
    file = ModelFile(saved_as(kind, channels, tmp_path), said)
    given = open_images(pictures)
    found, images = load_fitting(file, in_all_channels(given))
    assert given.shape[0] != channels
    assert found.input_shape == images.shape == (channels, 8, 8)
    pixels = torch.from_numpy(images.read(slice(None)))
    torch.testing.assert_close(found.encode(pixels), model_of(channels).encoder(pixels))
    inspection = inspect(tmp_path / f"{kind}{channels}", pictures, said)
    assert inspection.problem is None
    assert any(note.topic == "channels" for note in inspection.notes)


def test_images_that_would_lose_colour_are_refused_with_the_first_reason(tmp_path: Path) -> None:
    translucent(tmp_path / "pictures")
    file = ModelFile(saved_as("pickle", 1, tmp_path))
    with pytest.raises(DataError, match=r"The images are 3×8×8.*the model takes 1 channel"):
        load_fitting(file, in_all_channels(open_images(tmp_path / "pictures")))
