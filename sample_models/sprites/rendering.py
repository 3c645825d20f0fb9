"""Renders sprites after dSprites (Matthey et al., 2017): white shapes on black, five known factors.

Its factors and their numbers of values; other pictures. Scores of disentanglement are defined on
factors of this kind, each of which takes a few values.
"""

from __future__ import annotations

import numpy as np

SIDE = 64
SEED = 5
SHAPES = ("square", "ellipse", "heart")
# How many values each factor takes; x, y and scale are equally spaced, orientation goes round.
FACTORS = {"shape": 3, "scale": 6, "orientation": 40, "x": 32, "y": 32}
SMALLEST, LARGEST = 5.0, 10.0
MARGIN = 15.0


def draw_factors(count: int, seed: int = SEED) -> np.ndarray:
    """(count, 5) independent uniform classes, in the order of `FACTORS`."""
    return np.random.default_rng(seed).integers(
        0, list(FACTORS.values()), size=(count, len(FACTORS))
    )


def render(factors: np.ndarray) -> np.ndarray:
    """(n, 5) classes → (n, SIDE, SIDE) uint8, 0 or 255; x grows to the right and y downwards."""
    places = np.linspace(MARGIN, SIDE - MARGIN, FACTORS["x"])
    sizes = np.linspace(SMALLEST, LARGEST, FACTORS["scale"])
    down, across = np.mgrid[:SIDE, :SIDE] + 0.5
    images = np.empty((len(factors), SIDE, SIDE), dtype=np.uint8)
    for image, (shape, scale, orientation, x, y) in zip(images, factors, strict=True):
        angle = 2 * np.pi * orientation / FACTORS["orientation"]
        right, up = (across - places[x]) / sizes[scale], (places[y] - down) / sizes[scale]
        u = right * np.cos(angle) + up * np.sin(angle)
        v = up * np.cos(angle) - right * np.sin(angle)
        image[:] = np.where(_inside(SHAPES[shape], u, v), 255, 0)
    return images


def _inside(shape: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Which points of a shape's own plane are inside it; shapes reach to about ±1."""
    if shape == "square":
        return np.maximum(np.abs(u), np.abs(v)) <= 0.8
    if shape == "ellipse":
        return u**2 + (v / 0.6) ** 2 <= 1
    return (u**2 + v**2 - 0.7) ** 3 <= u**2 * v**3
