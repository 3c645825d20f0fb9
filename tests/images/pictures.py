"""Small pictures and folders of them, for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def noise(*shape: int, seed: int = 0, dtype: type = np.uint8) -> np.ndarray:
    """Random whole numbers over the whole range of `dtype`."""
    top = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, top, shape, dtype=dtype, endpoint=True)


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    """Write (H, W), (H, W, 3) or (H, W, 4) pixels in the format of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def folder_of(root: Path, names: list[str], *, channels: int = 1, size: int = 8) -> np.ndarray:
    """One random PNG for each name; (n, C, H, W) pixels in [0, 1] in the order of the names."""
    shape = (size, size) if channels == 1 else (size, size, channels)
    pictures = [noise(*shape, seed=i) for i in range(len(names))]
    for name, pixels in zip(names, pictures, strict=True):
        save(root / name, pixels)
    stacked = np.stack(pictures).reshape(len(names), size, size, channels)
    return stacked.transpose(0, 3, 1, 2) / 255
