"""Zip and tar archives of pictures: read like the folder they hold, and never unpacked."""

from __future__ import annotations

import io
import os
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from reportgen.errors import DataError
from reportgen.images import open_images, tar_file, zip_file
from tests.images.pictures import folder_of, noise, save

NAMES = ["cat/2.png", "cat/10.png", "dog/1.png", "dog/3.png"]
TARS = {".tar": "w", ".tar.gz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}


def zipped(folder: Path, path: Path, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder).as_posix())
    return path


def tarred(folder: Path, path: Path, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        archive.add(folder, ".")
    return path


@pytest.fixture(params=[".zip", *TARS])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A folder of pictures in classes, with labels, and the same as an archive."""
    folder = tmp_path / "folder"
    folder_of(folder, NAMES, channels=3)
    (folder / "labels.csv").write_text("file,size\n" + "".join(f"{n},{len(n)}\n" for n in NAMES))
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_bytes(b"no picture")
    path = tmp_path / f"archive{request.param}"
    zipped(folder, path) if request.param == ".zip" else tarred(folder, path, TARS[request.param])
    yield folder, path


def test_an_archive_is_read_like_its_folder(archive: tuple[Path, Path]) -> None:
    folder, path = archive
    images, expected = open_images(path), open_images(folder)
    assert images.names == expected.names == tuple(NAMES)
    assert images.labels == expected.labels
    assert images.factors == expected.factors
    assert images.shape == expected.shape
    np.testing.assert_array_equal(images.read(slice(None)), expected.read(slice(None)))
    assert images.source.name == path.name and images.source.size == path.stat().st_size
    chosen = open_images(path, limit=3, seed=5)
    assert chosen.names == open_images(folder, limit=3, seed=5).names
    assert [file.name for file in path.parent.iterdir()] == ["folder", path.name] or {
        file.name for file in path.parent.iterdir()
    } == {"folder", path.name}


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_images_beyond_the_memory_limit_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    expected = folder_of(tmp_path / "folder", ["a.png", "b.png", "c.png"])
    write = zipped if suffix == ".zip" else tarred
    path = write(tmp_path / "folder", tmp_path / f"a{suffix}")
    monkeypatch.setattr("reportgen.images.picture_set.KEPT_BYTES", 64)
    images = open_images(path)
    np.testing.assert_allclose(images.read([2, 0, 1]), expected[[2, 0, 1]], atol=1e-7)


def test_webdataset_classes_are_read_from_the_files_beside(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder_of(folder, ["000.png", "001.seg.png", "002.png"])
    for name, label in (("000.cls", "3"), ("001.cls", "7\n")):
        (folder / name).write_text(label)
    for path in (
        folder,
        tarred(folder, tmp_path / "shard.tar"),
        zipped(folder, tmp_path / "shard.zip"),
    ):
        assert open_images(path).labels == ("3", "7", "(no label)")


def test_a_damaged_picture_in_an_archive_is_left_out(archive: tuple[Path, Path]) -> None:
    folder, path = archive
    (folder / "cat" / "99.png").write_bytes(b"text")
    suffix = path.name.removeprefix("archive")
    zipped(folder, path) if suffix == ".zip" else tarred(folder, path, TARS[suffix])
    (skipped,) = open_images(path).skipped
    assert skipped.name == "cat/99.png"


@pytest.mark.parametrize("name", ["../out.png", "/etc/out.png", "a/../../out.png", "C:\\out.png"])
@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_members_that_lead_out_of_the_archive_are_refused(
    tmp_path: Path, name: str, suffix: str
) -> None:
    content = save(tmp_path / "a.png", noise(8, 8)).read_bytes()
    path = tmp_path / f"evil{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(name, content)
    else:
        with tarfile.open(path, "w") as file:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    with pytest.raises(DataError, match="leads out of it; refused as unsafe"):
        open_images(path)


def test_links_and_devices_in_a_tar_are_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder_of(folder, ["a.png", "b.png"])
    secret = save(tmp_path / "secret.png", noise(8, 8))
    (folder / "link.png").symlink_to(secret)
    os.mkfifo(folder / "pipe.png")
    path = tarred(folder, tmp_path / "a.tar")
    with tarfile.open(path, "a") as file:
        hard = tarfile.TarInfo("hard.png")
        hard.type, hard.linkname = tarfile.LNKTYPE, str(secret)
        file.addfile(hard)
    assert open_images(path).names == ("a.png", "b.png")


def test_a_zip_of_links_reads_no_other_file(tmp_path: Path) -> None:
    secret = save(tmp_path / "secret.png", noise(8, 8))
    content = secret.read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("a.png", content)
        file.writestr("b.png", content)
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        file.writestr(link, str(secret))
    images = open_images(tmp_path / "a.zip")
    assert images.names == ("a.png", "b.png")
    assert [skipped.name for skipped in images.skipped] == ["link.png"]


def test_an_extended_header_of_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 5 * 2**30
    (tmp_path / "a.tar").write_bytes(header.tobuf() + bytes(4096))
    with pytest.raises(DataError, match="an extended header of 5368709120 bytes"):
        open_images(tmp_path / "a.tar")


def test_archives_too_large_for_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(tmp_path / "folder", ["a.png", "b.png"])
    tar = tarred(tmp_path / "folder", tmp_path / "a.tar.gz", "w:gz")
    archive = zipped(tmp_path / "folder", tmp_path / "a.zip")
    monkeypatch.setattr(tar_file, "MOST_BYTES", 100)
    with pytest.raises(DataError, match="too large to read into memory"):
        open_images(tar)
    for module in (tar_file, zip_file):
        monkeypatch.setattr(module, "MOST_UNPACKED", 100)
    for path in (tar, archive):
        with pytest.raises(DataError, match="unpacks to more than"):
            open_images(path)


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    content = save(tmp_path / "a.png", noise(8, 8)).read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("a.png", content)
        file.writestr("./a.png", content)
    with pytest.raises(DataError, match=r"two files called a\.png"):
        open_images(tmp_path / "a.zip")


def test_an_archive_without_images_says_so(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("text")
    for path in (
        zipped(tmp_path / "folder", tmp_path / "a.zip"),
        tarred(tmp_path / "folder", tmp_path / "a.tar"),
    ):
        with pytest.raises(DataError, match="holds no images"):
            open_images(path)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_an_archive_cut_or_flipped_is_a_sentence_or_still_read(tmp_path: Path, suffix: str) -> None:
    folder_of(tmp_path / "folder", ["a/1.png", "b/2.png"], size=3)
    path = tmp_path / f"a{suffix}"
    if suffix == ".zip":
        zipped(tmp_path / "folder", path)
    else:
        tarred(tmp_path / "folder", path, TARS[suffix])
    whole = path.read_bytes()
    for position in range(0, len(whole), max(1, len(whole) // 300)):
        flipped = bytearray(whole)
        flipped[position] ^= 0x55
        for content in (whole[:position], bytes(flipped)):
            path.write_bytes(content)
            try:
                open_images(path)
            except DataError as error:
                assert str(path) in str(error)


@pytest.mark.slow
def test_a_member_of_zeros_is_passed_over_in_seconds(tmp_path: Path) -> None:
    """300 MB that a gzip of 300 kB unpacks to; it took a minute where every piece was copied."""

    class Zeros(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return bytes(size)

    folder_of(tmp_path / "folder", ["a.png", "b.png"])
    path = tarred(tmp_path / "folder", tmp_path / "small.tar")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz", compresslevel=1) as file:
        member = tarfile.TarInfo("notes.bin")
        member.size = 3 * 10**8
        file.addfile(member, Zeros())  # type: ignore[arg-type]
        for name in ("a.png", "b.png"):
            file.add(tmp_path / "folder" / name, name)
    started = time.thread_time()
    np.testing.assert_array_equal(
        open_images(tmp_path / "a.tar.gz").read(slice(0, 2)), open_images(path).read(slice(0, 2))
    )
    assert time.thread_time() - started < 10
