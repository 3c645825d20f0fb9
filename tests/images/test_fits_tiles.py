"""Packed FITS images whose tiles are not what they claim, and tiles of several slices."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from reportgen.errors import DataError
from reportgen.images import open_images
from tests.images.pictures import noise

CUBE = (noise(6, 9, 8) // 3).astype(np.int16)


def packed(folder: Path, kind: str, tile: tuple[int, ...] = (1, 9, 8)) -> Path:
    """A file of an image whose tiles are packed in one of FITS's ways."""
    image = fits.CompImageHDU(CUBE, compression_type=kind, tile_shape=tile)
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(folder / "x.fits")
    return folder / "x.fits"


KINDS = ("RICE_1", "GZIP_1", "GZIP_2", "PLIO_1", "NOCOMPRESS")
TILES = [(kind, tile) for kind in KINDS for tile in ((1, 9, 8), (4, 5, 8), (6, 9, 8))]


@pytest.mark.parametrize(("kind", "tile"), [*TILES, ("HCOMPRESS_1", (1, 9, 8))])
def test_packed_slices_are_those_that_were_packed(
    tmp_path: Path, kind: str, tile: tuple[int, ...]
) -> None:
    packed(tmp_path, kind, tile)
    read = open_images(tmp_path).read([4, 1, 5])[:, 0]
    np.testing.assert_allclose(read, CUBE[[4, 1, 5]] / np.float32(255), rtol=1e-6)


def changed_tile(path: Path, row: bytes = b"", at: int = 0, heap: bytes = b"", by: int = 0) -> None:
    """Write over what the first row says, or over its tile."""
    with fits.open(path, disable_image_compression=True) as units:
        start = units[1].fileinfo()["datLoc"]
        tile = start + units[1].header["NAXIS1"] * units[1].header["NAXIS2"]
    content = bytearray(path.read_bytes())
    content[start + at : start + at + len(row)] = row
    content[tile + by : tile + by + len(heap)] = heap
    path.write_bytes(content)


def longer_than_the_file(folder: Path) -> None:
    changed_tile(packed(folder, "RICE_1"), row=(2**31 - 9).to_bytes(4, "big"))


def before_the_tiles(folder: Path) -> None:
    changed_tile(packed(folder, "PLIO_1"), row=b"\xff\xff\xff\xf0", at=4)


def a_larger_list_of_wavelets(folder: Path) -> None:
    changed_tile(packed(folder, "HCOMPRESS_1"), heap=(4000).to_bytes(4, "big") * 2, by=2)


def a_list_that_begins_before_itself(folder: Path) -> None:
    changed_tile(packed(folder, "PLIO_1"), heap=b"\xff\x00", by=2)


def a_list_that_ends_after_itself(folder: Path) -> None:
    changed_tile(packed(folder, "PLIO_1"), heap=b"\x7f\xff\x00\x7f", by=6)


def a_bomb(folder: Path) -> None:
    bomb = gzip.compress(bytes(2**28), 1)
    path = packed(folder, "GZIP_1")
    changed_tile(path, row=len(bomb).to_bytes(4, "big"), heap=bomb + bytes(2880))
    say(path, PCOUNT=len(bomb))


def say(path: Path, **numbers: int) -> None:
    """Write other numbers into the header of the packed image."""
    content = bytearray(path.read_bytes())
    for name, number in numbers.items():
        place = content.rindex(name.encode().ljust(8) + b"=") + 9
        content[place : place + 21] = f"{number:>21}".encode()
    path.write_bytes(content)


def saying(**numbers: int) -> Callable[[Path], None]:
    """A writer of a file whose header says other numbers."""
    return lambda folder: say(packed(folder, "RICE_1"), **numbers)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (longer_than_the_file, "more than the file has"),
        (before_the_tiles, "more than the file has"),
        (a_larger_list_of_wavelets, "of another size"),
        (a_list_that_begins_before_itself, "of another size"),
        (a_list_that_ends_after_itself, "of another size"),
        (a_bomb, "of another size"),
        (saying(ZTILE1=-8), "its tiles have the shape"),
        (saying(ZVAL2=8), "settings that are not read"),
        (saying(ZNAXIS3=10**9), "more than the file has"),
        (saying(ZNAXIS3=10**9, ZTILE3=10**9), "read at once"),
    ],
)
def test_tiles_that_are_not_what_they_claim_are_refused_before_they_are_unpacked(
    tmp_path: Path, written: Callable[[Path], None], reason: str
) -> None:
    written(tmp_path)
    with pytest.raises(DataError, match=reason):
        open_images(tmp_path)
