"""Parquet: pictures as Hugging Face's `datasets` writes them, other pictures, and paths."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
from pathlib import Path

import datasets
import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

from reportgen.errors import DataError
from reportgen.images import open_images
from reportgen.images.arrow_shards import ParquetShard
from tests.images.hugging_face import CLASSES, data_set
from tests.images.pictures import folder_of, noise


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(noise(6, 8, seed=seed)).save(buffer, "PNG")
    return buffer.getvalue()


def greyscale(*seeds: int) -> np.ndarray:
    return np.stack([noise(6, 8, seed=seed) for seed in seeds])[:, None] / 255


@pytest.mark.parametrize("rows_in_a_group", [100, 2])
def test_pictures_classes_and_factors_are_those_of_the_data_set(
    tmp_path: Path, rows_in_a_group: int
) -> None:
    rows, expected = data_set()
    path = tmp_path / "train.parquet"
    rows.to_parquet(path, batch_size=rows_in_a_group)
    images = open_images(path)
    np.testing.assert_allclose(images.read(slice(None)), expected, atol=1e-7)
    assert images.names == tuple(f"train.parquet[{i}]" for i in range(9))
    assert images.labels == tuple(CLASSES[i % 3] for i in range(9))
    assert images.factors == {
        "size": tuple(i / 2 for i in range(9)),
        "caption": tuple(f"number {i}" for i in range(9)),
    }
    assert images.source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("rows_in_a_group", [100, 2])
def test_rows_are_read_again_in_any_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_in_a_group: int
) -> None:
    rows, expected = data_set()
    rows.to_parquet(tmp_path / "a.parquet", batch_size=rows_in_a_group)
    monkeypatch.setattr("reportgen.images.arrow_shards.BATCH_BYTES", 1)
    images = open_images(tmp_path / "a.parquet")
    images.pixels._kept = images.pixels._kept[:1]  # type: ignore[attr-defined]
    order = [8, 0, 3, 3, 1, 7]
    np.testing.assert_allclose(images.read(order), expected[order], atol=1e-7)


def test_a_limit_keeps_rows_and_labels_together(tmp_path: Path) -> None:
    rows, expected = data_set(30)
    rows.to_parquet(tmp_path / "a.parquet")
    images = open_images(tmp_path / "a.parquet", limit=7, seed=3)
    chosen = [int(name.split("[")[1].rstrip("]")) for name in images.names]
    assert len(chosen) == 7 and chosen == sorted(chosen)
    np.testing.assert_allclose(images.read(slice(None)), expected[chosen], atol=1e-7)
    assert images.labels == tuple(CLASSES[i % 3] for i in chosen)
    assert images.names == open_images(tmp_path / "a.parquet", limit=7, seed=3).names


def hub_folder(root: Path) -> dict[str, np.ndarray]:
    """The layout of the Hugging Face hub: two shards of train, one of test."""
    train, train_pixels = data_set(8)
    test, test_pixels = data_set(3, start=50)
    (root / "data").mkdir(parents=True)
    (root / "README.md").write_text("A data set.")
    for shard in range(2):
        part = train.shard(2, shard, contiguous=True)
        part.to_parquet(root / "data" / f"train-{shard:05}-of-00002.parquet")
    test.to_parquet(root / "data" / "test-00000-of-00001.parquet")
    return {"train": train_pixels, "test": test_pixels}


def test_the_shards_of_one_split_of_a_hub_folder_are_read_in_order(tmp_path: Path) -> None:
    splits = hub_folder(tmp_path / "cats")
    with pytest.raises(DataError, match=r"holds the splits test, train; .* as .*cats:test"):
        open_images(tmp_path / "cats")
    for split, expected in splits.items():
        images = open_images(f"{tmp_path / 'cats'}:{split}")
        np.testing.assert_allclose(images.read(slice(None)), expected, atol=1e-7)
    assert open_images(f"{tmp_path / 'cats'}:train").names[4] == "train-00001-of-00002.parquet[0]"
    with pytest.raises(DataError, match="holds the splits test, train"):
        open_images(f"{tmp_path / 'cats'}:validation")


def test_a_folder_of_one_split_needs_no_name(tmp_path: Path) -> None:
    rows, expected = data_set(4)
    for name in ("0000.parquet", "0001.parquet"):
        rows.to_parquet(tmp_path / name)
    images = open_images(tmp_path)
    np.testing.assert_allclose(images.read(slice(None)), np.tile(expected, (2, 1, 1, 1)), atol=1e-7)


def test_shards_with_other_columns_are_refused(tmp_path: Path) -> None:
    rows, _ = data_set(3)
    rows.to_parquet(tmp_path / "0.parquet")
    rows.remove_columns("size").to_parquet(tmp_path / "1.parquet")
    with pytest.raises(DataError, match=r"1\.parquet has other columns than 0\.parquet"):
        open_images(tmp_path)


def test_plain_columns_of_bytes_are_pictures(tmp_path: Path) -> None:
    table = pandas.DataFrame({"content": [png(i) for i in range(4)], "class": list("abab")})
    table.to_parquet(tmp_path / "a.parquet")
    images = open_images(tmp_path / "a.parquet")
    np.testing.assert_allclose(images.read(slice(None)), greyscale(0, 1, 2, 3), atol=1e-7)
    assert images.labels == ("a", "b", "a", "b")


def test_of_several_columns_of_pictures_the_one_named_is_read(tmp_path: Path) -> None:
    table = {"mask": [png(0), png(1)], "scan": [png(2), png(3)]}
    pandas.DataFrame(table).to_parquet(tmp_path / "a.parquet")
    pandas.DataFrame(table | {"image": [png(4), png(5)]}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match="has images in mask, scan; name the column after a colon"):
        open_images(tmp_path / "a.parquet")
    for name, seeds in (
        ("a.parquet:mask", (0, 1)),
        ("b.parquet:scan", (2, 3)),
        ("b.parquet", (4, 5)),
    ):
        read = open_images(f"{tmp_path / name}").read(slice(None))
        np.testing.assert_allclose(read, greyscale(*seeds), atol=1e-7)
    with pytest.raises(DataError, match="has no column z of images; it has mask, scan"):
        open_images(f"{tmp_path / 'a.parquet'}:z")


def test_cells_without_a_picture_are_left_out_with_a_reason(tmp_path: Path) -> None:
    cells = [png(0), None, b"text", png(3)]
    rows = [{"bytes": cell, "path": None} for cell in cells] + [None]
    rows.append({"bytes": None, "path": "/etc/passwd"})
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array(rows, kind), "label": [0, 1, 2, 3, 4, 5]})
    pa.parquet.write_table(table, tmp_path / "a.parquet")
    images = open_images(tmp_path / "a.parquet")
    assert images.labels == ("0", "3")
    assert [skipped.reason for skipped in images.skipped] == [
        "the row holds no image",
        "not an image in one of the formats PNG, JPEG, WEBP, BMP, DIB, TIFF, GIF, PPM",
        "the row holds no image",
        "the row holds only a path, /etc/passwd; save the data set with its images",
    ]


def test_numbers_without_a_class_name_stay_and_minus_one_is_no_label(tmp_path: Path) -> None:
    rows, _ = data_set(4)
    table = rows.data.table.set_column(1, "label", pa.array([-1, 2, 7, 0]))
    table = table.replace_schema_metadata(rows.features.arrow_schema.metadata)
    pa.parquet.write_table(table, tmp_path / "a.parquet")
    assert open_images(tmp_path / "a.parquet").labels == ("(no label)", "owl", "7", "cat")


def test_a_column_declared_as_classes_is_the_class_whatever_its_name(tmp_path: Path) -> None:
    rows, _ = data_set(3)
    rows.rename_column("label", "species").to_parquet(tmp_path / "a.parquet")
    assert open_images(tmp_path / "a.parquet").labels == ("cat", "dog", "owl")


@pytest.mark.parametrize("metadata", [b"{", b"[]", b'{"info": {"features": [1]}}', b"[" * 10**5])
def test_features_that_make_no_sense_are_ignored(tmp_path: Path, metadata: bytes) -> None:
    table = pa.table({"image": [png(0), png(1)], "label": [0, 1]})
    table = table.replace_schema_metadata({"huggingface": metadata})
    pa.parquet.write_table(table, tmp_path / "a.parquet")
    assert open_images(tmp_path / "a.parquet").labels == ("0", "1")


@pytest.mark.parametrize("limit", [None, 2])
def test_a_table_of_paths_is_read_as_a_csv_table_is(tmp_path: Path, limit: int | None) -> None:
    folder_of(tmp_path, ["x/1.png", "x/2.png", "y/3.png"])
    table = pandas.DataFrame(
        {
            "id": [7, 8, 9],
            "path": ["x/1.png", "./x/2.png", "y/3.png"],
            "label": ["cat", "dog", None],
            "size": [0.5, np.nan, 2],
            "round": [True, False, True],
        }
    )
    table["label"] = table["label"].astype("category")
    table.to_csv(tmp_path / "a.csv", index=False)
    table.assign(round=table["round"].astype(int)).to_csv(tmp_path / "a.csv", index=False)
    table.to_parquet(tmp_path / "a.parquet")
    images = open_images(tmp_path / "a.parquet", limit=limit)
    expected = open_images(tmp_path / "a.csv", limit=limit)
    assert images.names == expected.names and images.labels == expected.labels
    assert str(images.factors) == str(expected.factors)
    np.testing.assert_array_equal(images.read(slice(None)), expected.read(slice(None)))


def test_a_table_without_pictures_or_paths_lists_its_columns(tmp_path: Path) -> None:
    shape = datasets.Features({"pixels": datasets.Array3D((1, 4, 4), "float32")})
    rows = datasets.Dataset.from_dict({"pixels": np.zeros((3, 1, 4, 4))}, features=shape)
    rows.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="no column of images or of their paths; it has pixels"):
        open_images(tmp_path / "a.parquet")


def test_a_table_without_rows_says_so(tmp_path: Path) -> None:
    pa.parquet.write_table(pa.table({"image": pa.array([], pa.binary())}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="it has no rows"):
        open_images(tmp_path / "a.parquet")


def test_without_pyarrow_one_sentence_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, _ = data_set(3)
    rows.to_parquet(tmp_path / "a.parquet")
    rows.save_to_disk(tmp_path / "saved")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for name in ("a.parquet", "saved"):
        with pytest.raises(DataError, match=r"pip install 'reportgen\[datasets\]'"):
            open_images(tmp_path / name)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("archive", [False, True])
def test_metadata_of_an_image_folder_is_read_like_labels(
    tmp_path: Path, suffix: str, archive: bool
) -> None:
    folder = tmp_path / "folder"
    folder_of(folder / "train", ["1.png", "2.png", "3.png"])
    table = pandas.DataFrame(
        {"file_name": ["2.png", "1.png", "3.png"], "label": ["b", "a", "c"], "size": [2, 1, 3]}
    )
    path = folder / "train" / f"metadata{suffix}"
    if suffix == ".csv":
        table.to_csv(path, index=False)
    elif suffix == ".jsonl":
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_parquet(path)
    expected = datasets.load_dataset(
        "imagefolder", data_dir=str(folder / "train"), cache_dir=str(tmp_path / "cache")
    )["train"]
    sizes = {Path(row["image"].filename).name: row["size"] for row in expected}
    given: Path = folder
    if archive:
        from tests.images.test_archives import zipped

        given = zipped(folder, tmp_path / "folder.zip")
    images = open_images(given)
    assert images.labels == ("a", "b", "c")
    assert images.factors == {"size": tuple(float(sizes[Path(n).name]) for n in images.names)}


def _repeated(value: bytes | str, rows: int) -> pa.Table:
    """One value that stands in the file once, and in every row.

    Written without Arrow's own schema, pyarrow reads it as plain values where it is not told.
    """
    places = pa.array([0] * rows, pa.int32())
    return pa.DictionaryArray.from_arrays(places, pa.array([value]))


def test_a_file_that_unpacks_to_far_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    table = pa.table({"image": _repeated(bytes(40_000_000), 10)})
    path = tmp_path / "a.parquet"
    pa.parquet.write_table(
        table, path, compression="zstd", dictionary_pagesize_limit=2**30, store_schema=False
    )
    assert path.stat().st_size < 10_000
    with pytest.raises(DataError, match=r"to 4\d+; refused as unsafe"):
        open_images(path)


def test_a_large_value_for_many_rows_is_held_once(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.fromarray(noise(1000, 1000, 3)).save(picture, "PNG")
    pa.parquet.write_table(
        pa.table({"image": _repeated(picture.getvalue(), 500)}),
        tmp_path / "a.parquet",
        dictionary_pagesize_limit=2**30,
        store_schema=False,
    )
    code = (
        "from reportgen.images import open_images\n"
        f"assert open_images({str(tmp_path / 'a.parquet')!r}, limit=2).shape == (3, 1000, 1000)\n"
        "print(*(line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    # In kibibytes; 500 copies would be 1.5 GB.
    assert int(done.stdout) < 500_000


def test_a_text_too_long_for_a_label_is_refused_before_it_is_copied(tmp_path: Path) -> None:
    columns = {"image": [png(0), png(1)] * 500, "caption": _repeated("x" * 10**6, 1000)}
    pa.parquet.write_table(
        pa.table(columns),
        tmp_path / "a.parquet",
        dictionary_pagesize_limit=2**30,
        store_schema=False,
    )
    with pytest.raises(DataError, match="a text of 1000000 bytes in column caption"):
        open_images(tmp_path / "a.parquet")


@pytest.mark.parametrize("rows", [-1, -(2**62), 2**31 + 1, 2**62])
def test_a_number_of_rows_that_cannot_be_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    data_set(3)[0].to_parquet(tmp_path / "a.parquet")
    monkeypatch.setattr(
        ParquetShard, "piece_rows", property(lambda shard: [rows], lambda *_: None), raising=False
    )
    with pytest.raises(DataError, match=f"claims to have {rows} rows"):
        open_images(tmp_path / "a.parquet")
