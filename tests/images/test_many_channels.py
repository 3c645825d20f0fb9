"""Images of 2 to 64 channels, from their file to the page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from reportgen.command.cli import main
from reportgen.errors import DataError
from reportgen.images import open_images
from tests.images.pictures import noise


@pytest.mark.parametrize("channels", [2, 5, 12])
@pytest.mark.parametrize("last", [False, True])
def test_channels_are_told_by_being_fewer_than_pixels(
    tmp_path: Path, channels: int, last: bool
) -> None:
    stored = noise(6, channels, 14, 16)
    np.save(tmp_path / "x.npy", stored.transpose(0, 2, 3, 1) if last else stored)
    images = open_images(tmp_path / "x.npy")
    assert images.shape == (channels, 14, 16)
    np.testing.assert_allclose(images.read(slice(None)), stored / np.float32(255), rtol=1e-6)


@pytest.mark.parametrize("shape", [(6, 20, 16, 18), (6, 65, 80, 80), (6, 8, 8, 8)])
def test_what_could_be_anything_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "x.npy", noise(*shape))
    with pytest.raises(DataError, match="1 to 64 channels, fewer than the pixels of a side"):
        open_images(tmp_path / "x.npy")


def test_flat_arrays_are_squares_in_grey_or_colour(tmp_path: Path) -> None:
    flat = noise(5, 3 * 8 * 8)
    np.save(tmp_path / "x.npy", flat)
    images = open_images(tmp_path / "x.npy")
    np.testing.assert_allclose(
        images.read(slice(None)), flat.reshape(5, 3, 8, 8) / np.float32(255), rtol=1e-6
    )
    np.save(tmp_path / "y.npy", noise(5, 62 * 47))
    with pytest.raises(DataError, match="flat images of 2914 numbers are neither grey nor colour"):
        open_images(tmp_path / "y.npy")


@pytest.mark.slow
@pytest.mark.parametrize("channels", [2, 7])
def test_a_report_of_them_shows_every_channel(tmp_path: Path, channels: int) -> None:
    torch.manual_seed(0)
    shape = (channels, 8, 9)
    size = channels * 72
    model = nn.Sequential()
    model.add_module("encoder", nn.Sequential(nn.Flatten(), nn.Linear(size, 3)))
    model.add_module("decoder", nn.Sequential(nn.Linear(3, size), nn.Unflatten(1, shape)))
    torch.save(model, tmp_path / "model.pt")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((40, *shape), np.float32))
    words = ["build", tmp_path / "model.pt", tmp_path / "x.npy", "-o", tmp_path / "r.html"]
    words += ["--results", tmp_path / "results", "--effort", "quick", "--rows", "8"]
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    results = json.loads((tmp_path / "results" / "results.json").read_text())
    assert results["provenance"]["input_shape"] == list(shape) and not results["failures"]
    page = (tmp_path / "r.html").read_text()
    columns = {2: 2, 7: 3}[channels]
    assert f"other in rows of {columns}" in page
    assert f'data-tile="{columns * 10 - 1}"' in page
    assert f"these images have {channels} channels" in " ".join(page.split())
