"""`labels.csv` beside the images."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from reportgen.errors import DataError
from reportgen.images import ImageSet, open_images
from tests.images.pictures import folder_of


def opened(folder: Path, table: str | bytes, names: list[str]) -> ImageSet:
    folder_of(folder, names)
    content = table if isinstance(table, bytes) else table.encode()
    (folder / "labels.csv").write_bytes(content)
    return open_images(folder)


def test_columns_of_numbers_are_floats_and_others_words(tmp_path: Path) -> None:
    table = "file,size,shape,angle\nb.png,2,square,1e-3\na.png,1.5,circle,-90\n"
    images = opened(tmp_path, table, ["a.png", "b.png"])
    assert images.factors == {
        "size": (1.5, 2.0),
        "shape": ("circle", "square"),
        "angle": (-90.0, 0.001),
    }
    assert images.labels is None


def test_missing_lines_and_cells_are_nan_or_empty_and_said(tmp_path: Path) -> None:
    table = "file,size,shape\na.png,,circle\nc.png,3,\n"
    images = opened(tmp_path, table, ["a.png", "b.png", "c.png"])
    assert images.factors is not None
    size, shape = images.factors["size"], images.factors["shape"]
    assert math.isnan(size[0]) and math.isnan(size[1]) and size[2] == 3.0
    assert shape == ("circle", "", "")
    assert "1 of 3 images have no line in it" in " ".join(note.text for note in images.notes)


def test_a_column_called_label_gives_classes_where_no_folders_do(tmp_path: Path) -> None:
    table = "file,Label,size\na.png,3,1\nb.png,7,2\n"
    images = opened(tmp_path, table, ["a.png", "b.png"])
    assert images.labels == ("3", "7")
    assert images.factors == {"size": (1.0, 2.0)}
    images = opened(tmp_path / "in_folders", table, ["cat/a.png", "dog/b.png"])
    assert images.labels == ("cat", "dog")
    assert "classes is not used: folders come first" in " ".join(n.text for n in images.notes)


def test_images_are_named_by_path_or_by_unique_file_name(tmp_path: Path) -> None:
    table = "file,size\nx/a.png,1\n./y/a.png,2\nb.png,3\nx\\c.png,4\n"
    images = opened(tmp_path, table, ["x/a.png", "x/c.png", "y/a.png", "y/b.png"])
    assert images.factors == {"size": (1.0, 4.0, 2.0, 3.0)}


def test_the_table_may_lie_in_the_folder_that_holds_all_images(tmp_path: Path) -> None:
    folder_of(tmp_path, ["images/a.png", "images/b.png"])
    (tmp_path / "images" / "labels.csv").write_text("file,size\na.png,1\nb.png,2\n")
    assert open_images(tmp_path).factors == {"size": (1.0, 2.0)}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_spreadsheets_own_dialects_are_read(
    tmp_path: Path, delimiter: str, start: bytes, end: str
) -> None:
    lines = [f"file{delimiter}größe", f'"a.png"{delimiter}1', f"b.png{delimiter}2", ""]
    images = opened(tmp_path, start + end.join(lines).encode(), ["a.png", "b.png"])
    assert images.factors == {"größe": (1.0, 2.0)}


def test_lines_for_images_that_are_not_there_are_ignored(tmp_path: Path) -> None:
    table = "file,size\na.png,1\nb.png,2\nz.png,many\n"
    assert opened(tmp_path, table, ["a.png", "b.png"]).factors == {"size": (1.0, 2.0)}


def test_a_limit_keeps_labels_with_their_images(tmp_path: Path) -> None:
    names = [f"{i}.png" for i in range(20)]
    table = "file,number\n" + "".join(f"{i}.png,{i}\n" for i in range(20))
    opened(tmp_path, table, names)
    images = open_images(tmp_path, limit=7)
    assert images.factors == {"number": tuple(float(n.removesuffix(".png")) for n in images.names)}


def test_a_skipped_image_takes_its_label_along(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(b"damaged")
    table = "file,number\na.png,1\nb.png,2\nc.png,3\n"
    images = opened(tmp_path, table, ["a.png", "c.png"])
    assert images.factors == {"number": (1.0, 3.0)}


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("", "needs a line of column names"),
        ("file\na.png\n", "needs a line of column names"),
        ("file,size\na.png,1,2\n", r"labels\.csv, line 2: 3 cells, but the first line has 2"),
        ("file,size\na.png\n", r"labels\.csv, line 2: 1 cells, but the first line has 2"),
        ("file,size\na.png,1\na.png,2\n", r"line 3: a second line for a\.png"),
        ("file,size\nother.png,1\n", "names none of the images"),
        ("file,size,size\na.png,1,2\n", "two columns called 'size'"),
        (b"file,size\na.png,\xff\n", "is not UTF-8 text"),
        ('file,size\na.png,"1\n', r"labels\.csv, line 2: unexpected end of data"),
    ],
)
def test_a_table_that_cannot_be_meant_is_one_sentence(
    tmp_path: Path, table: str | bytes, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        opened(tmp_path, table, ["a.png", "b.png"])


def test_a_file_name_that_two_images_have_must_be_a_path(tmp_path: Path) -> None:
    table = "file,size\na.png,1\n"
    with pytest.raises(DataError, match=r"2 images are called a\.png; write the path"):
        opened(tmp_path, table, ["x/a.png", "y/a.png"])


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("u\u0308ber.png", "\u00fcber.png"),
        ("\u00fcber.png", "u\u0308ber.png"),
        ("A.PNG", "a.png"),
        ("STRASSE.png", "straße.png"),
        ("C:\\data\\x\\a.png", "x/a.png"),
        ("/home/me/data/x/a.png", "x/a.png"),
        ("X\\A.png", "x/a.png"),
        ("0001", "0001.png"),
        ("x/0001", "x/0001.png"),
        ("0001", "x/0001.png"),
        ("v1.0", "v1.0.png"),
        ("images/a.png", "a.png"),
    ],
)
def test_names_that_are_written_otherwise_are_matched(
    tmp_path: Path, written: str, name: str
) -> None:
    images = opened(tmp_path, f"file,size\n{written},3\nother.png,5\n", [name, "z.png"])
    assert images.factors is not None
    found = dict(zip(images.names, images.factors["size"], strict=True))
    assert found[name] == 3 and math.isnan(found["z.png"])
    assert "1 of them are written otherwise" in " ".join(note.text for note in images.notes)


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        (["a,1"], ["a.png", "a.bmp"]),
        (["A.png,1", "A.PNG,2"], ["a.png", "b.png"]),
        (["train/a.png,1", "test/a.png,2"], ["a.png", "b.png"]),
        (["y/a.png,1"], ["x/a.png", "x/b.png"]),
        (["a.jpg,1"], ["a.png", "b.png"]),
    ],
)
def test_what_may_mean_another_image_is_not_matched(
    tmp_path: Path, lines: list[str], names: list[str]
) -> None:
    table = "file,size\n" + "\n".join([*lines, "sure.png,9"])
    images = opened(tmp_path, table, [*names, "sure.png"])
    assert images.factors is not None
    found = dict(zip(images.names, images.factors["size"], strict=True))
    assert found.pop("sure.png") == 9
    assert all(math.isnan(size) for size in found.values())


@pytest.mark.parametrize(
    "table",
    [
        ",file,size\n0,a.png,0.5\n1,b.png,2\n",
        ",picture,size\n0,a.png,0.5\n1,b.png,2\n",
        "file,Unnamed: 0,size\na.png,7,0.5\nb.png,8,2\n",
        "index,file,size\n1,a.png,0.5\n2,b.png,2\n",
    ],
)
def test_a_column_that_numbers_the_lines_is_no_factor(tmp_path: Path, table: str) -> None:
    images = opened(tmp_path, table, ["a.png", "b.png"])
    assert images.factors == {"size": (0.5, 2.0)}
    assert "numbers its lines and was left out" in " ".join(note.text for note in images.notes)


def test_an_index_that_does_not_number_the_lines_is_a_factor(tmp_path: Path) -> None:
    table = "file,index\na.png,5\nb.png,3\n"
    assert opened(tmp_path, table, ["a.png", "b.png"]).factors == {"index": (5.0, 3.0)}
    table = ",size\na.png,5\nb.png,3\n"
    assert opened(tmp_path, table, ["a.png", "b.png"]).factors == {"size": (5.0, 3.0)}


def test_decimal_commas_are_numbers_where_they_cannot_be_thousands(tmp_path: Path) -> None:
    lines = ["file;size;angle;count;mixed", "a.png;0,5;-1,25e1;1,500;1.5", "b.png;2;;2,000;1,5"]
    found = opened(tmp_path, "\n".join(lines), ["a.png", "b.png"]).factors
    assert found is not None
    assert found["size"] == (0.5, 2.0)
    assert found["angle"][0] == -12.5 and math.isnan(found["angle"][1])
    assert found["count"] == ("1,500", "2,000") and found["mixed"] == ("1.5", "1,5")
