"""A path is looked at once, whoever asks what about it; and asking changes nothing."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from reportgen.errors import ModelError
from reportgen.loading import LoadingOptions, model_file
from reportgen.loading.formats.sniff import ModelFormat
from reportgen.loading.inspection import inspect_file
from reportgen.loading.load import load
from reportgen.loading.model_file import ModelFile
from tests.loading.files import ZOO, export
from tests.loading.image_array import random_images
from tests.loading.zoo import BatchNormCode, ConvChildren, Dense, TupleVAE

GREY, COLOUR = (1, 12, 12), (3, 12, 12)
SAID = LoadingOptions(normalize="0,1", output="pixels")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a file is sniffed, read, hashed and its sidecar looked for."""
    counts: Counter[str] = Counter()

    def counting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **keywords: Any) -> Any:
            counts[name] += 1
            return function(*arguments, **keywords)

        return run

    for name in ("sniff", "read_model", "with_sidecar"):
        monkeypatch.setattr(model_file, name, counting(name, getattr(model_file, name)))
    digest = counting("file_digest", hashlib.file_digest)
    monkeypatch.setattr(model_file.hashlib, "file_digest", digest)
    return counts


ONCE = {"sniff": 1, "read_model": 1, "with_sidecar": 1, "file_digest": 1}


def test_a_build_looks_at_a_file_once(counted: Counter[str], tmp_path: Path) -> None:
    export(Dense().eval(), torch.rand(2, *GREY), tmp_path / "model.pt2")
    file = ModelFile(tmp_path / "model.pt2", SAID)
    assert file.fixed_size() == (12, 12)
    assert load(file, random_images(GREY)).code_shape == (5,)
    assert counted == ONCE


def test_an_inspection_looks_at_a_file_once_whatever_sizes_it_tries(
    counted: Counter[str], tmp_path: Path
) -> None:
    torch.save(ConvChildren().state_dict(), tmp_path / "weights.pt")
    said = LoadingOptions(model_class=f"{ZOO}:ConvChildren")
    assert inspect_file(ModelFile(tmp_path / "weights.pt", said), None).code_shape == (2, 7, 7)
    assert counted == ONCE
    torch.save(TupleVAE().state_dict(), tmp_path / "odd.pt")
    said = LoadingOptions(model_class=f"{ZOO}:TupleVAE")
    assert inspect_file(ModelFile(tmp_path / "odd.pt", said), None).problem is not None
    assert counted["read_model"] == 2


def test_what_was_asked_before_changes_nothing_in_what_is_loaded(tmp_path: Path) -> None:
    torch.manual_seed(0)
    export(BatchNormCode().eval(), torch.rand(2, *GREY), tmp_path / "model.pt2")
    images = random_images(GREY)
    pixels = torch.from_numpy(images.pixels)
    asked = ModelFile(tmp_path / "model.pt2", SAID)
    asked.fixed_size()
    codes = [
        load(file, images).encode(pixels) for file in (asked, ModelFile(asked.given, SAID), asked)
    ]
    assert torch.equal(codes[0], codes[1]) and torch.equal(codes[0], codes[2])


def test_splitting_leaves_a_graph_as_it_was_read(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = ConvChildren().eval().double()
    export(module, torch.rand(2, *COLOUR, dtype=torch.float64), tmp_path / "model.pt2")
    model = ModelFile(tmp_path / "model.pt2").read()
    before = [tensor.clone() for tensor in model.program.root.buffers()]
    graph = str(model.program.graph)
    sample = torch.from_numpy(random_images(COLOUR).pixels)
    first, second = (model.split(sample, SAID) for _ in range(2))
    after = list(model.program.root.buffers())
    assert str(model.program.graph) == graph
    for old, new in zip(before, after, strict=True):
        assert old.dtype == new.dtype == torch.float64 and torch.equal(old, new)
    with torch.inference_mode():
        assert torch.equal(first.encode(sample), second.encode(sample))


def test_a_function_is_looked_at_through_the_same_door(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def load():\n"
        "    return (lambda x: x[:, 0, 0]), (lambda z: z.repeat(1, 12).view(-1, 1, 12, 12))\n"
    )
    file = ModelFile(f"{tmp_path}/mine.py:load")
    assert (file.kind, file.name, file.fixed_size()) == (ModelFormat.FUNCTION, "mine", None)
    assert file.source is not None and file.source.name == "mine.py"
    assert file.source.sha256 == hashlib.sha256((tmp_path / "mine.py").read_bytes()).hexdigest()
    told = ModelFile(f"{tmp_path}/mine.py:load", LoadingOptions(input_shape=(1, 12, 14)))
    assert told.fixed_size() == (12, 14)


def test_an_error_without_the_file_s_name_gets_its_path(tmp_path: Path) -> None:
    torch.save(nn.Sequential(nn.Flatten(), nn.Linear(144, 10)), tmp_path / "model.pt")
    with pytest.raises(ModelError, match=f"^{tmp_path}/model.pt: the model returns 10 for"):
        load(ModelFile(tmp_path / "model.pt"), random_images(GREY))
    with pytest.raises(ModelError) as caught:
        ModelFile(tmp_path / "gone.pt").read()
    assert str(caught.value) == f"There is no model file {tmp_path}/gone.pt; check the path."


def test_a_folder_s_source_is_over_its_files(tmp_path: Path) -> None:
    for name, content in (("b.bin", b"weights"), ("config.json", b'{"_class_name": "X"}')):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "inner").mkdir()
    source = ModelFile(tmp_path).source
    assert source is not None and source.size == 27
    assert source.sha256 == hashlib.sha256(b'weights{"_class_name": "X"}').hexdigest()
    assert ModelFile(tmp_path).fixed_size() is None
