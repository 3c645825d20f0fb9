"""Folders as torchvision's data sets download and unpack them."""

from __future__ import annotations

import gzip
import pickle
import struct
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from reportgen.errors import DataError
from reportgen.images import ImageSet, open_images
from tests.images.pictures import noise
from tests.images.test_tensors import idx

COUNT = 6


class PicklerOfPython2(pickle._Pickler):  # type: ignore[name-defined]
    """Writes bytes as Python 2 did its text, which the published files of CIFAR hold."""

    def save_bytes(self, obj: bytes) -> None:
        self.write(b"T" + struct.pack("<i", len(obj)) + obj)

    dispatch: ClassVar = {**pickle._Pickler.dispatch, bytes: save_bytes}  # type: ignore[attr-defined]


def pickled(path: Path, content: dict[bytes, Any], writer: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        if writer == "python 2":
            PicklerOfPython2(stream, 2).dump(content)
        else:
            pickle.dump(content, stream, 2)


def batch(seed: int, **labels: list[int]) -> dict[bytes, Any]:
    named = {name.encode(): values for name, values in labels.items()}
    data = noise(COUNT, 3072, seed=seed)
    return {b"batch_label": b"one", b"data": data, b"filenames": [b"a.png"] * COUNT, **named}


def cifar10(root: Path, writer: str = "python 2") -> Path:
    folder = root / "cifar-10-batches-py"
    for number in range(1, 6):
        content = batch(number, labels=[(number + i) % 3 for i in range(COUNT)])
        pickled(folder / f"data_batch_{number}", content, writer)
    pickled(folder / "test_batch", batch(0, labels=[i % 3 for i in range(COUNT)]), writer)
    names = [b"airplane", b"automobile", b"bird"]
    pickled(folder / "batches.meta", {b"label_names": names}, writer)
    return folder


def pixels(*seeds: int) -> np.ndarray:
    flat = np.concatenate([noise(COUNT, 3072, seed=seed) for seed in seeds])
    return flat.reshape(-1, 3, 32, 32) / np.float32(255)


@pytest.mark.parametrize("writer", ["python 2", "python 3"])
def test_cifar_10(tmp_path: Path, writer: str) -> None:
    folder = cifar10(tmp_path, writer)
    for given in (folder, tmp_path):
        images = open_images(given)
        np.testing.assert_allclose(images.read(slice(None)), pixels(0), rtol=1e-6)
        assert images.labels == ("airplane", "automobile", "bird") * 2
        assert "The split test of train, test." in [note.text for note in images.notes]
    train = open_images(f"{folder}:train", limit=20)
    rows = [int(name.rpartition("[")[2][:-1]) for name in train.names]
    expected = pixels(1, 2, 3, 4, 5)[rows]
    np.testing.assert_allclose(train.read(slice(None)), expected, rtol=1e-6)
    names = ("airplane", "automobile", "bird")
    classes = [names[(row // COUNT + 1 + row % COUNT) % 3] for row in rows]
    assert train.labels == tuple(classes)


def test_cifar_100_has_fine_classes_and_coarse_ones(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-100-python"
    labels = {"fine_labels": [0, 1, 2, 3, 0, 1], "coarse_labels": [0, 0, 1, 1, 0, 0]}
    for name in ("train", "test"):
        pickled(folder / name, batch(0, **labels), "python 2")
    names = {b"fine_label_names": [b"apple", b"fish", b"baby", b"bear"]}
    pickled(folder / "meta", {**names, b"coarse_label_names": [b"one", b"two"]}, "python 2")
    images = open_images(folder)
    assert images.labels == ("apple", "fish", "baby", "bear", "apple", "fish")
    assert images.factors == {"coarse label": ("one", "one", "two", "two", "one", "one")}


def mnist(root: Path, name: str = "MNIST", suffix: str = "") -> Path:
    folder = root / name / "raw"
    folder.mkdir(parents=True)
    for split, count in (("train", 9), ("t10k", 5)):
        images, labels = (
            idx(noise(count, 6, 7), 0x08),
            idx((np.arange(count) % 4).astype(np.uint8), 0x08),
        )
        for kind, content in (("images-idx3", images), ("labels-idx1", labels)):
            path = folder / f"{split}-{kind}-ubyte{suffix}"
            path.write_bytes(gzip.compress(content) if suffix else content)
    return folder


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST"])
def test_mnist_and_its_relatives(tmp_path: Path, name: str, suffix: str) -> None:
    folder = mnist(tmp_path, name, suffix)
    for given in (folder, folder.parent, tmp_path):
        images = open_images(given)
        assert images.shape == (1, 6, 7) and images.labels == ("0", "1", "2", "3", "0")
    np.testing.assert_allclose(images.read([2])[0, 0], noise(5, 6, 7)[2] / 255, rtol=1e-6)
    assert len(open_images(f"{tmp_path}:test")) == 5
    assert len(open_images(f"{folder}:train", limit=7)) == 7


def refused(path: Path | str) -> str:
    with pytest.raises(DataError) as caught:
        open_images(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_several_data_sets_and_unknown_splits_are_listed(tmp_path: Path) -> None:
    mnist(tmp_path)
    cifar10(tmp_path)
    assert "several data sets: MNIST/raw, cifar-10-batches-py; give the folder of one" in refused(
        tmp_path
    )
    assert "has no split valid; it has train, test" in refused(
        f"{tmp_path / 'cifar-10-batches-py'}:valid"
    )


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("touch /tmp/harmed-by-reportgen",)


def test_nothing_that_a_batch_names_is_run(tmp_path: Path) -> None:
    folder = cifar10(tmp_path)
    pickled(folder / "test_batch", {b"data": Harmful()}, "python 3")
    assert "nothing else is unpickled: it names posix.system" in refused(folder)
    assert not Path("/tmp/harmed-by-reportgen").exists()


@pytest.mark.parametrize(
    "state",
    [
        (1, (10**9, 3072), "type", False, b"\0" * 3072),
        (1, (-1, 3072), "type", False, b"\0" * 100),
        (1, 3, "type", False, b"\0" * 3072),
        (1, (1, 3072), "type", False, [1, 2]),
        None,
    ],
)
def test_arrays_that_do_not_fit_their_bytes_are_refused(tmp_path: Path, state: Any) -> None:
    folder = cifar10(tmp_path)

    class Lying:
        def __reduce__(self) -> tuple[Any, ...]:
            from numpy._core.multiarray import _reconstruct

            said = state and (*state[:2], np.dtype(np.uint8), *state[3:])
            return _reconstruct, (np.ndarray, (0,), b"b"), said

    pickled(folder / "test_batch", {b"data": Lying(), b"labels": [0]}, "python 3")
    assert "test_batch" in refused(folder)


def test_classes_that_are_no_text_are_numbers_or_refused(tmp_path: Path) -> None:
    folder = cifar10(tmp_path)
    meta = b"\x80\x02}U\x0blabel_names](" + b"]" * 2000 + b"a" * 1999 + b"]]es."
    (folder / "batches.meta").write_bytes(meta)
    assert open_images(folder).labels[:3] == ("0", "1", "2")
    pickled(folder / "test_batch", batch(0, labels=[10**5000] * COUNT), "python 3")
    assert open_images(folder).labels[:2] == ("(int)", "(int)")
    pickled(folder / "test_batch", batch(0, labels=[[0]] * COUNT), "python 3")
    assert "labels holds what is neither a number nor a text" in refused(folder)


@pytest.mark.parametrize("content", [b"", b"\x80\x02", b"\x80\x02N.", b"\x80\x02}.", b"words"])
def test_damaged_batches_are_one_sentence(tmp_path: Path, content: bytes) -> None:
    folder = cifar10(tmp_path)
    (folder / "test_batch").write_bytes(content)
    assert "test_batch" in refused(folder)


def test_cut_and_flipped_batches_are_one_sentence_or_read(tmp_path: Path) -> None:
    folder = cifar10(tmp_path)
    path = folder / "test_batch"
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(whole[: generator.integers(1, len(whole))])
        damaged[generator.integers(0, min(200, len(damaged)))] = generator.integers(0, 256)
        path.write_bytes(bytes(damaged))
        try:
            opened: ImageSet = open_images(folder)
            opened.read(slice(None))
        except DataError as error:
            assert "\n" not in str(error)
