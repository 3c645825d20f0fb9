"""CSV tables of paths and labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reportgen.errors import DataError
from reportgen.images import open_images
from tests.images.pictures import folder_of
from tests.images.test_archives import tarred, zipped
from tests.images.test_tensors import idx


def test_a_table_lists_the_images_with_class_and_factors(tmp_path: Path) -> None:
    expected = folder_of(tmp_path, ["images/1.png", "images/2.png", "images/3.png"])
    (tmp_path / "test.csv").write_text(
        "id,path,label,size\n7,images/3.png,cat,1.5\n8,./images/1.png,dog,2\n"
    )
    images = open_images(tmp_path / "test.csv")
    assert images.names == ("images/1.png", "images/3.png")
    assert images.labels == ("dog", "cat")
    assert images.factors == {"id": (8.0, 7.0), "size": (2.0, 1.5)}
    np.testing.assert_allclose(images.read([0, 1]), expected[[0, 2]], atol=1e-7)
    assert images.source.name == "test.csv"


def test_folders_are_classes_where_the_table_names_none(tmp_path: Path) -> None:
    folder_of(tmp_path, ["cat/1.png", "dog/2.png"])
    (tmp_path / "a.tsv").write_text("file\tsize\ncat/1.png\t1\ndog/2.png\t2\n")
    assert open_images(tmp_path / "a.tsv").labels == ("cat", "dog")


def test_a_missing_file_is_named_and_left_out(tmp_path: Path) -> None:
    folder_of(tmp_path, ["1.png", "2.png"])
    (tmp_path / "a.csv").write_text("file,size\n1.png,1\n2.png,2\n3.png,3\n")
    images = open_images(tmp_path / "a.csv")
    assert images.factors == {"size": (1.0, 2.0)}
    assert [(s.name, s.reason) for s in images.skipped] == [("3.png", "No such file or directory")]


def test_a_cell_that_can_be_no_name_of_a_file_is_left_out(tmp_path: Path) -> None:
    folder_of(tmp_path, ["1.png", "2.png"])
    for name, reason in (("3\0", "embedded null byte"), ("3" * 300, "File name too long")):
        (tmp_path / "a.csv").write_text(f"file,size\n1.png,1\n2.png,2\n{name}.png,3\n")
        assert [s.reason for s in open_images(tmp_path / "a.csv").skipped] == [reason]


def test_paths_out_of_the_folder_are_read_and_counted(tmp_path: Path) -> None:
    folder_of(tmp_path, ["elsewhere/1.png", "elsewhere/2.png"])
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "a.csv").write_text(
        f"file,size\n../elsewhere/1.png,1\n{tmp_path}/elsewhere/2.png,2\n"
    )
    images = open_images(tmp_path / "lists" / "a.csv")
    assert len(images) == 2
    assert "2 of the paths in" in " ".join(note.text for note in images.notes)


def test_a_limit_keeps_lines_and_images_together(tmp_path: Path) -> None:
    folder_of(tmp_path, [f"{i}.png" for i in range(20)])
    (tmp_path / "a.csv").write_text("file,n\n" + "".join(f"{i}.png,{i}\n" for i in range(20)))
    images = open_images(tmp_path / "a.csv", limit=6)
    assert images.factors == {"n": tuple(float(name[:-4]) for name in images.names)}
    assert len(images) == 6


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("file,size\n1.png,1\n1.png,2\n2.png,2\n", r"line 3: a second line for 1\.png"),
        ("file,size\n,1\n", "line 2: no file name"),
        ("file,size\nx.png,1\ny.png,2\n", "none of the 2 images can be read; x.png: No such file"),
        ("just text", "needs a line of column names"),
    ],
)
def test_a_table_that_cannot_be_meant_is_one_sentence(
    tmp_path: Path, table: str, sentence: str
) -> None:
    folder_of(tmp_path, ["1.png", "2.png"])
    (tmp_path / "a.csv").write_text(table)
    with pytest.raises(DataError, match=sentence):
        open_images(tmp_path / "a.csv")


def test_parts_are_refused_of_what_has_none(tmp_path: Path) -> None:
    folder_of(tmp_path / "folder", ["1.png", "2.png"])
    (tmp_path / "folder" / "a.csv").write_text("file,size\n1.png,1\n2.png,2\n")
    zipped(tmp_path / "folder", tmp_path / "a.zip")
    tarred(tmp_path / "folder", tmp_path / "a.tar")
    (tmp_path / "a.idx").write_bytes(idx(np.zeros((5, 4, 4), np.uint8), 0x08))
    np.save(tmp_path / "a.npy", np.zeros((5, 4, 4)))
    for name in ("folder", "folder/a.csv", "a.zip", "a.tar", "a.idx", "a.npy"):
        assert len(open_images(tmp_path / name)) >= 2
        with pytest.raises(DataError, match=f"{name} has no part x: parts are named of"):
            open_images(tmp_path / f"{name}:x")
    with pytest.raises(DataError, match="none:x does not exist"):
        open_images(tmp_path / "none:x")
