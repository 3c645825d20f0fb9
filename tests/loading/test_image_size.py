"""The size of images that a model file fixes, before any image is read."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from reportgen.job import inspect
from reportgen.loading import LoadingOptions
from reportgen.loading.image_layout import declared_images, fixed_size
from reportgen.loading.model_file import ModelFile

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"


def size_of(path: Path, **said: Any) -> tuple[int, int] | None:
    return ModelFile(path, LoadingOptions(**said)).fixed_size()


@pytest.mark.parametrize(
    ("declared", "size"),
    [
        ((None, 3, 32, 48), (32, 48)),
        ((8, 1, 28, 28), (28, 28)),
        ((None, 32, 48, 3), (32, 48)),
        ((None, 3, 64, 3), (64, 3)),
        ((None, 28, 28), (28, 28)),
        ((None, 3, None, None), None),
        ((None, 3, 32, None), None),
        ((None, 784), None),
        ((), None),
    ],
)
def test_height_and_width_are_read_where_both_are_fixed(
    declared: tuple[int | None, ...], size: tuple[int, int] | None
) -> None:
    assert fixed_size(declared) == size


@pytest.mark.parametrize(
    ("declared", "shapes"),
    [
        ((None, 3, 32, 48), [(3, 32, 48)]),
        ((None, 28, 28, 1), [(1, 28, 28)]),
        ((4, 28, 30), [(1, 28, 30)]),
        ((None, 784), [(1, 28, 28), (4, 14, 14)]),
        ((None, 3072), [(3, 32, 32)]),
        ((None, 10), [(1, 1, 10)]),
        ((None, 3, None, 32), []),
        ((), []),
    ],
)
def test_images_are_made_up_in_the_shape_that_a_file_declares(
    declared: tuple[int | None, ...], shapes: list[tuple[int, int, int]]
) -> None:
    assert declared_images(declared) == shapes


def test_an_exported_graph_says_its_size_and_other_files_do_not(tmp_path: Path) -> None:
    assert size_of(SAMPLES / "shapes" / "model.pt2") == (32, 32)
    assert size_of(SAMPLES / "fashion_autoencoder" / "model.pt") is None
    assert size_of(tmp_path / "none.pt2") is None
    (tmp_path / "damaged.pt2").write_bytes(b"PK\x03\x04")
    assert size_of(tmp_path / "damaged.pt2") is None


def test_an_onnx_graph_says_its_size(tmp_path: Path) -> None:
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(2 * 10 * 6, 4)
    )
    torch.onnx.export(model, (torch.zeros(1, 1, 12, 8),), tmp_path / "model.onnx", dynamo=False)
    assert size_of(tmp_path / "model.onnx") == (12, 8)


def test_what_is_said_of_the_shape_comes_first(tmp_path: Path) -> None:
    model = shutil.copy(SAMPLES / "shapes" / "model.pt2", tmp_path)
    assert size_of(model, input_shape=(3, 16, 24)) == (16, 24)
    (tmp_path / "model.toml").write_text("input_shape = [3, 20, 20]\n")
    assert size_of(model) == (20, 20)


def test_images_of_other_sizes_are_brought_to_the_models_and_that_is_said(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for i in range(8):
        pixels = random.integers(0, 256, (40 + i, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    found = inspect(SAMPLES / "shapes" / "model.pt2", tmp_path, LoadingOptions(normalize="0,1"))
    assert found.problem is None and found.input_shape == (3, 32, 32)
    asked = inspect(SAMPLES / "shapes" / "model.pt2", tmp_path, LoadingOptions(), (64, 64))
    assert asked.problem is not None and "3×32×32 and these are 3×64×64" in asked.problem
