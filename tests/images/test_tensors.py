"""Tensors saved by torch and IDX files."""

from __future__ import annotations

import gzip
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from reportgen.errors import DataError
from reportgen.images import open_images
from tests.images.pictures import noise

PIXELS = noise(6, 3, 5, 7)
EXPECTED = PIXELS / 255


def saved(folder: Path, content: object) -> Path:
    path = folder / "data.pt"
    torch.save(content, path)
    return path


@pytest.mark.parametrize("kind", ["tensor", "dictionary", "tuple", "dataset", "list"])
def test_tensors_are_found_in_the_containers_people_save(tmp_path: Path, kind: str) -> None:
    images, labels = torch.from_numpy(PIXELS), torch.arange(6)
    content = {
        "tensor": images,
        "dictionary": {"images": images, "labels": labels, "note": "ten classes"},
        "tuple": (images, labels),
        "dataset": TensorDataset(images, labels),
        "list": list(images),
    }[kind]
    opened = open_images(saved(tmp_path, content))
    assert opened.shape == (3, 5, 7)
    np.testing.assert_allclose(opened.read(slice(None)), EXPECTED, atol=1e-7)
    assert opened.labels == (None if kind in ("tensor", "list") else tuple("012345"))
    assert opened.names[5] == "data.pt[5]"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_floats_of_every_width_are_read(tmp_path: Path, dtype: torch.dtype) -> None:
    # Multiples of 1/8 are exact in all of them.
    stored = torch.from_numpy(PIXELS // 32).to(dtype) / 8
    opened = open_images(saved(tmp_path, stored), limit=4)
    rows = [int(name[8:-1]) for name in opened.names]
    expected = (PIXELS // 32 / 8)[rows].astype(np.float32)
    np.testing.assert_array_equal(opened.read(slice(None)), expected)


def test_channels_last_memory_and_slices_are_read_by_their_meaning(tmp_path: Path) -> None:
    stored = torch.from_numpy(PIXELS).to(memory_format=torch.channels_last)
    np.testing.assert_allclose(
        open_images(saved(tmp_path, stored)).read(slice(None)), EXPECTED, atol=1e-7
    )
    np.testing.assert_allclose(
        open_images(saved(tmp_path, stored[::2])).read(slice(None)), EXPECTED[::2], atol=1e-7
    )


def test_a_parameter_that_requires_gradients_is_read(tmp_path: Path) -> None:
    stored = torch.from_numpy(EXPECTED.astype(np.float32)).requires_grad_()
    np.testing.assert_allclose(
        open_images(saved(tmp_path, stored)).read(slice(None)), EXPECTED, atol=1e-7
    )


class Touch:
    """Pickled, it makes a file when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return os.mknod, (str(self.marker),)


def test_a_tensor_named_behind_the_path_is_read(tmp_path: Path) -> None:
    tensors = {name: torch.rand(4, 1, 5, 5) for name in ("cats", "dogs")}
    path = saved(tmp_path, tensors)
    with pytest.raises(DataError, match="holds cats, dogs; name the array of images"):
        open_images(path)
    for name, expected in tensors.items():
        np.testing.assert_array_equal(open_images(f"{path}:{name}").read(slice(None)), expected)


@pytest.mark.parametrize("kind", ["alone", "in a dictionary", "in a dataset"])
def test_nothing_in_a_pickle_is_run(tmp_path: Path, kind: str) -> None:
    marker = tmp_path / "ran"
    dataset = TensorDataset(torch.zeros(2, 1, 4, 4))
    dataset.extra = Touch(marker)  # type: ignore[attr-defined]
    content = {
        "alone": Touch(marker),
        "in a dictionary": {"images": torch.zeros(2, 1, 4, 4), "x": Touch(marker)},
        "in a dataset": dataset,
    }[kind]
    path = saved(tmp_path, content)
    with pytest.raises(DataError, match="holds more than tensors"):
        open_images(path)
    assert not marker.exists()
    torch.load(path, weights_only=False)
    assert marker.exists(), "the attack must work where it is let"


def test_a_tensor_that_claims_more_than_it_stores_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, torch.zeros(1).expand(10**6, 3, 100, 100))
    assert path.stat().st_size < 5000
    with pytest.raises(DataError, match="claims 120000000000 bytes and stores 4"):
        open_images(path)


def test_a_compressed_torch_file_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, torch.zeros(2, 1, 512, 512))
    with zipfile.ZipFile(path) as stored, zipfile.ZipFile(tmp_path / "bomb.pt", "w", 8) as bomb:
        for name in stored.namelist():
            bomb.writestr(name, stored.read(name))
    with pytest.raises(DataError, match="is compressed, which"):
        open_images(tmp_path / "bomb.pt")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("words", "holds no tensor"),
        ({}, "holds no tensor"),
        ([], "holds no tensor"),
        (torch.zeros(2, 1, 4, 4, dtype=torch.complex64), "complex64 values"),
        (torch.zeros(2, 1, 4, 4).to_sparse(), "sparse or quantised"),
        (torch.zeros(2, 1, 4, 4).to(torch.float8_e4m3fn), "float8_e4m3fn values"),
        (torch.zeros(1, 1, 4, 4), "one image; a report needs at least two"),
        (torch.tensor(3.0), "has shape"),
        (
            {"images": torch.zeros(5, 1, 4, 4), "y": torch.zeros(4)},
            r"5 images need one .* \(5,\)",
        ),
        (torch.full((5, 1, 4, 4), torch.nan), "image 0 holds NaN"),
        (
            {f"layer{i}.weight": torch.zeros(4, 3, 3, 3) for i in range(20)},
            "and 12 more; name the array of images after a colon",
        ),
    ],
)
def test_what_is_no_images_is_one_sentence(tmp_path: Path, content: object, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        open_images(saved(tmp_path, content))


def test_the_old_torch_format_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "old.pt"
    torch.save(torch.zeros(2, 1, 4, 4), path, _use_new_zipfile_serialization=False)
    with pytest.raises(DataError, match=r"old format; save it again with torch\.save"):
        open_images(path)


def test_a_torch_file_cut_or_flipped_is_a_sentence_or_still_read(tmp_path: Path) -> None:
    path = saved(tmp_path, {"images": torch.from_numpy(noise(5, 1, 3, 3)), "y": torch.arange(5)})
    whole = path.read_bytes()
    for position in range(0, len(whole), 5):
        flipped = bytearray(whole)
        flipped[position] ^= 0x55
        for content in (whole[:position], bytes(flipped)):
            # A new name each time: torch maps the file, and a mapped file must not shrink.
            path = tmp_path / f"{position}-{len(content)}-{content != whole[:position]}.pt"
            path.write_bytes(content)
            try:
                open_images(path)
            except DataError as error:
                assert str(path) in str(error)
            path.unlink()


def idx(array: np.ndarray, code: int) -> bytes:
    """An IDX file, written by hand."""
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("limit", [None, 7])
def test_mnist_files_are_read_with_the_labels_beside_them(
    tmp_path: Path, suffix: str, limit: int | None
) -> None:
    pixels, labels = noise(30, 5, 6), np.arange(30, dtype=np.uint8) % 10
    pack = gzip.compress if suffix else bytes
    path = tmp_path / f"t10k-images-idx3-ubyte{suffix}"
    path.write_bytes(pack(idx(pixels, 0x08)))
    assert open_images(path).labels is None
    (tmp_path / f"t10k-labels-idx1-ubyte{suffix}").write_bytes(pack(idx(labels, 0x08)))
    opened = open_images(path, limit=limit)
    rows = [int(name.split("[")[1].rstrip("]")) for name in opened.names]
    assert len(rows) == (limit or 30)
    np.testing.assert_allclose(opened.read(slice(None))[:, 0], pixels[rows] / 255, atol=1e-7)
    assert opened.labels == tuple(str(labels[row]) for row in rows)


@pytest.mark.parametrize(
    ("code", "dtype"), [(0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")]
)
def test_other_idx_types_are_read_big_endian(tmp_path: Path, code: int, dtype: str) -> None:
    pixels = (noise(5, 4, 4) // 2).astype(dtype)
    (tmp_path / "a.idx").write_bytes(idx(pixels, code))
    read = open_images(tmp_path / "a.idx").read(slice(None))
    np.testing.assert_allclose(read[:, 0], pixels.astype(float) / 255, atol=1e-7)


@pytest.mark.slow
def test_an_idx_file_cut_or_flipped_is_a_sentence_or_still_read(tmp_path: Path) -> None:
    for name, whole in (
        ("a.idx", idx(noise(5, 4, 4), 0x08)),
        ("a.idx.gz", gzip.compress(idx(noise(5, 4, 4), 0x08))),
    ):
        path = tmp_path / name
        for position in range(len(whole)):
            flipped = bytearray(whole)
            flipped[position] ^= 0x55
            for content in (whole[:position], bytes(flipped)):
                path.write_bytes(content)
                try:
                    open_images(path)
                except DataError as error:
                    assert str(path) in str(error)


def test_a_plain_idx_file_is_read_from_disk_however_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = noise(20, 4, 5)
    (tmp_path / "a.idx").write_bytes(idx(pixels, 0x08))
    (tmp_path / "a.idx.gz").write_bytes(gzip.compress(idx(pixels, 0x08)))
    monkeypatch.setattr("reportgen.images.array_stream.MOST_BYTES", 0)
    read = open_images(tmp_path / "a.idx").read([19, 3, 4])
    np.testing.assert_allclose(read[:, 0], pixels[[19, 3, 4]] / 255, atol=1e-7)
    with pytest.raises(DataError, match="use a smaller --limit"):
        open_images(tmp_path / "a.idx.gz")


def test_an_idx_header_that_promises_too_much_is_refused(tmp_path: Path) -> None:
    for shape in ((2**32 - 1, 2**32 - 1, 2**32 - 1), (60000, 28, 28)):
        content = struct.pack(">BBBB3I", 0, 0, 8, 3, *shape) + bytes(100)
        (tmp_path / "a.idx").write_bytes(content)
        with pytest.raises(DataError, match=r"truncated|images take"):
            open_images(tmp_path / "a.idx", limit=10)


@pytest.mark.parametrize("damage", ["a storage cut short", "a call", "a set of states"])
def test_what_no_file_of_tensors_does_is_refused_unopened(tmp_path: Path, damage: str) -> None:
    """Past torch's own restricted unpickler, whose reading of the first would reach the heap."""
    path = saved(tmp_path, {"images": torch.zeros(5, 1, 4, 4)})
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    pickled = next(name for name in records if name.endswith("data.pkl"))
    if damage == "a storage cut short":
        stored = next(name for name in records if name.endswith("/data/0"))
        records[stored] = records[stored][:-1]
    elif damage == "a call":
        records[pickled] = b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R."
    else:
        records[pickled] = b"\x80\x02ctorch\nSize\n)R}b."
    with zipfile.ZipFile(path, "w") as archive:
        for name, record in records.items():
            archive.writestr(name, record)
    said = r"data\.pt(: it stores fewer| is damaged| holds more than tensors)"
    with pytest.raises(DataError, match=said):
        open_images(path)


def test_tensors_that_lie_anywhere_in_their_file_are_read(tmp_path: Path) -> None:
    """torch aligns its records; an archive that was packed again does not."""
    pixels = torch.rand(5, 1, 4, 4)
    path = saved(tmp_path, {"images": pixels})
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data/odd", b"x")
        for name, record in records.items():
            archive.writestr(name, record)
    np.testing.assert_array_equal(open_images(path).read(slice(None)), pixels.numpy())
