"""`--labels FILE[:COLUMN]` for every kind of data: classes and factors, by row or by name."""

from __future__ import annotations

import gzip
import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import nn

from reportgen.command.cli import main
from reportgen.errors import DataError
from reportgen.images import open_images
from tests.images.hugging_face import data_set
from tests.images.pictures import folder_of, noise, save
from tests.images.test_tensors import idx

COUNT = 12
CLASSES = np.arange(COUNT) % 5
FACTORS = np.random.default_rng(0).normal(size=(COUNT, 2))


def array(folder: Path) -> Path:
    np.save(folder / "x.npy", noise(COUNT, 5, 5))
    return folder / "x.npy"


def pictures(folder: Path) -> Path:
    # In natural order; in the order of letters, 10.png comes before 2.png.
    folder_of(folder / "pictures", [f"{i}.png" for i in range(COUNT)])
    return folder / "pictures"


def zipped(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        for path in sorted(pictures(folder).iterdir()):
            archive.write(path, path.name)
    return folder / "x.zip"


def table(folder: Path) -> Path:
    # Image i stands in line i, whatever it is called.
    names = [f"pictures/{COUNT - 1 - i}.png" for i in range(COUNT)]
    pictures(folder)
    pd.DataFrame({"file": names, "place": range(COUNT)}).to_csv(folder / "x.csv", index=False)
    return folder / "x.csv"


def parquet(folder: Path) -> Path:
    data_set(COUNT)[0].to_parquet(folder / "x.parquet")
    return folder / "x.parquet"


def place_of(name: str, data: Path) -> int:
    """The number of an image among all, from its name."""
    if "[" in name:
        return int(name.rpartition("[")[2][:-1])
    number = int(Path(name).stem)
    return COUNT - 1 - number if data.suffix == ".csv" else number


KINDS = [array, pictures, zipped, table, parquet]


@pytest.mark.parametrize("limit", [None, 7])
@pytest.mark.parametrize("data", KINDS)
def test_row_i_is_image_i_of_every_kind_of_data(
    tmp_path: Path, data: Callable[[Path], Path], limit: int | None
) -> None:
    path = data(tmp_path)
    np.save(tmp_path / "y.npy", CLASSES)
    images = open_images(path, limit=limit, labels=tmp_path / "y.npy")
    places = [place_of(name, path) for name in images.names]
    assert len(places) == (limit or COUNT)
    assert images.labels == tuple(str(CLASSES[place]) for place in places)


def test_a_damaged_picture_keeps_its_row(tmp_path: Path) -> None:
    folder = pictures(tmp_path)
    (folder / "3.png").write_bytes(b"damaged")
    np.save(tmp_path / "y.npy", CLASSES)
    images = open_images(folder, labels=tmp_path / "y.npy")
    assert images.labels == tuple(str(CLASSES[i]) for i in range(COUNT) if i != 3)


def written(folder: Path, kind: str) -> Path:
    """A label file of every kind: the classes and two factors."""
    frame = pd.DataFrame({"kind": CLASSES, "size": FACTORS[:, 0], "hue": FACTORS[:, 1]})
    path = folder / f"y.{kind}"
    if kind == "csv":
        frame.to_csv(path)
    elif kind == "tsv":
        frame.to_csv(path, sep="\t", index=False)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    elif kind == "parquet":
        frame.to_parquet(path)
    else:
        np.savez(path, kind=CLASSES, both=FACTORS, other=np.zeros(3))
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_tables_give_their_columns_as_factors(tmp_path: Path, kind: str) -> None:
    images = open_images(array(tmp_path), labels=written(tmp_path, kind))
    assert images.factors is not None and list(images.factors) == ["kind", "size", "hue"]
    np.testing.assert_allclose(images.factors["hue"], FACTORS[:, 1], atol=1e-9)
    assert images.labels is None


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet", "npz"])
def test_one_named_column_of_whole_numbers_is_classes(tmp_path: Path, kind: str) -> None:
    images = open_images(array(tmp_path), limit=9, labels=f"{written(tmp_path, kind)}:kind")
    places = [place_of(name, tmp_path) for name in images.names]
    assert images.labels == tuple(str(CLASSES[place]) for place in places)
    assert images.factors is None


@pytest.mark.parametrize("column", ["size,hue", "Size, HUE"])
def test_several_named_columns_are_factors(tmp_path: Path, column: str) -> None:
    images = open_images(array(tmp_path), labels=f"{written(tmp_path, 'csv')}:{column}")
    assert images.factors is not None and list(images.factors) == ["size", "hue"]
    np.testing.assert_allclose(images.factors["size"], FACTORS[:, 0], atol=1e-9)


def test_a_named_array_of_fractions_or_of_several_columns_is_factors(tmp_path: Path) -> None:
    path = written(tmp_path, "npz")
    images = open_images(array(tmp_path), labels=f"{path}:both")
    assert images.factors is not None
    np.testing.assert_array_equal(images.factors["both 2"], FACTORS[:, 1])
    np.save(tmp_path / "angle.npy", FACTORS[:, 0])
    images = open_images(array(tmp_path), labels=tmp_path / "angle.npy")
    assert images.labels is None and images.factors is not None
    np.testing.assert_array_equal(images.factors["angle"], FACTORS[:, 0])


def test_the_array_with_a_row_an_image_is_found(tmp_path: Path) -> None:
    # As Keras' mnist.npz has them: y_test goes with as many images.
    np.savez(tmp_path / "y.npz", y_train=np.zeros(40), y_test=CLASSES, x_train=noise(40, 5, 5))
    images = open_images(array(tmp_path), labels=tmp_path / "y.npz")
    assert images.labels == tuple(map(str, CLASSES))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_labels(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / "labels-ubyte").write_bytes(pack(idx(CLASSES.astype(np.uint8), 0x08)))
    images = open_images(table(tmp_path), labels=tmp_path / "labels-ubyte")
    places = [place_of(name, tmp_path / "x.csv") for name in images.names]
    assert images.labels == tuple(str(CLASSES[place]) for place in places)


@pytest.mark.parametrize("first", ["", "label\n", "species\n"])
def test_one_word_a_line_with_or_without_a_heading(tmp_path: Path, first: str) -> None:
    words = [("cat", "dog")[i % 2] for i in range(COUNT)]
    (tmp_path / "y.txt").write_text(first + "\n".join(words))
    images = open_images(array(tmp_path), labels=tmp_path / "y.txt")
    assert images.labels == tuple(words)


def test_numbers_without_a_heading_are_all_rows(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "y.csv", FACTORS, delimiter=",")
    images = open_images(array(tmp_path), labels=tmp_path / "y.csv")
    assert images.factors is not None
    np.testing.assert_allclose(images.factors["column 2"], FACTORS[:, 1])


@pytest.mark.parametrize("heading", ["file", "image id"])
def test_tables_that_name_images_are_matched_by_name(tmp_path: Path, heading: str) -> None:
    names = [f"{i}.png" for i in reversed(range(COUNT - 2))]
    frame = pd.DataFrame({heading: names, "size": range(len(names))})
    frame.to_csv(tmp_path / "y.csv", index=False)
    images = open_images(pictures(tmp_path), limit=8, labels=tmp_path / "y.csv")
    assert images.factors is not None and list(images.factors) == ["size"]
    for name, size in zip(images.names, images.factors["size"], strict=True):
        place = place_of(name, tmp_path)
        assert math.isnan(float(size)) if place >= COUNT - 2 else size == COUNT - 3 - place


def test_repeated_numbers_in_front_are_no_names(tmp_path: Path) -> None:
    frame = pd.DataFrame({"digit": CLASSES, "size": FACTORS[:, 0]})
    frame.to_csv(tmp_path / "y.csv", index=False)
    images = open_images(pictures(tmp_path), labels=tmp_path / "y.csv")
    assert images.factors is not None and images.factors["digit"] == tuple(map(float, CLASSES))


def test_given_labels_come_before_those_that_the_data_has(tmp_path: Path) -> None:
    folder_of(tmp_path / "data", ["cat/0.png", "cat/1.png", "dog/2.png"])
    (tmp_path / "data" / "labels.csv").write_text("file,size\n0.png,1\n1.png,2\n2.png,3\n")
    (tmp_path / "y.csv").write_text("label,size\na,7\nb,8\nb,9\n")
    images = open_images(tmp_path / "data", labels=tmp_path / "y.csv")
    assert images.labels == ("a", "b", "b") and images.factors == {"size": (7.0, 8.0, 9.0)}
    said = " ".join(note.text for note in images.notes)
    assert "take the place of the classes that the data has" in said and "SHA-256" in said


def test_pictures_with_transparency_have_them_too(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / "data" / f"{i}.png", noise(5, 5, 4, seed=i))
    np.save(tmp_path / "y.npy", np.arange(3))
    images = open_images(tmp_path / "data", labels=tmp_path / "y.npy")
    assert images.with_alpha is not None
    assert images.with_alpha().labels == images.labels == ("0", "1", "2")


def refused(data: Path, labels: Path | str) -> str:
    with pytest.raises(DataError) as caught:
        open_images(data, labels=labels)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_another_number_of_rows_is_one_sentence(tmp_path: Path) -> None:
    data = array(tmp_path)
    np.save(tmp_path / "y.npy", CLASSES[:-1])
    assert "y.npy has 11 rows and x.npy has 12 images" in refused(data, tmp_path / "y.npy")
    (tmp_path / "y.csv").write_text("size\n" + "1\n" * 9)
    assert "y.csv has 9 rows and x.npy has 12 images" in refused(data, tmp_path / "y.csv")
    np.savez(tmp_path / "y.npz", a=CLASSES[:3], b=CLASSES[:4])
    said = refused(data, tmp_path / "y.npz")
    assert "no array of one row for each of the 12 images in x.npy; it holds a (3,), b (4,)" in said


def test_columns_that_are_missing_or_ambiguous_are_listed(tmp_path: Path) -> None:
    data = array(tmp_path)
    path = written(tmp_path, "csv")
    assert "has no column shape; name one of column 1, kind, size, hue" in refused(
        data, f"{path}:shape"
    )
    (tmp_path / "y2.csv").write_text("Size,SIZE\n" + "1,2\n" * COUNT)
    said = refused(data, f"{tmp_path / 'y2.csv'}:size")
    assert "has several columns called size; name one of Size, SIZE" in said
    assert "has no array shape; it holds both (12, 2), kind (12,)" in refused(
        data, f"{written(tmp_path, 'npz')}:shape"
    )
    np.savez(tmp_path / "two.npz", a=CLASSES, b=CLASSES)
    assert "several arrays of 12 rows: a, b; name one" in refused(data, tmp_path / "two.npz")


def test_what_holds_no_labels_is_one_sentence(tmp_path: Path) -> None:
    data = array(tmp_path)
    assert "does not exist" in refused(data, tmp_path / "missing.csv")
    Image.new("L", (4, 4)).save(tmp_path / "y.png")
    assert "no known format of labels" in refused(data, tmp_path / "y.png")
    np.save(tmp_path / "y.npy", np.array([None] * COUNT))
    assert "never unpickled" in refused(data, tmp_path / "y.npy")
    np.save(tmp_path / "y.npy", noise(COUNT, 3, 3))
    assert "12 images need one label each" in refused(data, tmp_path / "y.npy")
    (tmp_path / "y.csv").write_text("")
    assert "is empty" in refused(data, tmp_path / "y.csv")


@pytest.mark.slow
def test_factors_of_an_array_reach_the_label_metrics_of_a_confined_build(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential()
    model.add_module("encoder", nn.Sequential(nn.Flatten(), nn.Linear(16, 2)))
    model.add_module("decoder", nn.Sequential(nn.Linear(2, 16), nn.Unflatten(1, (1, 4, 4))))
    torch.save(model, tmp_path / "model.pt")
    generator = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", generator.random((240, 4, 4), np.float32))
    frame = pd.DataFrame(generator.normal(size=(240, 2)), columns=["size", "hue"])
    frame.assign(kind=np.arange(240) % 3).to_csv(tmp_path / "y.csv", index=False)
    words = ["build", tmp_path / "model.pt", tmp_path / "x.npy", "--labels", tmp_path / "y.csv"]
    words += ["-o", tmp_path / "r.html", "--results", tmp_path / "results", "--effort", "quick"]
    done = CliRunner().invoke(main, [str(word) for word in (*words, "--rows", "8", "--no-live")])
    assert done.exit_code == 0, done.output
    results = json.loads((tmp_path / "results" / "results.json").read_text())
    metrics = results["label_metrics"]
    assert metrics["factors"] == ["size", "hue", "kind"]
    assert metrics["information_gap"] is not None and metrics["disentanglement"] is not None
    assert f"--labels {tmp_path / 'y.csv'}" in results["provenance"]["command"]
