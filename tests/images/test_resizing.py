"""Images brought to one size: scaled until they cover it, cropped around the centre, and said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from reportgen.errors import DataError
from reportgen.images import open_images
from reportgen.images.resizing import cover
from tests.images.pictures import folder_of, noise, save

SIDES = st.integers(1, 40)


def notes_of(path: Path, size: tuple[int, int] | None) -> str:
    return " ".join(n.text for n in open_images(path, size=size).notes if n.topic == "size")


@given(SIDES, SIDES, SIDES, SIDES)
def test_any_size_becomes_any_other_as_pillow_fits_it(
    height: int, width: int, new_height: int, new_width: int
) -> None:
    pixels = noise(height, width, 3)
    fitted = ImageOps.fit(
        Image.fromarray(pixels), (new_width, new_height), Image.Resampling.BILINEAR
    )
    ours = cover(pixels.transpose(2, 0, 1), (new_height, new_width))
    assert ours.dtype == np.uint8
    # Where the crop begins is rounded differently, which moves a value by one at most.
    difference = ours.astype(int) - np.asarray(fitted).transpose(2, 0, 1)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_scaling_keeps_straight_lines_of_brightness_in_every_depth(dtype: type) -> None:
    top = 1 if dtype is np.float32 else np.iinfo(dtype).max
    ramp = np.tile(np.linspace(0, top, 64), (32, 1))
    scaled = cover(
        np.rint(ramp).astype(dtype)[None] if top > 1 else ramp.astype(dtype)[None], (8, 8)
    )
    # 32×64 covers 8×8 at a scale of a quarter; columns 16 to 48 stay.
    expected = (np.arange(8) * 4 + 16 + 1.5) / 63
    assert scaled.dtype == dtype
    np.testing.assert_allclose(scaled[0, 4] / top, expected, atol=1 / 255)
    if dtype is not np.uint8:
        np.testing.assert_allclose(scaled[0, 4] / top, expected, atol=2 / 65535)


def test_a_folder_of_many_sizes_is_brought_to_one_and_said(tmp_path: Path) -> None:
    pictures = [noise(8, 8), noise(16, 12, seed=1), noise(6, 30, seed=2)]
    for i, pixels in enumerate(pictures):
        save(tmp_path / f"{i}.png", pixels)
    with pytest.raises(DataError, match=r"differ in size: .* or say --resize HEIGHT,WIDTH"):
        open_images(tmp_path)
    images = open_images(tmp_path, size=(8, 8))
    assert images.shape == (1, 8, 8)
    for read, pixels in zip(images.read(slice(None)), pictures, strict=True):
        np.testing.assert_allclose(read, cover(pixels[None], (8, 8)) / 255, atol=1e-7)
    said = notes_of(tmp_path, (8, 8))
    assert "2 images of 2 sizes from 6×30 to 16×12 pixels" in said and "cover 8×8" in said


def test_pictures_beyond_the_memory_limit_are_resized_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(tmp_path, ["a.png", "b.png", "c.png"], size=10)
    expected = open_images(tmp_path, size=(5, 4)).read(slice(None))
    monkeypatch.setattr("reportgen.images.picture_set.KEPT_BYTES", 20)
    images = open_images(tmp_path, size=(5, 4))
    np.testing.assert_array_equal(images.read([2, 0, 1]), expected[[2, 0, 1]])


def test_arrays_are_resized_on_their_own_scale(tmp_path: Path) -> None:
    stored = noise(5, 12, 10, 3)
    np.save(tmp_path / "a.npy", stored)
    images = open_images(tmp_path / "a.npy", size=(6, 6))
    assert images.shape == (3, 6, 6)
    pixels = stored.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    expected = np.stack([cover(picture, (6, 6)) for picture in pixels])
    np.testing.assert_allclose(images.read([4, 0]), expected[[4, 0]], atol=1e-7)
    assert "5 images of 12×10 pixels" in notes_of(tmp_path / "a.npy", (6, 6))


def test_images_of_that_size_stay_as_they_are_and_nothing_is_said(tmp_path: Path) -> None:
    expected = folder_of(tmp_path / "folder", ["a.png", "b.png"])
    np.save(tmp_path / "a.npy", expected)
    for path in (tmp_path / "folder", tmp_path / "a.npy"):
        images = open_images(path, size=(8, 8))
        np.testing.assert_allclose(images.read(slice(None)), expected, atol=1e-7)
        assert notes_of(path, (8, 8)) == ""


@pytest.mark.parametrize("size", [(100_000, 100_000), (1, 10**30)])
def test_sizes_beyond_all_pictures_are_refused_before_memory_is_spent(
    size: tuple[int, int], tmp_path: Path
) -> None:
    folder_of(tmp_path, ["a.png", "b.png"])
    with pytest.raises(DataError, match="more than the 89 million pixels that are read"):
        open_images(tmp_path, size=size)
