"""Renders the images of this sample: one coloured rectangle, with five factors known exactly."""

from __future__ import annotations

import colorsys

import numpy as np

SIDE = 32
HELD_OUT_SEED, TRAINING_SEED = 4, 7
SUPERSAMPLING = 4
ASPECT = 2.0
BACKGROUND = 0.12
SATURATION, VALUE = 0.85, 0.95

# Independent ranges, in pixels, degrees counter-clockwise, and degrees of hue (0 red, 240 blue).
# None of them closes on itself, and the largest rectangle fits at every position.
FACTORS = {
    "size": (5.0, 9.0),
    "x": (10.5, 21.5),
    "y": (10.5, 21.5),
    "rotation": (-60.0, 60.0),
    "hue": (0.0, 240.0),
}


def draw_factors(count: int, seed: int) -> np.ndarray:
    """(count, 5) uniform random factors, in the order of `FACTORS`."""
    low, high = np.array(list(FACTORS.values())).T
    return np.random.default_rng(seed).uniform(low, high, size=(count, len(FACTORS)))


def render(factors: np.ndarray) -> np.ndarray:
    """(n, 5) factors → (n, 3, SIDE, SIDE) uint8 images; `size` is half the longer side.

    A pixel is the mean of SUPERSAMPLING² samples inside it; x grows to the right and y downwards.
    """
    fine = (np.arange(SIDE * SUPERSAMPLING) + 0.5) / SUPERSAMPLING
    images = np.empty((len(factors), 3, SIDE, SIDE), dtype=np.uint8)
    for image, (size, x, y, rotation, hue) in zip(images, factors, strict=True):
        across, down = fine[None, :] - x, fine[:, None] - y
        cos, sin = np.cos(np.radians(rotation)), np.sin(np.radians(rotation))
        along = across * cos - down * sin
        beside = across * sin + down * cos
        inside = (np.abs(along) <= size) & (np.abs(beside) <= size / ASPECT)
        coverage = inside.reshape(SIDE, SUPERSAMPLING, SIDE, SUPERSAMPLING).mean(axis=(1, 3))
        colour = np.array(colorsys.hsv_to_rgb(hue / 360.0, SATURATION, VALUE))
        mixed = BACKGROUND + coverage * (colour[:, None, None] - BACKGROUND)
        image[:] = np.rint(255.0 * mixed)
    return images
