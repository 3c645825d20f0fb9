"""Folders: what is found, in which order, with which labels, and what is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from reportgen.errors import DataError
from reportgen.images import SkippedImage, open_images
from reportgen.images.folder_files import FolderFiles
from reportgen.images.picture_set import read_picture_set
from tests.images.pictures import folder_of, noise, save


def test_pixels_names_and_shape_are_those_of_the_files(tmp_path: Path) -> None:
    expected = folder_of(tmp_path, ["a.png", "b.png", "c.png"], channels=3, size=6)
    images = open_images(tmp_path)
    assert images.shape == (3, 6, 6)
    assert images.names == ("a.png", "b.png", "c.png")
    assert len(images) == 3
    assert images.pixel_range == (0.0, 1.0)
    assert images.labels is None and images.factors is None and images.skipped == ()
    read = images.read([2, 0])
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, expected[[2, 0]], atol=1e-7)


def test_batches_cover_every_image_once_in_order(tmp_path: Path) -> None:
    expected = folder_of(tmp_path, [f"{i}.png" for i in range(7)])
    batches = list(open_images(tmp_path).batches(3))
    assert [rows for rows, _ in batches] == [range(0, 3), range(3, 6), range(6, 7)]
    np.testing.assert_allclose(np.concatenate([b for _, b in batches]), expected, atol=1e-7)


def test_a_slice_reads_as_a_list_does(tmp_path: Path) -> None:
    folder_of(tmp_path, [f"{i}.png" for i in range(5)])
    images = open_images(tmp_path)
    np.testing.assert_array_equal(images.read(slice(1, 4)), images.read([1, 2, 3]))
    np.testing.assert_array_equal(images.read(np.array([-1])), images.read([4]))


def test_order_is_natural_and_class_folders_at_any_depth_are_labels(tmp_path: Path) -> None:
    names = ["dog/x/10.png", "dog/9.png", "cat/img2.png", "cat/img10.png", "cat/IMG1.png"]
    folder_of(tmp_path, names)
    images = open_images(tmp_path)
    assert images.names == (
        "cat/IMG1.png",
        "cat/img2.png",
        "cat/img10.png",
        "dog/9.png",
        "dog/x/10.png",
    )
    assert images.labels == ("cat", "cat", "cat", "dog", "dog")


def test_folders_that_hold_all_images_are_no_classes(tmp_path: Path) -> None:
    folder_of(tmp_path, ["data/test/cat/1.png", "data/test/dog/1.png"])
    assert open_images(tmp_path).labels == ("cat", "dog")
    assert open_images(tmp_path / "data" / "test").labels == ("cat", "dog")
    assert open_images(tmp_path).names[0] == "data/test/cat/1.png"


def test_folders_called_train_and_test_are_splits_and_no_classes(tmp_path: Path) -> None:
    folder_of(tmp_path / "a", ["train/cat/1.png", "train/dog/2.png", "Val/cat/3.png"])
    assert open_images(tmp_path / "a").labels == ("cat", "dog", "cat")
    folder_of(tmp_path / "b", ["train/1.png", "test/2.png"])
    assert open_images(tmp_path / "b").labels is None
    folder_of(tmp_path / "c", ["train/1.png", "boat/2.png"])
    assert open_images(tmp_path / "c").labels == ("boat", "train")


def test_an_image_beside_the_class_folders_says_so(tmp_path: Path) -> None:
    folder_of(tmp_path, ["cat/1.png", "stray.png"])
    assert open_images(tmp_path).labels == ("cat", "(no folder)")


def test_hidden_files_and_other_files_are_ignored(tmp_path: Path) -> None:
    folder_of(tmp_path, ["a.png", "b.PNG", ".hidden.png", ".cache/c.png", "__MACOSX/d.png"])
    (tmp_path / "notes.txt").write_text("not an image")
    assert open_images(tmp_path).names == ("a.png", "b.PNG")


def test_folders_of_storage_and_file_systems_are_no_classes(tmp_path: Path) -> None:
    folders = ("cat", "dog", "@eaDir", "lost+found", "$RECYCLE.BIN", "dog/@eaDir")
    folder_of(tmp_path, [f"{folder}/a.png" for folder in folders])
    images = open_images(tmp_path)
    assert images.labels == ("cat", "dog")


def test_files_of_other_types_are_counted(tmp_path: Path) -> None:
    folder_of(tmp_path / "data", ["a.png", "b.png"])
    (tmp_path / "data" / "labels.csv").write_text("file,size\na.png,1\n")
    for name in ("c.avif", "d.AVIF", "e.jp2", "noend"):
        (tmp_path / "data" / name).write_bytes(b"?")
    shutil.make_archive(str(tmp_path / "data"), "zip", tmp_path / "data")
    said = "4 other files were left out"
    for path in (tmp_path / "data", tmp_path / "data.zip"):
        text = " ".join(note.text for note in open_images(path).notes)
        assert said in text and "2 × .avif, 1 × no suffix, 1 × .jp2." in text, text


def test_a_damaged_image_among_good_ones_is_named_and_left_out(tmp_path: Path) -> None:
    expected = folder_of(tmp_path, ["a.png", "b.png", "d.png"])
    whole = (tmp_path / "b.png").read_bytes()
    (tmp_path / "c.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "e.png").write_bytes(b"this is text")
    (tmp_path / "f.png").touch()
    (tmp_path / "g.png").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0")
    images = open_images(tmp_path)
    assert images.names == ("a.png", "b.png", "d.png")
    np.testing.assert_allclose(images.read([0, 1, 2]), expected, atol=1e-7)
    reasons = {skipped.name: skipped.reason for skipped in images.skipped}
    assert list(reasons) == ["c.png", "e.png", "f.png", "g.png"]
    assert "truncated" in reasons["c.png"]
    assert reasons["e.png"].startswith("not an image")
    assert reasons["f.png"] == "empty file"
    assert "git lfs pull" in reasons["g.png"]


@pytest.mark.parametrize("position", range(0, 200, 7))
def test_a_flipped_byte_never_gives_a_traceback(tmp_path: Path, position: int) -> None:
    folder_of(tmp_path, ["a.png", "b.png"])
    content = bytearray(save(tmp_path / "c.png", noise(8, 8, seed=9)).read_bytes())
    content[position % len(content)] ^= 0xFF
    (tmp_path / "c.png").write_bytes(content)
    try:
        images = open_images(tmp_path)
    except DataError as error:
        assert "differ in size" in str(error)
    else:
        assert len(images) + len(images.skipped) == 3


def test_only_damaged_images_are_an_error_that_names_one(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"this is text")
    with pytest.raises(DataError, match=r"none of the 2 images can be read; a\.png: not an image"):
        open_images(tmp_path)


def test_one_image_is_too_few(tmp_path: Path) -> None:
    folder_of(tmp_path, ["a.png"])
    with pytest.raises(DataError, match="at least two"):
        open_images(tmp_path)
    (tmp_path / "b.png").write_bytes(b"this is text")
    with pytest.raises(DataError, match=r"only a\.png can be read of 2 .* at least two; b\.png"):
        open_images(tmp_path)


def test_different_sizes_name_two_files_and_their_sizes(tmp_path: Path) -> None:
    folder_of(tmp_path, ["a.png", "b.png"])
    save(tmp_path / "c.png", noise(5, 9))
    with pytest.raises(DataError, match=r"c\.png has 9×5 pixels, a\.png has 8×8, as 2 of 3"):
        open_images(tmp_path)


def test_different_sizes_are_found_without_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(tmp_path, ["a.png", "b.png"])
    save(tmp_path / "c.png", noise(5, 9))

    def decode(*arguments: object) -> None:
        raise AssertionError("decoded a picture")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    with pytest.raises(DataError, match="differ in size"):
        open_images(tmp_path)


def test_an_empty_folder_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="it holds no files"):
        open_images(tmp_path)
    (tmp_path / "a.xyz").touch()
    with pytest.raises(DataError, match=r"only other files \(1 × \.xyz\)"):
        open_images(tmp_path)


def test_a_missing_path_and_a_text_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere does not exist"):
        open_images(tmp_path / "nowhere")
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(DataError, match=r"a\.txt is in no known format"):
        open_images(tmp_path / "a.txt")
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(DataError, match=r"a\.txt is empty"):
        open_images(tmp_path / "a.txt")


@contextmanager
def _without_root_rights() -> Iterator[None]:
    """Root may read everything, so within the block the tests are somebody else."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that anybody may enter, with two images (pytest's own belong to one user)."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    folder_of(folder / "data", ["a.png", "b.png"])
    yield folder / "data"
    (folder / "data").chmod(0o755)
    shutil.rmtree(folder)


def test_a_folder_without_permission_is_a_sentence(public_folder: Path) -> None:
    public_folder.chmod(0)
    with _without_root_rights(), pytest.raises(DataError, match="data cannot be read: Permission"):
        open_images(public_folder)


def test_an_image_without_permission_is_named_and_left_out(public_folder: Path) -> None:
    save(public_folder / "c.png", noise(8, 8))
    (public_folder / "a.png").chmod(0)
    with _without_root_rights():
        images = open_images(public_folder)
    assert images.skipped == (SkippedImage("a.png", "Permission denied"),)


def test_a_link_to_a_folder_that_holds_it_is_refused(tmp_path: Path) -> None:
    folder_of(tmp_path, ["a/1.png", "a/2.png"])
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    with pytest.raises(DataError, match="up is a symbolic link to a folder that holds it"):
        open_images(tmp_path)


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    folder_of(tmp_path, ["1.png", "2.png"])
    (tmp_path / "self").symlink_to(tmp_path / "self")
    with pytest.raises(DataError, match="self cannot be read: Too many levels"):
        open_images(tmp_path)


def test_folders_that_link_to_each_other_are_listed_once(tmp_path: Path) -> None:
    folder_of(tmp_path, ["a/1.png", "b/2.png"])
    (tmp_path / "a" / "x").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "y").symlink_to(tmp_path / "a")
    assert open_images(tmp_path).names == ("a/1.png", "b/2.png")


def test_nested_links_do_not_multiply(tmp_path: Path) -> None:
    folder_of(tmp_path, ["level0/1.png", "level0/2.png"])
    for level in range(1, 40):
        (tmp_path / f"level{level}").mkdir()
        for name in ("left", "right"):
            (tmp_path / f"level{level}" / name).symlink_to(tmp_path / f"level{level - 1}")
    assert len(open_images(tmp_path)) == 2


def test_linked_folders_and_files_are_followed_and_outside_files_noted(tmp_path: Path) -> None:
    folder_of(tmp_path / "elsewhere", ["1.png", "2.png"])
    folder_of(tmp_path / "data", ["cat/1.png"])
    (tmp_path / "data" / "dog").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "cat" / "3.png").symlink_to(tmp_path / "elsewhere" / "1.png")
    images = open_images(tmp_path / "data")
    assert images.names == ("cat/1.png", "cat/3.png", "dog/1.png", "dog/2.png")
    assert images.labels == ("cat", "cat", "dog", "dog")
    outside = [note.text for note in images.notes if "links" in note.text]
    assert outside == ["3 images are reached through links that lead out of the folder."]


def test_folders_in_folders_are_not_resolved_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resolving each of 1,500 looked at 1,500² / 2 of them, and each look walks as many again."""
    deep = tmp_path.joinpath(*["d"] * 200)
    deep.mkdir(parents=True)
    for name in ("1.png", "2.png"):
        save(deep / name, noise(8, 8))
    resolved = []
    resolve = Path.resolve
    monkeypatch.setattr(
        Path, "resolve", lambda path, strict=False: resolved.append(path) or resolve(path, strict)
    )
    assert len(open_images(tmp_path)) == 2
    assert len(resolved) < 20


def test_a_dangling_link_a_pipe_and_a_folder_called_png_stop_nothing(tmp_path: Path) -> None:
    folder_of(tmp_path, ["a.png", "b.png"])
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    images = open_images(tmp_path)
    assert images.names == ("a.png", "b.png")
    assert images.skipped == (
        SkippedImage("gone.png", "No such file or directory"),
        SkippedImage("pipe.png", "not a regular file"),
    )


def test_names_that_cannot_be_shown_are_escaped_and_still_read(tmp_path: Path) -> None:
    folder_of(tmp_path, ["a.png", "b\u202egnp.png", "c\n.png", "<script>.png", "é 火.png"])
    (tmp_path / "a.png").rename(tmp_path / os.fsdecode(b"\xff.png"))
    images = open_images(tmp_path)
    assert set(images.names) == {
        "\\xff.png",
        "b\\u202egnp.png",
        "c\\n.png",
        "<script>.png",
        "é 火.png",
    }
    "".join(images.names).encode("utf-8")
    assert images.read(slice(None)).shape == (5, 1, 8, 8)


def test_a_limit_chooses_by_seed_whatever_the_order_on_disk(tmp_path: Path) -> None:
    names = [f"{i % 3}/{i}.png" for i in range(30)]
    folder_of(tmp_path / "one", names)
    for name in reversed(names):
        (tmp_path / "two" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / "one" / name, tmp_path / "two" / name)
    first, again = open_images(tmp_path / "one", limit=10), open_images(tmp_path / "two", limit=10)
    assert len(first) == 10
    assert first.names == again.names and first.source.sha256 == again.source.sha256
    assert first.names != open_images(tmp_path / "one", limit=10, seed=1).names
    assert "10 of 30 images were chosen at random (seed 0)." in [n.text for n in first.notes]
    assert open_images(tmp_path / "one", limit=30).names == open_images(tmp_path / "one").names


def test_every_image_is_chosen_equally_often(tmp_path: Path) -> None:
    folder_of(tmp_path, [f"{i}.png" for i in range(6)], size=2)
    counts = dict.fromkeys(open_images(tmp_path).names, 0)
    for seed in range(300):
        for name in open_images(tmp_path, limit=2, seed=seed).names:
            counts[name] += 1
    # Each count is binomial with n = 300, p = 1/3: mean 100, sd 8.2.
    assert all(abs(count - 100) < 4 * 8.2 for count in counts.values()), counts


def test_a_limit_below_two_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="limit of 1"):
        open_images(tmp_path, limit=1)


def test_the_checksum_is_what_sha256sum_prints(tmp_path: Path) -> None:
    folder_of(tmp_path, ["b/1.png", "b/10.png", "a/2.png", "Z.png"])
    (tmp_path / "labels.csv").write_text("file,size\nZ.png,1\n")
    listed = subprocess.run(
        "find * -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    source = open_images(tmp_path).source
    assert source.sha256 == listed.stdout.split()[0]
    assert source.size == sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file())
    assert source.name == tmp_path.name


def test_images_beyond_the_memory_limit_are_read_from_their_files(tmp_path: Path) -> None:
    expected = folder_of(tmp_path, [f"{i}.png" for i in range(5)])
    names = [f"{i}.png" for i in range(5)]
    pictures = read_picture_set(FolderFiles(tmp_path), names, "data", kept_bytes=2 * 64)
    rows = np.array([4, 0, 3, 1])
    np.testing.assert_allclose(pictures.pixels.read(rows), expected[rows], atol=1e-7)
    save(tmp_path / "4.png", noise(8, 8, seed=99))
    with pytest.raises(DataError, match=r"4\.png changed while the report was being made"):
        pictures.pixels.read(rows)
    (tmp_path / "4.png").unlink()
    with pytest.raises(DataError, match=r"4\.png changed .*No such file"):
        pictures.pixels.read(rows)
