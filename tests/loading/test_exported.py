"""torch.export archives in the layouts that versions of torch have written."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reportgen.errors import ModelError
from reportgen.loading import load_autoencoder
from tests.loading.attacks import edit_json, exported, rewrite, small_model
from tests.loading.files import load
from tests.loading.image_array import ImageArray, random_images

GOLD = Path(__file__).parent / "gold"


def test_an_archive_that_torch_2_6_wrote_is_read() -> None:
    """The numbers were printed by torch 2.6 when it wrote the file, a VAE in training mode."""
    ramp = torch.arange(72.0).view(2, 1, 6, 6) / 72
    found = load(GOLD / "torch_2_6.pt2", ImageArray(ramp.numpy()))
    mean = [
        [-0.35843634605407715, -0.013722933828830719, -0.08215795457363129],
        [-0.7168843746185303, 0.12219038605690002, -0.1833086907863617],
    ]
    sd = [
        [0.9908598065376282, 0.9104492664337158, 1.06479012966156],
        [1.0213863849639893, 0.6790804862976074, 1.0578696727752686],
    ]
    first_pixels = [
        [0.37465059757232666, 0.3589595556259155, 0.6561214923858643],
        [0.3695277273654938, 0.327015221118927, 0.6689042448997498],
    ]
    code = found.encode(ramp)
    torch.testing.assert_close(code, torch.tensor(mean), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(found.posterior_sd(ramp), torch.tensor(sd), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(
        found.decode(code).flatten(1)[:, :3], torch.tensor(first_pixels), atol=1e-6, rtol=1e-5
    )
    assert "torch 2.6 or earlier" in found.notes[0].text


def test_weights_in_one_pickled_dictionary_are_read(tmp_path: Path) -> None:
    """The layout between 2.6's and today's: the same archive, weights as torch.save writes them."""
    exported(tmp_path / "model.pt2")
    with zipfile.ZipFile(tmp_path / "model.pt2") as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    for kind in ("weights", "constants"):
        config = next(name for name in records if name.endswith(f"model_{kind}_config.json"))
        top = config.partition("/")[0]
        tensors = {}
        for name, entry in json.loads(records.pop(config))["config"].items():
            record = records.pop(f"{top}/data/{kind}/{entry['path_name']}")
            size = [length["as_int"] for length in entry["tensor_meta"]["sizes"]]
            tensors[name] = torch.frombuffer(bytearray(record), dtype=torch.float32).view(size)
        written = io.BytesIO()
        torch.save(tensors, written)
        records[f"{top}/data/{kind}/model.pt"] = written.getvalue()
    with zipfile.ZipFile(tmp_path / "older.pt2", "w") as archive:
        for name, record in records.items():
            archive.writestr(name, record)
    images = random_images((1, 12, 12))
    found = load(tmp_path / "older.pt2", images)
    pixels = torch.from_numpy(images.pixels)
    with torch.no_grad():
        torch.testing.assert_close(found.encode(pixels), small_model()[:2](pixels))


def test_trust_uses_torchs_own_loader_with_the_same_result(tmp_path: Path) -> None:
    exported(tmp_path / "model.pt2")
    images = random_images((1, 12, 12))
    pixels = torch.from_numpy(images.pixels)
    plain = load(tmp_path / "model.pt2", images)
    trusted = load(tmp_path / "model.pt2", images, trust=True)
    assert torch.equal(plain.encode(pixels), trusted.encode(pixels))
    assert any(note.topic == "trust" for note in trusted.notes)


def test_several_models_in_one_archive_are_refused(tmp_path: Path) -> None:
    exported(tmp_path / "model.pt2")
    with zipfile.ZipFile(tmp_path / "model.pt2", "a") as archive:
        top = archive.namelist()[0].partition("/")[0]
        archive.writestr(f"{top}/models/other.json", "{}")
    with pytest.raises(ModelError, match="2 exported models"):
        load_autoencoder(tmp_path / "model.pt2", images=random_images((1, 12, 12)))


def test_weights_that_the_graph_names_and_the_file_lacks_are_damage(tmp_path: Path) -> None:
    exported(tmp_path / "model.pt2")
    with zipfile.ZipFile(tmp_path / "model.pt2") as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    config = next(name for name in records if name.endswith("model_weights_config.json"))
    records[config] = b'{"config": {}}'
    with zipfile.ZipFile(tmp_path / "model.pt2", "w") as archive:
        for name, record in records.items():
            archive.writestr(name, record)
    with pytest.raises(ModelError, match=r"KeyError: '1\.weight'"):
        load_autoencoder(tmp_path / "model.pt2", images=random_images((1, 12, 12)))


def test_a_norm_without_statistics_told_not_to_use_the_batchs_is_no_crash(tmp_path: Path) -> None:
    """torch's operator reads memory that is not there; it is told to use the batch's."""

    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.Linear(144, 3)
            self.up = nn.Linear(3, 144)

        def forward(self, x: Tensor) -> Tensor:
            normed = torch.nn.functional.instance_norm(x)
            return self.up(self.down(normed.flatten(1))).view(-1, 1, 12, 12)

    torch.manual_seed(0)
    module = Normed().eval()
    program = torch.export.export(
        module,
        (torch.rand(2, 1, 12, 12),),
        dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
        strict=False,
    ).run_decompositions()
    with (tmp_path / "model.bin").open("wb") as file:
        torch.export.save(program, file)
    told = []

    def clear(model: Any) -> None:
        for node in model["graph_module"]["graph"]["nodes"]:
            if "native_batch_norm" in node["target"]:
                for entry in node["inputs"]:
                    if entry["name"] == "training":
                        told.append(entry["arg"])
                        entry["arg"] = {"as_bool": False}

    rewrite(tmp_path / "model.bin", {"models/model.json": edit_json(clear)})
    assert told == [{"as_bool": True}]
    images = random_images((1, 12, 12))
    found = load(tmp_path / "model.bin", images)
    pixels = torch.from_numpy(images.pixels)
    with torch.no_grad():
        expected = module(pixels)
    torch.testing.assert_close(found.decode(found.encode(pixels)), expected, atol=1e-5, rtol=1e-4)
