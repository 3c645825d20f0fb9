"""`inspect_model` says what a file is and what is missing, and runs no analysis."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from reportgen.images import open_images
from reportgen.loading import inspect_model
from tests.loading.files import ZOO, export
from tests.loading.image_array import random_images
from tests.loading.zoo import Classifier, ConvChildren, Dense, FlatDense, TupleVAE
from tests.slow import slow_but

SAMPLES = Path(__file__).parents[2] / "sample_models"


def test_an_export_says_everything_without_images(tmp_path: Path) -> None:
    export(Dense().eval(), torch.rand(2, 1, 12, 12), tmp_path / "model.pt2")
    found = inspect_model(tmp_path / "model.pt2")
    assert found.problem is None
    assert (found.input_shape, found.code_shape) == ((1, 12, 12), (5,))
    assert found.format == "torch.export archive"
    assert found.parameters == sum(p.numel() for p in Dense().parameters())
    notes = {note.topic: note.text for note in found.notes}
    assert "linear_1 in 3" in notes["code"] and "--normalize" in notes["scaling"]
    assert json.loads(json.dumps(found.as_json()))["code_shape"] == [5]


def test_with_images_the_scale_is_found_too() -> None:
    images = open_images(SAMPLES / "fashion_images")
    found = inspect_model(SAMPLES / "fashion_vae" / "model.pt2", images=images)
    notes = {note.topic: note.text for note in found.notes}
    assert found.is_variational and "Pixel scale 0,1" in notes["scaling"]


def test_shapes_are_tried_where_the_file_says_none(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(784, 6), nn.Linear(6, 784))
    torch.save(module, tmp_path / "model.pt")
    found = inspect_model(tmp_path / "model.pt")
    assert (found.input_shape, found.code_shape) == ((1, 28, 28), (6,))
    torch.save(ConvChildren().state_dict(), tmp_path / "weights.pt")
    found = inspect_model(tmp_path / "weights.pt", model_class=f"{ZOO}:ConvChildren")
    assert found.input_shape == (3, 28, 28) and found.code_shape == (2, 7, 7)
    torch.save(TupleVAE().state_dict(), tmp_path / "odd.pt")
    found = inspect_model(tmp_path / "odd.pt", model_class=f"{ZOO}:TupleVAE")
    assert found.problem is not None and "--input-shape" in found.problem
    found = inspect_model(
        tmp_path / "odd.pt", model_class=f"{ZOO}:TupleVAE", input_shape=(1, 12, 12)
    )
    assert found.code_shape == (4,)


def test_flat_exports_get_square_images(tmp_path: Path) -> None:
    export(FlatDense().eval(), torch.rand(2, 144), tmp_path / "model.pt2")
    assert inspect_model(tmp_path / "model.pt2").input_shape == (1, 12, 12)


def test_what_is_missing_is_the_problem(tmp_path: Path) -> None:
    torch.save(Dense().state_dict(), tmp_path / "weights.pt")
    found = inspect_model(tmp_path / "weights.pt")
    assert found.problem is not None and "--model-class" in found.problem
    assert found.format == "torch.save file" and found.source is not None
    (tmp_path / "text.pt").write_text("hello")
    found = inspect_model(tmp_path / "text.pt")
    assert found.format is None and "text file" in str(found.problem)
    found = inspect_model(tmp_path / "gone.pt")
    assert found.source is None and "no model file" in str(found.problem)
    export(Classifier().eval(), torch.rand(2, 3, 12, 12), tmp_path / "classifier.pt2")
    found = inspect_model(tmp_path / "classifier.pt2", images=random_images((3, 12, 12)))
    assert "no autoencoder" in str(found.problem) and found.parameters


def test_a_function_is_inspected_like_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def load():\n"
        "    import torch\n"
        "    return (lambda x: x[:, 0, 0]), (lambda z: z.repeat(1, 12).view(-1, 1, 12, 12))\n"
    )
    spec = f"{tmp_path}/mine.py:load"
    found = inspect_model(spec, images=random_images((1, 12, 12)))
    assert (found.problem, found.format, found.code_shape) == (None, "function", (12,))
    assert inspect_model(spec, input_shape=(1, 12, 12)).code_shape == (12,)
    assert "give DATA" in str(inspect_model(spec).problem)
    assert "no file" in str(
        inspect_model(f"{tmp_path}/gone.py:load", input_shape=(1, 2, 2)).problem
    )


def test_a_file_cannot_ask_for_a_huge_image(tmp_path: Path) -> None:
    export(Dense().eval(), torch.rand(2, 1, 12, 12), tmp_path / "model.pt2")
    (tmp_path / "model.toml").write_text("input_shape = [3, 100000, 100000]")
    assert "too large to try" in str(inspect_model(tmp_path / "model.pt2").problem)


@pytest.mark.parametrize(
    "sample",
    slow_but(["fashion_vae/model.pt2"], ["fashion_vae/model.pt2", "fashion_autoencoder/model.pt"]),
)
def test_a_sample_is_inspected_without_what_takes_long_to_import(sample: str) -> None:
    """It takes 1.2 to 1.4 times the import of torch; torch's compiler would be as much again."""
    code = (
        "import sys, warnings; warnings.simplefilter('ignore');"
        "from reportgen.loading import inspect_model;"
        "found = inspect_model(sys.argv[1]); assert found.code_shape, found.problem;"
        "print(*sys.modules)"
    )
    command = [sys.executable, "-c", code, str(SAMPLES / sample)]
    imported = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    heavy = {"torch._dynamo", "torch._inductor", "torch.onnx", "sklearn", "scipy", "matplotlib"}
    assert not heavy & {*imported}
