"""Folders of `.npy` files, each one image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reportgen.errors import DataError
from reportgen.images import open_images
from tests.images.pictures import noise
from tests.images.test_tensors import idx


def written(root: Path, names: list[str], shape: tuple[int, ...] = (5, 6)) -> np.ndarray:
    values = np.stack([noise(*shape, seed=i) for i in range(len(names))])
    for name, value in zip(names, values, strict=True):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(root / name, value)
    return values


NAMES = [f"{kind}/{i}.npy" for i in range(6) for kind in ("cat", "dog")]


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((5, 6), (0, 1)), ((3, 5, 6), (0, 1, 2)), ((5, 6, 3), (2, 0, 1)), ((7, 8, 9), (0, 1, 2))],
)
def test_each_file_is_an_image_of_its_folders_class(
    tmp_path: Path, shape: tuple[int, ...], axes: tuple[int, ...]
) -> None:
    values = written(tmp_path, NAMES, shape)
    images = open_images(tmp_path)
    order = sorted(range(12), key=lambda i: (i % 2, i // 2))
    assert images.names == tuple(NAMES[i] for i in order)
    assert images.labels == ("cat",) * 6 + ("dog",) * 6
    expected = np.stack([values[i].transpose(axes).reshape(images.shape) for i in order]) / 255
    np.testing.assert_allclose(images.read(slice(None)), expected, rtol=1e-6)
    assert "2 classes from folders." in [note.text for note in images.notes]


def test_tables_limits_and_label_files_work_as_with_pictures(tmp_path: Path) -> None:
    names = [f"{i}.npy" for i in range(12)]
    written(tmp_path / "data", names)
    lines = "".join(f"{i}.npy,{i / 2},{i % 3}\n" for i in range(12))
    (tmp_path / "data" / "labels.csv").write_text(f"file,size,label\n{lines}")
    np.save(tmp_path / "y.npy", np.arange(12))
    images = open_images(tmp_path / "data", limit=7)
    numbers = [int(name[:-4]) for name in images.names]
    assert len(numbers) == 7 and images.factors == {"size": tuple(n / 2 for n in numbers)}
    assert images.labels == tuple(str(n % 3) for n in numbers)
    images = open_images(tmp_path / "data", limit=7, labels=tmp_path / "y.npy")
    assert images.labels == tuple(map(str, numbers))


def test_floats_are_on_one_scale_and_fortran_order_is_followed(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32) * 2 - 1
    for i, value in enumerate(values):
        np.save(tmp_path / f"{i}.npy", np.asfortranarray(value))
    images = open_images(tmp_path)
    np.testing.assert_allclose(images.read(slice(None))[:, 0], (values + 1) / 2, rtol=1e-6)


def test_damaged_files_are_left_out_and_named(tmp_path: Path) -> None:
    written(tmp_path, ["0.npy", "1.npy", "2.npy", "3.npy"])
    (tmp_path / "1.npy").write_bytes((tmp_path / "1.npy").read_bytes()[:-5])
    np.save(tmp_path / "2.npy", np.array([None]))
    images = open_images(tmp_path)
    assert images.names == ("0.npy", "3.npy")
    assert [each.name for each in images.skipped] == ["1.npy", "2.npy"]
    assert "truncated" in images.skipped[0].reason and "unpickled" in images.skipped[1].reason
    assert images.notes[0].text == "2 of 4 images were read; 2 could not be."


def test_shapes_that_differ_are_one_sentence(tmp_path: Path) -> None:
    written(tmp_path, ["0.npy", "1.npy", "2.npy"])
    np.save(tmp_path / "3.npy", noise(4, 4))
    with pytest.raises(DataError, match=r"3.npy has \(4, 4\), 3 of 4 files have \(5, 6\)"):
        open_images(tmp_path)


def test_bytes_beyond_the_array_are_counted(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", noise(5, 4, 4))
    notes = open_images(tmp_path / "x.npy").notes
    assert "beyond its array" not in " ".join(note.text for note in notes)
    with (tmp_path / "x.npy").open("ab") as stream:
        np.save(stream, noise(7, 4, 4))
    said = [note.text for note in open_images(tmp_path / "x.npy").notes]
    assert any("x.npy goes on for 240 bytes beyond its array" in text for text in said)
    content = idx(noise(5, 4, 4), 0x08) + b"more"
    (tmp_path / "x-idx3-ubyte").write_bytes(content)
    said = [note.text for note in open_images(tmp_path / "x-idx3-ubyte").notes]
    assert any("goes on for 4 bytes" in text for text in said)
