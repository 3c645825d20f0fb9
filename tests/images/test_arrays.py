"""`.npy` and `.npz` files: layout, scale, labels, and what is refused."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from reportgen.errors import DataError
from reportgen.images import ImageSet, array_stream, open_images
from reportgen.images.array_stream import choose_rows
from tests.images.pictures import noise


def saved(folder: Path, array: np.ndarray) -> Path:
    path = folder / "digits.npy"
    np.save(path, array)
    return path


def scaling(images: ImageSet) -> str:
    return next(note.text for note in images.notes if note.topic == "scaling")


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_are_found_before_or_behind_the_pixels(tmp_path: Path, channels: int) -> None:
    stored = noise(5, 6, 7, channels)
    expected = stored.transpose(0, 3, 1, 2) / 255
    for array in (stored, stored.transpose(0, 3, 1, 2)):
        images = open_images(saved(tmp_path, array))
        assert images.shape == (channels, 6, 7)
        np.testing.assert_allclose(images.read(slice(None)), expected, atol=1e-7)
        assert images.read([0]).dtype == np.float32
        assert images.read([0]).flags.c_contiguous


def test_greyscale_without_a_channel_axis_and_flattened_squares_are_read(tmp_path: Path) -> None:
    stored = noise(5, 6, 6)
    for array in (stored, stored.reshape(5, 36)):
        images = open_images(saved(tmp_path, array))
        assert images.shape == (1, 6, 6)
        np.testing.assert_allclose(images.read(slice(None))[:, 0], stored / 255, atol=1e-7)


def test_column_major_and_byte_swapped_arrays_are_read_alike(tmp_path: Path) -> None:
    stored = np.random.default_rng(0).random((5, 3, 6, 7))
    expected = open_images(saved(tmp_path, stored)).read(slice(None))
    np.testing.assert_array_equal(expected, stored.astype(np.float32))
    for array in (np.asfortranarray(stored), stored.astype(">f8")):
        np.savez(tmp_path / "a.npz", images=array)
        for path in (saved(tmp_path, array), tmp_path / "a.npz"):
            np.testing.assert_array_equal(open_images(path).read(slice(None)), expected)


@pytest.mark.parametrize(
    ("low", "high", "dtype", "zero", "span"),
    [
        (0, 255, np.uint8, 0, 255),
        (0, 1, np.uint8, 0, 1),
        (0, 1, np.bool_, 0, 1),
        (0, 255, np.int64, 0, 255),
        (0, 65535, np.uint16, 0, 65535),
        (0, 4095, ">u2", 0, 65535),
        (0, 65535, "<u2", 0, 65535),
        (0, 200, np.uint16, 0, 255),
        (0, 1, np.float32, 0, 1),
        (0, 1, np.float64, 0, 1),
        (0, 1, np.float16, 0, 1),
        (-1, 1, np.float32, -1, 2),
        (-0.98, 0.9, np.float32, -1, 2),
        (0, 255, np.float32, 0, 255),
        (0.5, 100.25, np.float32, 0, 255),
        (0, 3, np.float32, 0, 1),
    ],
)
def test_known_scales_are_mapped_to_0_and_1(
    tmp_path: Path, low: float, high: float, dtype: str | type, zero: float, span: float
) -> None:
    stored = np.linspace(low, high, 2 * 5 * 5).reshape(2, 5, 5).astype(dtype)
    if (low, high, dtype) == (0, 3, np.float32):
        stored = np.rint(stored)  # whole numbers of a few grey levels are taken as 8-bit
        span = 255
    images = open_images(saved(tmp_path, stored))
    assert images.pixel_range == (0.0, 1.0)
    expected = (stored.astype(np.float64) - zero) / span
    np.testing.assert_allclose(images.read(slice(None))[:, 0], expected, atol=1e-6)
    assert "values from" in scaling(images)


@pytest.mark.parametrize("ends", [(-2.1, 2.6), (0.0, 3.7), (-0.3, 0.9), (0.0, 300.5)])
def test_other_floats_stay_and_their_range_is_shown(
    tmp_path: Path, ends: tuple[float, float]
) -> None:
    stored = np.linspace(*ends, 50, dtype=np.float32).reshape(2, 5, 5)
    images = open_images(saved(tmp_path, stored))
    assert images.pixel_range == pytest.approx(ends)
    np.testing.assert_array_equal(images.read(slice(None))[:, 0], stored)
    assert "no usual pixel scale" in scaling(images)


def test_constant_images_have_a_range_to_show(tmp_path: Path) -> None:
    images = open_images(saved(tmp_path, np.full((5, 4, 4), -2.5, np.float32)))
    assert images.pixel_range == (-2.5, -1.5)
    assert open_images(saved(tmp_path, np.zeros((5, 4, 4)))).pixel_range == (0.0, 1.0)


def test_names_source_and_rows_of_a_limit(tmp_path: Path) -> None:
    path = saved(tmp_path, noise(50, 4, 4))
    images = open_images(path, limit=5, seed=3)
    rows = [int(name.removeprefix("digits.npy[").removesuffix("]")) for name in images.names]
    assert rows == sorted(set(rows)) and len(rows) == 5
    np.testing.assert_array_equal(
        images.read(slice(None)), open_images(path).read(np.array(rows, dtype=int))
    )
    assert images.names == open_images(path, limit=5, seed=3).names
    assert images.names != open_images(path, limit=5, seed=4).names
    assert images.source.name == "digits.npy"
    assert images.source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert images.source.size == path.stat().st_size


def test_an_array_named_behind_the_path_is_read_with_its_own_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    arrays = {name: noise(5, 4, 4, seed=i) for i, name in enumerate(("x_train", "x_test", "c:d"))}
    np.savez(path, **arrays, y_train=np.arange(5), y_test=np.arange(5, 10))
    for name, labels in (("x_train", "01234"), ("x_test", "56789"), ("c:d", None)):
        images = open_images(f"{path}:{name}")
        np.testing.assert_allclose(images.read(slice(None))[:, 0], arrays[name] / 255, atol=1e-7)
        assert images.labels == (None if labels is None else tuple(labels))
    with pytest.raises(DataError, match="has no array z; it holds c:d, x_test, x_train, y_test"):
        open_images(f"{path}:z")


def test_a_colon_in_a_file_name_is_part_of_it(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy:b.npy", noise(5, 4, 4))
    assert len(open_images(tmp_path / "a.npy:b.npy")) == 5
    saved(tmp_path, noise(5, 4, 4))
    with pytest.raises(DataError, match=r"digits\.npy has no part b"):
        open_images(tmp_path / "digits.npy:b")


def test_npy_is_read_from_disk(tmp_path: Path) -> None:
    path = saved(tmp_path, np.arange(5 * 16, dtype=np.uint8).reshape(5, 4, 4))
    images = open_images(path)
    before = images.read([3])
    with path.open("r+b") as stream:
        stream.seek(-16 * 2, 2)
        stream.write(bytes(16))
    assert before.any() and not images.read([3]).any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_nan_and_infinity_name_the_first_row(tmp_path: Path, value: float, suffix: str) -> None:
    stored = np.zeros((9, 4, 4))
    stored[5, 1, 2] = stored[7, 0, 0] = value
    path = tmp_path / f"a{suffix}"
    np.save(path, stored) if suffix == ".npy" else np.savez(path, images=stored)
    with pytest.raises(DataError, match="image 5 holds NaN or infinity"):
        open_images(path)


@pytest.mark.parametrize("block_bytes", [1, 100, 10**6])
@pytest.mark.parametrize("limit", [None, 6])
@pytest.mark.parametrize("compressed", [True, False])
def test_npz_rows_are_the_same_however_they_are_streamed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    block_bytes: int,
    limit: int | None,
    compressed: bool,
) -> None:
    stored = noise(20, 5, 4, 3)
    labels = np.array([f"class {i % 3}" for i in range(20)])
    write = np.savez_compressed if compressed else np.savez
    write(tmp_path / "a.npz", images=stored, labels=labels)
    monkeypatch.setattr(array_stream, "BLOCK_BYTES", block_bytes)
    images = open_images(tmp_path / "a.npz", limit=limit)
    rows = choose_rows(20, limit, 0)
    assert images.names == tuple(f"a.npz[{row}]" for row in rows)
    assert images.labels == tuple(labels[rows])
    expected = stored[rows].transpose(0, 3, 1, 2) / 255
    np.testing.assert_allclose(images.read(slice(None)), expected, atol=1e-7)


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("images", "other"), "images"),
        (("X", "Y2"), "X"),
        (("data", "zeta"), "data"),
        (("imgs", "more"), "imgs"),
        (("x_train", "x_test"), "x_test"),
        (("faces",), "faces"),
    ],
)
def test_the_array_of_images_is_found_by_name(
    tmp_path: Path, names: tuple[str, ...], chosen: str
) -> None:
    arrays = {name: noise(5, 4, 4, seed=i) for i, name in enumerate(names)}
    np.savez(tmp_path / "a.npz", **arrays)
    read = open_images(tmp_path / "a.npz").read(slice(None))[:, 0]
    np.testing.assert_allclose(read, arrays[chosen] / 255, atol=1e-7)


def test_the_only_array_shaped_like_images_is_taken(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", faces=noise(5, 4, 4), codes=noise(5, 10), y=np.arange(5))
    images = open_images(tmp_path / "a.npz")
    assert images.shape == (1, 4, 4) and images.labels == tuple("01234")


def test_several_arrays_without_a_usual_name_are_listed(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", cats=noise(5, 4, 4), dogs=noise(5, 4, 4))
    with pytest.raises(DataError, match=r"holds cats, dogs; name .* as FILE:NAME"):
        open_images(tmp_path / "a.npz")


def test_test_images_take_the_test_labels(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "mnist.npz",
        x_train=noise(6, 4, 4),
        y_train=np.arange(6),
        x_test=noise(5, 4, 4),
        y_test=np.array([[7], [8], [9], [7], [8]], np.uint8),
    )
    assert open_images(tmp_path / "mnist.npz").labels == tuple("78978")


def test_labels_of_another_length_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=noise(5, 4, 4), labels=np.arange(4))
    with pytest.raises(DataError, match=r"labels has shape \(4,\); 5 images need one .*\(5,\)"):
        open_images(tmp_path / "a.npz")


class Touch:
    """Pickled, it makes a file when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return os.mknod, (str(self.marker),)


def test_python_objects_are_refused_and_never_unpickled(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    objects = np.empty(2, dtype=object)
    objects[:] = [Touch(marker), 0]
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "a.npz", images=objects)
    np.savez(tmp_path / "b.npz", images=noise(2, 5, 5), labels=objects)
    left_out = open_images(tmp_path / "b.npz")
    assert left_out.labels is None
    said = " ".join(note.text for note in left_out.notes)
    assert "labels holds Python objects, which are never unpickled, and was left out" in said
    for name in ("a.npy", "a.npz"):
        with pytest.raises(DataError, match="Python objects, which are never unpickled"):
            open_images(tmp_path / name)
    (tmp_path / "c.npy").write_bytes(pickle.dumps(Touch(marker)))
    with pytest.raises(DataError, match="no known format"):
        open_images(tmp_path / "c.npy")
    assert not marker.exists()
    np.load(tmp_path / "a.npy", allow_pickle=True)
    assert marker.exists(), "the attack must work where it is let"


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (noise(3, 5, 5, 7), r"shape \(3, 5, 5, 7\); images are"),
        (noise(10), r"shape \(10,\)"),
        (noise(3, 5), r"shape \(3, 5\)"),
        (np.array(3.0), r"shape \(\)"),
        (noise(8, 8, 3), "looks like one image"),
        (noise(1, 8, 8), "looks like one image"),
        (noise(1, 3, 8, 8), "holds one image; a report needs at least two"),
        (noise(0, 3, 8, 8), "holds no images"),
        (np.zeros((2, 0, 5)), "no pixels"),
        (np.zeros((2, 5, 5), complex), "complex128 values"),
        (np.full((2, 5, 5), "a"), "<U1 values"),
        (np.zeros((2, 5, 5), [("r", "u1"), ("g", "u1")]), "values; images are whole or real"),
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_arrays_that_are_no_images_are_one_sentence(
    tmp_path: Path, array: np.ndarray, sentence: str, suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    np.save(path, array) if suffix == ".npy" else np.savez(path, images=array)
    with pytest.raises(DataError, match=sentence):
        open_images(path)


def _npy(shape: str, data: bytes = b"", dtype: str = "|u1") -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


@pytest.mark.parametrize("shape", ["(1000000000000, 512, 512)", "(5, 4, 4)", "(2, -8, -8)"])
def test_headers_that_promise_more_than_is_there_are_refused(tmp_path: Path, shape: str) -> None:
    content = _npy(shape, bytes(40))
    (tmp_path / "a.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", content)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(DataError, match=r"truncated|holds no images"):
            open_images(tmp_path / name)


@pytest.mark.parametrize("count", [10**12, 2**27])
def test_a_directory_that_promises_more_than_the_file_has_is_refused(
    tmp_path: Path, count: int
) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", _npy(f"({count}, 4, 4)", bytes(40)))
    content = bytearray(path.read_bytes())
    # APPNOTE.TXT, 4.3.12: the size of the unpacked member.
    size = content.index(b"PK\x01\x02") + 24
    content[size : size + 4] = (2**32 - 2).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(DataError, match="is truncated: its header promises"):
        open_images(path)


def test_what_savez_writes_is_read_from_disk_however_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = noise(50, 5, 5, 3)
    np.savez(tmp_path / "a.npz", other=np.arange(7), images=stored, labels=np.arange(50))
    monkeypatch.setattr(array_stream, "MOST_BYTES", 0)
    images = open_images(tmp_path / "a.npz")
    rows = [49, 0, 1, 2, 30, 30]
    expected = stored[rows].transpose(0, 3, 1, 2) / 255
    np.testing.assert_allclose(images.read(rows), expected, atol=1e-7)
    assert images.labels == tuple(str(i) for i in range(50))


def test_an_archive_too_large_for_memory_says_how_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "a.npz", images=np.zeros((1000, 16, 16), np.uint8))
    monkeypatch.setattr(array_stream, "MOST_BYTES", 100 * 512)
    with pytest.raises(DataError, match=r"1000 images take .* use a smaller --limit"):
        open_images(tmp_path / "a.npz")
    assert len(open_images(tmp_path / "a.npz", limit=100)) == 100


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_file_cut_or_flipped_anywhere_is_a_sentence_or_the_same_shape(
    tmp_path: Path, suffix: str
) -> None:
    buffer = io.BytesIO()
    stored = noise(5, 5, 5)
    if suffix == ".npy":
        np.save(buffer, stored)
    else:
        np.savez_compressed(buffer, images=stored, labels=np.arange(5))
    whole = buffer.getvalue()
    path = tmp_path / f"a{suffix}"
    for position in range(len(whole)):
        flipped = bytearray(whole)
        flipped[position] ^= 0x55
        for content in (whole[:position], bytes(flipped)):
            path.write_bytes(content)
            try:
                open_images(path)
            except DataError as error:
                assert str(path) in str(error)
