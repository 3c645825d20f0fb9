"""HDF5 files, as h5py writes them."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from reportgen.errors import DataError
from reportgen.images import ImageSet, open_images
from tests.images.damage import reads_or_refuses
from tests.images.pictures import noise
from tests.process.confined import run_confined

COUNT = 12
PIXELS = noise(COUNT, 5, 6, 3)


def written(folder: Path, **arrays: object) -> Path:
    path = folder / f"{len(list(folder.iterdir()))}a.h5"
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file.create_dataset(name.replace("__", "/"), data=values)
    return path


def rows_of(images: ImageSet) -> list[int]:
    return [int(name.rpartition("[")[2][:-1]) for name in images.names]


@pytest.mark.parametrize("limit", [None, 7])
@pytest.mark.parametrize(
    "layout",
    [{}, {"chunks": (1, 5, 6, 3)}, {"chunks": (5, 5, 6, 1), "compression": "gzip"}],
    ids=["contiguous", "an image a chunk", "packed"],
)
def test_images_and_their_classes(tmp_path: Path, layout: dict, limit: int | None) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=PIXELS, **layout)
        file.create_dataset("labels", data=np.arange(COUNT) % 4)
    images = open_images(path, limit=limit)
    rows = rows_of(images)
    expected = PIXELS[rows].transpose(0, 3, 1, 2) / np.float32(255)
    np.testing.assert_allclose(images.read(slice(None)), expected, rtol=1e-6)
    # Any rows, in any order, also twice.
    np.testing.assert_array_equal(images.read([5, 2, 2]), images.read(slice(None))[[5, 2, 2]])
    assert images.labels == tuple(str(row % 4) for row in rows)


def test_the_only_array_of_the_shape_of_images_is_taken(tmp_path: Path) -> None:
    images = open_images(written(tmp_path, scans=PIXELS, age=np.arange(3), meta__x=np.eye(4)))
    assert images.shape == (3, 5, 6)


def test_a_group_or_an_array_may_be_named(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        train__images=PIXELS,
        test__images=PIXELS[:4],
        test__labels=[b"cat", b"dog", b"cat", b"owl"],
    )
    for part in ("test", "test/images", "/test/images"):
        images = open_images(f"{path}:{part}")
        assert len(images) == 4 and images.labels == ("cat", "dog", "cat", "owl")
    with pytest.raises(
        DataError, match=r"test/images \(4, 5, 6, 3\), train/images .* name the array"
    ):
        open_images(path)
    with pytest.raises(DataError, match="has no array other; it holds"):
        open_images(f"{path}:other")


def test_3d_shapes_has_its_factors_names(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    hues = rng.integers(0, 10, (COUNT, 3)) / 10
    scale = np.linspace(0.75, 1.25, 8)[rng.integers(0, 8, COUNT)]
    shape, angle = rng.integers(0, 4, COUNT), np.linspace(-30, 30, 15)[rng.integers(0, 15, COUNT)]
    labels = np.column_stack([hues, scale, shape, angle])
    images = open_images(written(tmp_path, images=noise(COUNT, 8, 8, 3), labels=labels))
    assert images.labels is None and images.factors is not None
    names = ["floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation"]
    assert list(images.factors) == names
    np.testing.assert_array_equal(images.factors["scale"], scale)
    # Six factors of another kind have no such names.
    images = open_images(written(tmp_path, images=noise(COUNT, 8, 8, 3), labels=labels * 7))
    assert images.factors is not None and next(iter(images.factors)) == "labels 1"


def refused(path: Path | str) -> str:
    with pytest.raises(DataError) as caught:
        open_images(path)
    assert "\n" not in str(caught.value) and "a.h5" in str(caught.value)
    return str(caught.value)


def test_what_holds_no_images_lists_what_there_is(tmp_path: Path) -> None:
    path = written(tmp_path, model_weights__dense=np.ones((3, 7)), note="words")
    assert "no array of the shape of images" in refused(path)
    assert "model_weights/dense (3, 7)" in refused(path)


def test_other_files_are_not_read_for_it(tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(PIXELS.tobytes())
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        external = [(str(secret), 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("images", PIXELS.shape, np.uint8, external=external)
    assert "keeps its numbers in other files" in refused(path)
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["images"] = PIXELS
    with h5py.File(path, "w") as file:
        layout = h5py.VirtualLayout(PIXELS.shape, np.uint8)
        layout[:] = h5py.VirtualSource(other, "images", PIXELS.shape)
        file.create_virtual_dataset("images", layout)
    assert "keeps its numbers in other files" in refused(path)
    with h5py.File(path, "w") as file:
        file["images"] = h5py.ExternalLink(str(other), "images")
        file["circle"] = h5py.SoftLink("/circle")
    assert "no array of the shape of images" in refused(path)


def test_it_is_read_in_the_process_that_is_held_to_its_inputs(tmp_path: Path) -> None:
    said = run_confined(
        """
        confine([sys.argv[2]])
        from reportgen.images import open_images
        said["count"] = len(open_images(sys.argv[2]).read(slice(None)))
        """,
        written(tmp_path, images=PIXELS),
    )
    assert json.loads(said.stdout)["count"] == COUNT, said.stderr


def test_claims_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("images", (2**40, 8, 8), np.uint8, chunks=(64, 8, 8))
    assert "claims to have 1099511627776 rows" in refused(path)
    with h5py.File(path, "w") as file:
        file.create_dataset("images", (5, 2**20, 2**12), np.uint8, chunks=(1, 2**18, 2**12))
    assert "images of 4294967296 bytes" in refused(path)
    with h5py.File(path, "w") as file:
        file.create_dataset("images", (2**26, 8, 8), np.uint8, chunks=(64, 8, 8))
    assert "use a --limit" in refused(path)
    # Of what was never written, a choice is read; all of it is 0.
    assert len(open_images(path, limit=20)) == 20


def test_groups_in_groups_without_end_are_one_sentence(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group: h5py.Group = file
        for _ in range(150):
            group = group.create_group("a")
        group["images"] = PIXELS
    assert "more than 100 deep" in refused(tmp_path / "a.h5")


def test_a_group_that_holds_itself_is_gone_through_once(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["inner/images"] = PIXELS
        file["inner/again"] = file["/"]
        file["again"] = file["inner"]
    assert len(open_images(tmp_path / "a.h5")) == COUNT


def test_labels_may_come_from_an_hdf5_file(tmp_path: Path) -> None:
    path = written(tmp_path, kinds=np.arange(COUNT) % 3, others=np.arange(COUNT) % 2)
    np.save(tmp_path / "x.npy", PIXELS)
    images = open_images(tmp_path / "x.npy", labels=f"{path}:kinds")
    assert images.labels == tuple(str(i % 3) for i in range(COUNT))


@pytest.mark.slow
@pytest.mark.parametrize("packed", [False, True])
def test_damaged_files_are_read_or_one_sentence(tmp_path: Path, packed: bool) -> None:
    layout = {"chunks": (5, 5, 6, 3), "compression": "gzip"} if packed else {}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("images", data=PIXELS, **layout)
        file["labels"] = [b"cat", b"dog"] * (COUNT // 2)
    reads_or_refuses(tmp_path / "a.h5", 80)
