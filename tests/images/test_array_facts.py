"""Labels and factors beside an array of images in its file."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from reportgen.errors import DataError
from reportgen.images import ImageSet, open_images
from tests.images.pictures import noise

COUNT = 12


def opened(folder: Path, kind: str, limit: int | None = None, **arrays: np.ndarray) -> ImageSet:
    path = folder / f"a.{kind}"
    everything = {"imgs": noise(COUNT, 5, 5), **arrays}
    if kind == "pt":
        torch.save({name: torch.from_numpy(each) for name, each in everything.items()}, path)
    else:
        write = np.savez if kind == "npz" else np.savez_compressed
        with path.open("wb") as stream:
            write(stream, **everything)
    return open_images(path, limit=limit)


def rows_of(images: ImageSet) -> list[int]:
    return [int(name.rpartition("[")[2][:-1]) for name in images.names]


def said(images: ImageSet) -> str:
    return " ".join(note.text for note in images.notes if note.topic == "labels")


@pytest.mark.parametrize("kind", ["npz", "packed", "pt"])
def test_one_hot_labels_are_classes(tmp_path: Path, kind: str) -> None:
    classes = np.arange(COUNT) % 3
    images = opened(tmp_path, kind, limit=7, labels=np.eye(3)[classes])
    assert images.labels == tuple(str(classes[row]) for row in rows_of(images))
    assert images.factors is None and "one-hot" in said(images)


@pytest.mark.parametrize("kind", ["npz", "packed", "pt"])
def test_several_labels_an_image_are_factors(tmp_path: Path, kind: str) -> None:
    table = np.random.default_rng(0).normal(size=(COUNT, 2))
    table[3, 1] = np.inf
    images = opened(tmp_path, kind, limit=7, labels=table)
    assert images.labels is None and images.factors is not None
    table[3, 1] = np.nan
    for place, name in enumerate(("labels 1", "labels 2")):
        np.testing.assert_array_equal(images.factors[name], table[rows_of(images), place])


@pytest.mark.parametrize("dtype", ["S", "U"])
def test_latents_have_the_names_that_stand_beside_them(tmp_path: Path, dtype: str) -> None:
    table = np.arange(3.0 * COUNT).reshape(COUNT, 3)
    names = np.array(["size", "hue", "x"]).astype(dtype)
    labels = np.arange(COUNT)
    images = opened(tmp_path, "npz", latents_values=table, latents_names=names, labels=labels)
    assert images.factors == {
        name: tuple(table[:, place]) for place, name in enumerate(("size", "hue", "x"))
    }
    assert images.labels == tuple(map(str, labels))
    assert "gives size, hue, x for each image" in said(images)


def test_the_file_of_dsprites_has_the_factors_of_its_paper(tmp_path: Path) -> None:
    table = np.random.default_rng(1).random((COUNT, 6))
    metadata = np.array({"latents_names": ("color",)}, dtype=object)
    classes = table.astype(int)
    arrays = {"metadata": metadata, "latents_values": table, "latents_classes": classes}
    images = opened(tmp_path, "npz", **arrays)
    assert images.factors is not None
    assert list(images.factors) == ["color", "shape", "scale", "orientation", "posX", "posY"]
    assert images.factors["posY"] == tuple(table[:, 5])


def test_names_that_are_too_few_or_alike_are_not_used(tmp_path: Path) -> None:
    table = np.arange(2.0 * COUNT).reshape(COUNT, 2)
    for names in (["a"], ["a", "a"]):
        images = opened(tmp_path, "npz", factors=table, factor_names=np.array(names))
        assert images.factors is not None and list(images.factors) == ["factors 1", "factors 2"]


def test_masks_called_labels_are_left_out_and_said(tmp_path: Path) -> None:
    images = opened(tmp_path, "npz", labels=noise(COUNT, 5, 5))
    assert images.labels is None and images.factors is None
    assert "no label an image, and was left out" in said(images)


def test_labels_of_no_bytes_are_refused_in_one_sentence(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.full(COUNT, "a"))
    labels = buffer.getvalue().replace(b"'<U1'", b"'<U0'")
    labels = labels.replace(b"'fortran_order': False", b"'fortran_order': True ")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        with archive.open("images.npy", "w") as member:
            np.save(member, noise(COUNT, 5, 5))
        archive.writestr("labels.npy", labels)
    with pytest.raises(DataError, match="holds values of no bytes"):
        open_images(tmp_path / "a.npz")
