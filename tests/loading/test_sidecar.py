"""A sidecar says what flags say, less strongly, and nothing that runs code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from reportgen.autoencoder import Autoencoder
from reportgen.errors import ModelError
from reportgen.loading import load_autoencoder, save
from tests.loading.files import ZOO, export
from tests.loading.image_array import random_images
from tests.loading.zoo import Dense

GREY = (1, 12, 12)


def load_beside(
    folder: Path, toml: str = "", name: str = "model.toml", **flags: object
) -> Autoencoder:
    path = folder / "net.pt2"
    if not path.exists():
        torch.manual_seed(0)
        export(Dense().eval(), torch.rand(2, *GREY), path)
    if toml:
        (folder / name).write_text(toml)
    return load_autoencoder(path, images=random_images(GREY), **flags)


def note(found: Autoencoder, topic: str) -> str:
    return next(note.text for note in found.notes if note.topic == topic)


@pytest.mark.parametrize("name", ["model.toml", "net.toml"])
def test_settings_beside_the_model_are_used_and_said(name: str, tmp_path: Path) -> None:
    toml = (
        'bottleneck = "linear"\nnormalize = "-1,1"\noutput = "pixels"\ninput_shape = [1, 12, 12]\n'
    )
    found = load_beside(tmp_path, toml, name)
    assert found.code_shape == (32,)
    assert note(found, "scaling") == "Pixel scale -1,1 (pixels out), as given."
    assert note(found, "settings").startswith(f"From {name} beside the model: bottleneck, input_sh")


def test_a_flag_wins_over_the_sidecar(tmp_path: Path) -> None:
    found = load_beside(
        tmp_path, 'normalize = "-1,1"\noutput = "pixels"\n', normalize="0,255", bottleneck="linear"
    )
    assert "0,255" in note(found, "scaling") and found.code_shape == (32,)
    assert note(found, "settings") == "From model.toml beside the model: output."


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("normalise = '0,1'", "unknown key 'normalise'"),
        ("trust = true", "unknown key 'trust'"),
        ("normalize = 1", "normalize must be a text"),
        ("model_args = 3", "model_args must be a table"),
        ("input_shape = [1, 12]", "input_shape must be"),
        ("input_shape = [1, 12, true]", "input_shape must be"),
        ("normalize = ", "no valid TOML"),
        ("model_args = " + "[" * 50_000, "no valid TOML"),
        ("model_args = " + "9" * 10_000, "no valid TOML"),
        ("model_args" + ".a" * 50_000 + " = 1", "dots in a line"),
        ("# " + "x" * 300_000, "too large"),
    ],
)
def test_a_sidecar_that_is_wrong_is_refused(toml: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        load_beside(tmp_path, toml)
    assert "model.toml" in str(caught.value)


def test_a_sidecar_cannot_name_code_to_import(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'marker')!r}, 'w').close()\n")
    torch.save(Dense().state_dict(), tmp_path / "weights.pt")
    toml = f'model_class = "{tmp_path}/evil.py:Net"\n'
    (tmp_path / "model.toml").write_text(toml)
    with pytest.raises(ModelError, match="names code to import"):
        load_autoencoder(tmp_path / "weights.pt", images=random_images(GREY))
    assert not (tmp_path / "marker").exists()
    (tmp_path / "model.toml").write_text(f'model_class = "{ZOO}:Dense"\n')
    found = load_autoencoder(tmp_path / "weights.pt", images=random_images(GREY), trust=True)
    assert found.code_shape == (5,)


def test_a_preprocessor_file_says_mean_and_sd(tmp_path: Path) -> None:
    config = {"do_normalize": True, "image_mean": [0.5], "image_std": [0.25]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config))
    found = load_beside(tmp_path)
    assert "mean=0.5 std=0.25" in note(found, "scaling")
    for damaged in ("{broken", '{"image_mean": [1' + "0" * 400 + '], "image_std": [1]}'):
        (tmp_path / "preprocessor_config.json").write_text(damaged)
        with pytest.raises(ModelError, match=r"preprocessor_config\.json is damaged"):
            load_beside(tmp_path)


def test_classes_beside_a_model_are_read_and_checked(tmp_path: Path) -> None:
    save(Dense().eval(), tmp_path / "net.pt2", example=torch.rand(2, 1, 12, 12))
    images = random_images((1, 12, 12))
    (tmp_path / "net.toml").write_text('classes = ["cat", "dog"]\n')
    found = load_autoencoder(tmp_path / "net.pt2", images=images)
    assert found.classes == ("cat", "dog")
    assert any(note.text == "The model's classes: cat, dog." for note in found.notes)
    (tmp_path / "net.toml").write_text('classes = "cat"\n')
    with pytest.raises(ModelError, match="classes must be a list of names"):
        load_autoencoder(tmp_path / "net.pt2", images=images)
