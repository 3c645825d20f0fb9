"""Small models of every kind, and images of every kind, for the same 24 pictures of 6×6."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.decomposition import PCA
from torch import Tensor, nn

SIDE, COUNT = 6, 24


def pixels(count: int = COUNT, side: int = SIDE, seed: int = 0) -> np.ndarray:
    """(count, side, side) uint8 pictures of four blurred patterns."""
    generator = np.random.default_rng(seed)
    patterns = generator.random((4, side * side)) ** 2
    mixed = generator.random((count, 4)) @ patterns
    return (255 * mixed / mixed.max()).astype(np.uint8).reshape(count, side, side)


UNIT = (pixels() / 255).astype(np.float32)


class Net(nn.Module):
    """Linear, with batch norm and dropout, so that it is another model in training."""

    def __init__(self, side: int = SIDE) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.shape = (1, side, side)
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(side * side, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)
        )
        self.decoder = nn.Sequential(nn.Linear(3, side * side), nn.Unflatten(1, self.shape))

    def forward(self, images: Tensor) -> Tensor:
        return self.decoder(self.encoder(images))


def fitted() -> PCA:
    return PCA(3).fit(UNIT.reshape(COUNT, -1))


def functions() -> tuple[Any, Any]:
    """An encoder and decoder of arrays, affine."""
    pca = fitted()
    mean, axes = pca.mean_, pca.components_

    def encode(images: np.ndarray) -> np.ndarray:
        assert isinstance(images, np.ndarray)
        return (images.reshape(len(images), -1) - mean) @ axes.T

    def decode(codes: np.ndarray) -> np.ndarray:
        assert isinstance(codes, np.ndarray)
        return (codes @ axes + mean).reshape(-1, 1, SIDE, SIDE)

    return encode, decode


class Pair:
    """An object with encode and decode."""

    def __init__(self) -> None:
        self.encode, self.decode = functions()


class Set(torch.utils.data.Dataset):
    """A map-style data set of (tensor, label)."""

    classes = ("even", "odd")

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return torch.from_numpy(UNIT[row])[None], row % 2


def pictures() -> list[Image.Image]:
    return [Image.fromarray(each) for each in pixels()]
