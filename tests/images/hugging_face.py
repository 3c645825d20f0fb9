"""Data sets as Hugging Face's own library makes them, for tests."""

from __future__ import annotations

import datasets
import numpy as np
from PIL import Image

from tests.images.pictures import noise

CLASSES = ["cat", "dog", "owl"]


def data_set(count: int = 9, *, start: int = 0) -> tuple[datasets.Dataset, np.ndarray]:
    """Random 6×8 colour images with class, size and caption; and (count, 3, 6, 8) pixels."""
    pixels = np.stack([noise(6, 8, 3, seed=start + i) for i in range(count)])
    rows = {
        "image": [Image.fromarray(picture) for picture in pixels],
        "label": [i % 3 for i in range(count)],
        "size": [i / 2 for i in range(count)],
        "caption": [f"number {i}" for i in range(count)],
    }
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=CLASSES),
            "size": datasets.Value("float32"),
            "caption": datasets.Value("string"),
        }
    )
    return datasets.Dataset.from_dict(rows, features=features), pixels.transpose(0, 3, 1, 2) / 255
