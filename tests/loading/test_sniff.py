"""A file is known by its content; what is no model is named, in one sentence, with what to do."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from reportgen.errors import ModelError
from reportgen.loading import load_autoencoder
from reportgen.loading.formats.sniff import ModelFormat, sniff
from tests.loading.files import export
from tests.loading.image_array import random_images
from tests.loading.zoo import Dense

CONTENTS = {
    "text": (b"epoch 3, loss 0.2\nsaved\n", "text file"),
    "unicode text": ("é".encode() * 3000, "text file"),
    "web page": (b"  <!DOCTYPE html><html><body>Sign in</body></html>", "web page"),
    "lfs pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", "git lfs pull"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(50), "PNG"),
    "jpeg": (b"\xff\xd8\xff\xe0" + bytes(50), "JPEG"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(50), "HDF5"),
    "numpy": (b"\x93NUMPY\x01\x00" + bytes(50), "NumPy"),
    "gzip": (b"\x1f\x8b\x08" + bytes(50), "gzip"),
    "empty": (b"", "empty"),
    "pickle": (b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00]\x94.", "pickle"),
    "noise": (np.random.default_rng(0).bytes(500), "no format that is known"),
    "truncated safetensors": (struct.pack("<Q", 900) + b'{"a": 1}', "truncated safetensors"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_what_is_no_model_is_named_in_one_sentence(name: str, tmp_path: Path) -> None:
    content, words = CONTENTS[name]
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        load_autoencoder(path, images=random_images((1, 12, 12)))
    sentence = str(caught.value)
    assert words in sentence and str(path) in sentence
    assert "\n" not in sentence and sentence.endswith(".") and "weights_only" not in sentence


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model file .*gone\.pt"):
        sniff(tmp_path / "gone.pt")
    with pytest.raises(ModelError, match="is a folder"):
        sniff(tmp_path)


def test_a_zip_without_a_model_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("photos/1.txt", "hello")
    with pytest.raises(ModelError, match="without a model"):
        sniff(tmp_path / "model.pt")


def test_archives_of_other_libraries_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "arrays.npz", x=np.zeros(3))
    with pytest.raises(ModelError, match="NumPy array file"):
        sniff(tmp_path / "arrays.npz")
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", "")
    with pytest.raises(ModelError, match="Keras model; convert it to ONNX"):
        sniff(tmp_path / "model.keras")


def test_an_aot_inductor_package_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.pt2", "w") as archive:
        archive.writestr("m/archive_format", "pt2")
        archive.writestr("m/data/aotinductor/model/x.so", b"\x7fELF")
    with pytest.raises(ModelError, match="compiled machine code"):
        load_autoencoder(tmp_path / "model.pt2", images=random_images((1, 12, 12)))


def write(kind: ModelFormat, path: Path) -> None:
    module = Dense().eval()
    if kind is ModelFormat.EXPORTED:
        export(module, torch.rand(2, 1, 12, 12), path)
    elif kind is ModelFormat.TORCHSCRIPT:
        torch.jit.save(torch.jit.script(module), path)
    elif kind is ModelFormat.TORCH_SAVE:
        torch.save(module.state_dict(), path)
    elif kind is ModelFormat.LEGACY_TORCH_SAVE:
        torch.save(module.state_dict(), path, _use_new_zipfile_serialization=False)
    else:
        save_file(module.state_dict(), path)


@pytest.mark.parametrize(
    "kind",
    [
        ModelFormat.EXPORTED,
        ModelFormat.TORCHSCRIPT,
        ModelFormat.TORCH_SAVE,
        ModelFormat.LEGACY_TORCH_SAVE,
        ModelFormat.SAFETENSORS,
    ],
    ids=lambda kind: kind.name,
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_format_is_known_whatever_the_file_is_called(kind: ModelFormat, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    write(kind, path)
    assert sniff(path) is kind
    cut = tmp_path / "cut.pt2"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ModelError) as caught:
        load_autoencoder(cut, images=random_images((1, 12, 12)), model_class=None)
    assert str(cut) in str(caught.value)


def test_a_model_that_is_not_called_so_loads(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    torch.save(nn.Sequential(*Dense()), path)
    assert load_autoencoder(path, images=random_images((1, 12, 12))).code_shape == (5,)
