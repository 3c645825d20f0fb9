"""Colour scales, tiles and sprites."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import avg_pool2d

from reportgen.figures.colours import MID_GREY, NEUTRAL, around_grey, diverging
from reportgen.figures.sprites import SpriteMaker
from reportgen.figures.tiles import difference_tiles, image_tiles, symmetric_limit
from reportgen.report.drawing import Drawing
from reportgen.statistics.pictures import averaged_down

# Machado, Oliveira & Fernandes (2009), severity 1.0, on linear RGB.
DEUTERANOPIA = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)
PROTANOPIA = np.array(
    [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]
)


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


def linear_rgb(colours: np.ndarray) -> np.ndarray:
    share = colours / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def luminance(colours: np.ndarray) -> np.ndarray:
    return linear_rgb(colours) @ [0.2126, 0.7152, 0.0722]


def test_zero_is_neutral_in_grey_and_in_colour() -> None:
    assert tuple(diverging(np.array(0.0))) == NEUTRAL
    assert around_grey(np.array(0.0)) == MID_GREY


def test_nan_is_drawn_as_no_change_and_values_beyond_the_scale_as_its_ends() -> None:
    assert tuple(diverging(np.array(np.nan))) == NEUTRAL
    assert np.array_equal(diverging(np.array([-7.0, 7.0])), diverging(np.array([-1.0, 1.0])))


def test_both_sides_of_the_diverging_map_darken_steadily_from_the_middle() -> None:
    rising = luminance(diverging(np.linspace(0, 1, 101)))
    falling = luminance(diverging(np.linspace(0, -1, 101)))
    assert np.all(np.diff(rising) < 0)
    assert np.all(np.diff(falling) < 0)


@pytest.mark.parametrize("vision", [DEUTERANOPIA, PROTANOPIA])
def test_signs_stay_apart_for_readers_who_do_not_tell_red_from_green(vision: np.ndarray) -> None:
    for size in (0.25, 0.5, 1.0):
        seen = [
            np.clip(linear_rgb(diverging(np.array(sign * size))) @ vision.T, 0, 1)
            for sign in (1, -1)
        ]
        blueness = [colour[2] - colour[0] for colour in seen]
        assert blueness[1] > 0.05 > blueness[0]


def test_differences_share_one_symmetric_scale_never_one_each() -> None:
    differences = np.array([[0.1, -0.1, 0.0, 0.0], [0.4, -0.2, 0.0, 0.2]])
    limit = symmetric_limit(differences)
    assert limit == 0.4
    tiles = difference_tiles(differences, (1, 2, 2), limit, 1)
    assert np.array_equal(tiles[0, 0, 0], diverging(np.array(0.25)))
    assert np.array_equal(tiles[1, 0, 0], diverging(np.array(1.0)))
    assert np.array_equal(tiles[1, 1, 1], diverging(np.array(0.5)))


def test_colour_differences_stay_colours_around_mid_grey() -> None:
    red_rises = np.array([[0.5, 0.0, 0.0, 0.0, -0.5, 0.0]])
    tiles = difference_tiles(red_rises, (3, 1, 2), 0.5, 1)
    assert tuple(tiles[0, 0, 0]) == (255, MID_GREY, 1)
    assert tuple(tiles[0, 0, 1]) == (MID_GREY,) * 3


def test_no_difference_anywhere_is_neutral_everywhere() -> None:
    tiles = difference_tiles(np.zeros((2, 4)), (1, 2, 2), 0.0, 1)
    assert np.all(tiles == NEUTRAL)


def test_images_are_shown_at_the_pixel_range_and_clipped_beyond_it() -> None:
    images = np.array([[-1.0, 0.0, 0.5, 1.0, 2.0, 3.0]])
    tiles = image_tiles(images, (1, 2, 3), (0.0, 2.0), 1)
    assert tiles[0, :, :, 0].ravel().tolist() == [0, 0, 64, 128, 255, 255]
    assert np.array_equal(tiles[..., 0], tiles[..., 2])


def test_a_sprite_decodes_to_the_pixels_that_went_in() -> None:
    tiles = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)
    sprite = SpriteMaker().strip(tiles, blank=1)
    pixels = decoded(sprite.data)
    assert pixels.shape[:2] == (sprite.height, sprite.width)
    step = sprite.tile_width + sprite.gap
    for place, tile in enumerate(tiles, start=1):
        shown = pixels[:, place * step : place * step + sprite.tile_width]
        assert np.array_equal(shown[..., :3], tile)
        assert np.all(shown[..., 3] == 255)
    assert np.all(pixels[:, :step, 3] == 0)


def test_the_same_tiles_give_the_same_file_and_name() -> None:
    tiles = np.random.default_rng(1).integers(0, 256, (4, 6, 6, 3), dtype=np.uint8)
    first, second = SpriteMaker().strip(tiles), SpriteMaker().strip(tiles.copy())
    assert (first.data, first.name) == (second.data, second.name)
    assert SpriteMaker().strip(255 - tiles).name != first.name


@pytest.mark.parametrize(("height", "width", "factor"), [(8, 12, 2), (9, 13, 3), (10, 7, 4)])
def test_averaging_down_is_torchs_average_pooling(height, width, factor) -> None:
    images = np.random.default_rng(4).normal(size=(5, 2, height, width))
    found = averaged_down(images.reshape(5, -1), (2, height, width), factor)
    expected = avg_pool2d(torch.from_numpy(images), factor).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)


def test_pixels_beyond_the_range_are_clipped_and_those_that_are_no_number_are_black() -> None:
    images = np.array([[-1.0, 0.0, 0.5, 1.0, 2.0, np.inf, -np.inf, np.nan]])
    tiles = image_tiles(images, (1, 2, 4), (0.0, 1.0), 1)
    assert tiles[0, :, :, 0].tolist() == [[0, 0, 128, 255], [255, 255, 0, 0]]


@pytest.mark.parametrize(("channels", "rows", "columns"), [(2, 1, 2), (5, 2, 3), (64, 8, 8)])
def test_channels_that_are_no_colours_stand_side_by_side(
    channels: int, rows: int, columns: int
) -> None:
    shape = (channels, 4, 6)
    images = np.random.default_rng(0).random((3, channels * 24))
    tiles = image_tiles(images, shape, (0, 1), 1)
    assert tiles.shape == (3, rows * 5 - 1, columns * 7 - 1, 3)
    changes = difference_tiles(images - 0.5, shape, 0.5, 1)
    for channel in range(channels):
        top, left = channel // columns * 5, channel % columns * 7
        own = images.reshape(3, channels, 24)[:, channel]
        expected = image_tiles(own, (1, 4, 6), (0, 1), 1)
        np.testing.assert_array_equal(tiles[:, top : top + 4, left : left + 6], expected)
        expected = difference_tiles(own - 0.5, (1, 4, 6), 0.5, 1)
        np.testing.assert_array_equal(changes[:, top : top + 4, left : left + 6], expected)
    # Between them, and where there is none, is nothing.
    assert (tiles[:, :, 6] == 128).all() and (changes[:, :, 6] == NEUTRAL).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7, 64])
def test_a_drawing_knows_how_wide_its_tiles_are(channels: int) -> None:
    drawing = Drawing((channels, 40, 30), (0, 1))
    images = np.zeros((2, channels * 1200))
    assert drawing.images(images).shape[2] == drawing.tile_width
    assert drawing.differences(images, 1).shape[2] == drawing.tile_width
    assert drawing.tile_width <= 128
