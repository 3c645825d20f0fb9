"""Zarr stores of versions 2 and 3, as zarr's own library writes them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import zarr

from reportgen.errors import DataError
from reportgen.images import ImageSet, open_images
from tests.deep_folders import deep_folders
from tests.images.damage import reads_or_refuses
from tests.images.pictures import noise
from tests.process.confined import run_confined

COUNT = 12
PIXELS = noise(COUNT, 5, 6, 3)
LABELS = np.arange(COUNT) % 4


def written(folder: Path, kind: str, version: int, **options: object) -> Path:
    path = folder / ("a.zip" if kind == "zip" else "a.zarr")
    store = zarr.storage.ZipStore(path, mode="w") if kind == "zip" else str(path)
    group = zarr.open_group(store, mode="w", zarr_format=version)  # type: ignore[arg-type]
    group.create_array("images", data=PIXELS, chunks=(5, 5, 6, 3), **options)
    group.create_array("labels", data=LABELS)
    if kind == "zip":
        store.close()
    return path


def rows_of(images: ImageSet) -> list[int]:
    return [int(name.rpartition("[")[2][:-1]) for name in images.names]


@pytest.mark.parametrize("limit", [None, 7])
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_images_and_their_classes(
    tmp_path: Path, kind: str, version: int, limit: int | None
) -> None:
    images = open_images(written(tmp_path, kind, version), limit=limit)
    rows = rows_of(images)
    expected = PIXELS[rows].transpose(0, 3, 1, 2) / np.float32(255)
    np.testing.assert_allclose(images.read(slice(None)), expected, rtol=1e-6)
    assert images.labels == tuple(str(row % 4) for row in rows)
    assert len(images.source.sha256) == 64 and images.source.size > 0


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("compressor", ["blosc", "gzip", "zstd", None])
def test_usual_compressors(tmp_path: Path, version: int, compressor: str | None) -> None:
    codecs = zarr.codecs
    if version == 3:
        made = {
            "blosc": codecs.BloscCodec,
            "gzip": codecs.GzipCodec,
            "zstd": codecs.ZstdCodec,
        }
        options = {"compressors": made[compressor]() if compressor else None}
    else:
        import numcodecs

        of_two = {"blosc": numcodecs.Blosc, "gzip": numcodecs.Zlib, "zstd": numcodecs.Zstd}
        options = {"compressors": of_two[compressor]() if compressor else None}
    images = open_images(written(tmp_path, "folder", version, **options))
    np.testing.assert_allclose(images.read([3])[0], PIXELS[3].transpose(2, 0, 1) / 255, rtol=1e-6)


def test_an_array_alone_and_one_in_shards(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "a"), data=PIXELS, chunks=(2, 5, 6, 3), shards=(6, 5, 6, 3))
    images = open_images(tmp_path / "a")
    assert images.names[3] == "a[3]"
    np.testing.assert_allclose(images.read([7])[0], PIXELS[7].transpose(2, 0, 1) / 255, rtol=1e-6)


def test_groups_are_named_behind_a_colon(tmp_path: Path) -> None:
    root = zarr.open_group(str(tmp_path / "a"), mode="w")
    for name in ("train", "test"):
        group = root.create_group(name)
        group.create_array("images", data=PIXELS)
    with pytest.raises(DataError, match="name the array of images after a colon"):
        open_images(tmp_path / "a")
    assert len(open_images(f"{tmp_path / 'a'}:test")) == COUNT


def test_it_is_read_in_the_process_that_is_held_to_its_inputs(tmp_path: Path) -> None:
    said = run_confined(
        """
        confine([sys.argv[2]])
        from reportgen.images import open_images
        said["count"] = len(open_images(sys.argv[2]).read(slice(None)))
        """,
        written(tmp_path, "folder", 3),
    )
    assert json.loads(said.stdout)["count"] == COUNT, said.stderr


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        for _ in open_images(path).batches(4):
            pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_codecs_that_could_run_code_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "folder", 2)
    described = path / "images" / ".zarray"
    said = json.loads(described.read_text())
    described.write_text(json.dumps({**said, "compressor": {"id": "pickle"}}))
    assert "pickle" in refused(path)
    described.write_text(json.dumps({**said, "dtype": "|O", "filters": [{"id": "pickle"}]}))
    assert "holds no array of the shape of images" in refused(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"shape": -1}', b"[" * 10**5])
def test_damaged_descriptions_are_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path, "folder", 2)
    (path / "images" / ".zarray").write_bytes(content)
    assert "a.zarr" in refused(path)


def test_damaged_chunks_are_one_sentence(tmp_path: Path) -> None:
    path = written(tmp_path, "folder", 3)
    chunk = next(each for each in (path / "images" / "c").rglob("*") if each.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-9])
    assert "is damaged or of an unsupported kind" in refused(path)


def test_chunks_larger_than_memory_are_refused(tmp_path: Path) -> None:
    zarr.create_array(
        str(tmp_path / "a"), shape=(2**12, 2**10, 2**10), chunks=(2**12, 2**10, 2**10), dtype="u1"
    )
    assert "blocks of more than 1 GiB" in refused(tmp_path / "a")


@pytest.mark.parametrize("version", [2, 3])
def test_damaged_archives_are_read_or_one_sentence(tmp_path: Path, version: int) -> None:
    reads_or_refuses(written(tmp_path, "zip", version), 60)


@pytest.mark.slow
def test_folders_in_folders_without_end_are_one_sentence(tmp_path: Path) -> None:
    store = written(tmp_path, "folder", 3)
    with deep_folders(store, 1200):
        assert "more than 100 deep" in refused(store)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX's")
def test_a_named_pipe_in_the_place_of_a_block_is_not_waited_for(tmp_path: Path) -> None:
    store = written(tmp_path, "folder", 3)
    block = next(path for path in (store / "images" / "c").rglob("*") if path.is_file())
    block.unlink()
    os.mkfifo(block)
    with pytest.raises(DataError, match="is no regular file"):
        open_images(store)
