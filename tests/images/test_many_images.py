"""A choice among many images takes the memory of the chosen ones, wherever the many are listed."""

from __future__ import annotations

import gc
import zipfile
from pathlib import Path

import numpy as np
import pandas
import pytest

from reportgen.images import open_images
from tests.images.pictures import noise, save
from tests.peak_memory import peak_of

MANY = 8_000
# A name takes more than 60 bytes and a place in a list or a dictionary; MANY of them take more.
MOST_BYTES = 500_000
ZIP_MEMBER_BYTES = 800


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One picture under many names: in a zip archive, and in tables of different formats."""
    root = tmp_path_factory.mktemp("many")
    zipped(root / "a.zip", MANY)
    for i in range(MANY):
        (root / f"{i}.png").hardlink_to(root / "x.png")
    table = pandas.DataFrame({"file": [f"{i}.png" for i in range(MANY)], "n": range(MANY)})
    table.to_csv(root / "a.csv", index=False)
    table.to_json(root / "a.jsonl", orient="records", lines=True)
    table.to_parquet(root / "a.parquet")
    return root


def zipped(path: Path, count: int) -> Path:
    content = save(path.parent / "x.png", noise(4, 4)).read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(count):
            archive.writestr(zipfile.ZipInfo(f"folder{i % 10}/a rather long name {i}.png"), content)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.zip", "a.csv", "a.jsonl", "a.parquet"])
def test_the_memory_is_that_of_the_chosen(listed: Path, name: str) -> None:
    # Tables are read as a whole; of a zip archive, zipfile makes an object of every member.
    listing = (listed / name).stat().st_size if name != "a.zip" else MANY * ZIP_MEMBER_BYTES
    allowed = listing + MOST_BYTES
    images, peak = peak_of(lambda: open_images(listed / name, limit=20), allowed)
    assert len(images) == 20
    assert f"20 of {MANY} images" in images.notes[0].text
    assert peak < allowed


def test_of_a_zip_archive_only_the_chosen_members_are_kept(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", 1_000)
    before = members()
    images = open_images(path, limit=20)
    assert len(images) == 20
    assert len(members().keys() - before.keys()) == 20


def members() -> dict[int, zipfile.ZipInfo]:
    """Every member of an archive that is listed somewhere in memory, by its identity."""
    return {id(thing): thing for thing in gc.get_objects() if type(thing) is zipfile.ZipInfo}


def test_an_array_of_many_images_is_read_in_constant_memory(tmp_path: Path) -> None:
    count, side = 100_000, 20
    stored = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.uint8, (count, side, side))
    stored[:, 0, 0] = np.arange(count) % 251
    stored.flush()

    def read() -> int:
        images = open_images(tmp_path / "a.npy")
        first_pixels = (batch[:, 0, 0, 0] * 255 for _, batch in images.batches(256))
        return sum(int(np.rint(pixels).sum()) for pixels in first_pixels)

    # The file has 40 MB; a block of 16 MiB is looked at, at a time. Names take 100 bytes each.
    allowed = 36_000_000 + 105 * count
    total, peak = peak_of(read, allowed)
    assert total == (np.arange(count) % 251).sum()
    assert peak < allowed
