"""Plain image factors on images whose factors are known; scipy and colorsys."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
from scipy import ndimage

from reportgen.statistics.image_factors import image_factors

HEIGHT, WIDTH = 15, 21


def factors_of(*images: np.ndarray) -> dict[str, np.ndarray]:
    stack = np.stack(images)
    channels = stack.shape[1] if stack.ndim == 4 else 1
    return image_factors(stack.reshape(len(stack), -1), (channels, HEIGHT, WIDTH))


def disc(x: float, y: float, radius: float, value: float = 1.0, ground: float = 0.0) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.where((columns - x) ** 2 + (rows - y) ** 2 <= radius**2, value, ground)


def test_brightness_and_contrast_are_mean_and_sd_over_pixels() -> None:
    image = np.random.default_rng(0).random((HEIGHT, WIDTH))
    factors = factors_of(image)
    assert factors["brightness"][0] == pytest.approx(image.mean())
    assert factors["contrast"][0] == pytest.approx(image.std(ddof=0))


def test_brightness_of_colours_is_the_mean_over_channels() -> None:
    image = np.random.default_rng(0).random((3, HEIGHT, WIDTH))
    assert factors_of(image)["brightness"][0] == pytest.approx(image.mean())


@pytest.mark.parametrize(("x", "y"), [(8, 5), (13, 9), (10, 7)])
def test_the_centre_is_scipy_s_centre_of_mass(x: int, y: int) -> None:
    image = disc(x, y, 3)
    down, across = ndimage.center_of_mass(image)
    factors = factors_of(image)
    assert factors["centre x"][0] == pytest.approx(across) == pytest.approx(x)
    assert factors["centre y"][0] == pytest.approx(down) == pytest.approx(y)


def test_dark_on_bright_has_the_centre_of_bright_on_dark() -> None:
    factors = factors_of(disc(13, 9, 3), disc(13, 9, 3, value=0.2, ground=0.9))
    for name in ("centre x", "centre y", "extent"):
        assert factors[name][0] == pytest.approx(factors[name][1])


def test_extent_is_the_root_mean_square_radius() -> None:
    factors = factors_of(disc(10, 7, 2), disc(10, 7, 5))
    rows, columns = np.nonzero(disc(10, 7, 5))
    expected = np.sqrt(np.mean((rows - 7) ** 2 + (columns - 10) ** 2))
    assert factors["extent"][1] == pytest.approx(expected)
    assert factors["extent"][0] < factors["extent"][1]


def bar(degrees: float) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    x, y = columns - 10, rows - 7
    angle = np.radians(degrees)
    along = x * np.cos(angle) + y * np.sin(angle)
    across = -x * np.sin(angle) + y * np.cos(angle)
    return ((np.abs(along) <= 5.5) & (np.abs(across) <= 1.01)).astype(float)


@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 120, 150])
def test_orientation_is_a_bar_s_angle_from_the_x_axis_downwards(degrees: int) -> None:
    found = factors_of(bar(degrees))["orientation"][0]
    assert abs((found - degrees + 90) % 180 - 90) < 4


@pytest.mark.parametrize("colour", [(0.9, 0.2, 0.1), (0.1, 0.8, 0.3), (0.2, 0.3, 0.7)])
def test_hue_and_saturation_are_colorsys_s_of_the_foreground(colour) -> None:
    image = np.stack([disc(10, 7, 4, value=value, ground=0.0) for value in colour])
    factors = factors_of(image)
    hue, saturation, _ = colorsys.rgb_to_hsv(*colour)
    assert factors["hue"][0] == pytest.approx(360 * hue)
    assert factors["saturation"][0] == pytest.approx(saturation)


def test_grey_images_have_no_colour_factors() -> None:
    assert not {"hue", "saturation"} & set(factors_of(disc(10, 7, 3)))


def test_a_blank_image_has_brightness_and_no_place() -> None:
    factors = factors_of(np.full((HEIGHT, WIDTH), 0.3), disc(10, 7, 3))
    assert factors["brightness"][0] == pytest.approx(0.3)
    for name in ("centre x", "centre y", "extent", "orientation"):
        assert np.isnan(factors[name][0]) and np.isfinite(factors[name][1])


def test_a_blank_colour_image_has_no_hue() -> None:
    factors = factors_of(np.full((3, HEIGHT, WIDTH), 0.3))
    assert np.isnan([factors["hue"][0], factors["saturation"][0]]).all()
