"""Tiles of packed FITS images, checked before they are unpacked.

A packed image is a table with a row for each tile (FITS standard 4.0, chapter 10): how many bytes,
and where they lie behind the rows. astropy takes memory for what these numbers claim, and some of
its decoders read beside what they are given.
"""

from __future__ import annotations

import struct
import zlib
from math import ceil, prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from reportgen.images.picture import LARGEST_PICTURE, UnreadableImageError

CLAIMS_MORE = "its header claims more than the file has"
TOO_LARGE = f"its tiles make up more than the {LARGEST_PICTURE} pixels that are read at once"
OF_ANOTHER_SIZE = "a tile is of another size than its header says"
# Bytes of what a column holds, by the letter of its format, and what decoders expect.
ITEM_BYTES = {"B": 1, "I": 2, "J": 4, "E": 4, "D": 8}
ONLY = {"PLIO_1": 2, "RICE_1": 1, "RICE_ONE": 1, "HCOMPRESS_1": 1}
# Columns of tiles; those that could not be packed well are in others.
PACKED = "COMPRESSED_DATA"
OTHER_COLUMNS = (("GZIP_COMPRESSED_DATA", "GZIP_1"), ("UNCOMPRESSED_DATA", "NOCOMPRESS"))
HCOMPRESS_START = b"\xdd\x99"
# Bytes that one of deflate's can stand for, and how many do no harm.
DEFLATED_AT_MOST, SMALL = 1032, 2**26


def depth_of_tiles(image: Any) -> tuple[int, ...]:
    """Numbers of slices that a tile holds along each axis before height and width.

    Raises UnreadableImageError where tiles are of no size, or too large.
    """
    shape = tuple(int(n) for n in image.shape)
    tiles = tuple(int(n) for n in getattr(image, "tile_shape", (1,) * (len(shape) - 2)))
    if not hasattr(image, "tile_shape"):
        return tiles
    if len(tiles) != len(shape) or min(*tiles, *shape) < 1:
        raise UnreadableImageError(f"its tiles have the shape {tiles}, which is not read")
    depth = tuple(min(tile, n) for tile, n in zip(tiles, shape[:-2], strict=False))
    if prod(depth) * prod(shape[-2:]) > LARGEST_PICTURE:
        raise UnreadableImageError(TOO_LARGE)
    return depth


def check_tiles(path: Path, image: Any, number: int) -> None:
    """Raise UnreadableImageError where a tile is not in the file, or not what it claims to be.

    `number` is the image's place among the file's units.
    """
    from astropy.io import fits

    units = fits.open(path, memmap=False, disable_image_compression=True)
    with units, path.open("rb") as file:
        table = units[number]
        header, rows = table.header, table.data.view(np.ndarray)
        _check_settings(header)
        if prod(ceil(n / m) for n, m in zip(image.shape, image.tile_shape, strict=True)) > len(
            rows
        ):
            raise UnreadableImageError(CLAIMS_MORE)
        pixels = prod(min(n, m) for n, m in zip(image.shape, image.tile_shape, strict=True))
        within = int(header.get("THEAP", header["NAXIS1"] * header["NAXIS2"]))
        heap = table.fileinfo()["datLoc"] + within
        for name, kind in ((PACKED, header["ZCMPTYPE"]), *OTHER_COLUMNS):
            if name == PACKED or name in rows.dtype.names:
                item = _item_bytes(table.columns[name].format, kind)
                places, counts = _within(rows[name], heap, item, path.stat().st_size)
                for place, count in zip(places.tolist(), counts.tolist(), strict=True):
                    if count:
                        file.seek(place)
                        _check_tile(file, kind, count * item, pixels)


def _check_settings(header: Any) -> None:
    """Raise UnreadableImageError for numbers of bytes that the decoder takes for another."""
    named = [i for i in range(1, 1000) if f"ZNAME{i}" in header]
    said = {str(header[f"ZNAME{i}"]).upper(): header[f"ZVAL{i}"] for i in named}
    if not header["ZCMPTYPE"].startswith("RICE"):
        return
    if said.get("BYTEPIX", 4) not in (1, 2, 4) or not 0 < said.get("BLOCKSIZE", 32) <= 1024:
        raise UnreadableImageError("its tiles are packed with settings that are not read")


def _item_bytes(form: str, kind: str) -> int:
    """Bytes of what a column of tiles holds."""
    item = ITEM_BYTES.get(form.lstrip("0123456789")[1:2], 0)
    if not item or (kind in ONLY and item != ONLY[kind]):
        raise UnreadableImageError(f"its tiles of {kind} are stored as {form}, which is not read")
    return item


def _within(
    descriptors: np.ndarray, heap: int, item: int, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Places in the file, and counts, of tiles.

    Raises UnreadableImageError where one does not lie in the file.
    """
    counts, offsets = (descriptors[:, side].astype(np.int64) for side in (0, 1))
    sound = (counts >= 0) & (counts <= size) & (offsets >= 0) & (offsets <= size)
    if not 0 <= heap <= size or not np.all(sound) or np.any(heap + offsets + counts * item > size):
        raise UnreadableImageError(CLAIMS_MORE)
    return heap + offsets, counts


def _check_tile(file: BinaryIO, kind: str, length: int, pixels: int) -> None:
    """Raise UnreadableImageError for a tile, where the file is at, that is of another size."""
    if kind.startswith("GZIP"):
        _check_unpacked_length(file, length, 8 * pixels)
    elif kind == "PLIO_1":
        _check_list(np.frombuffer(file.read(min(length, 10)), ">i2").tolist(), length // 2)
    elif kind == "HCOMPRESS_1":
        began = file.read(min(length, 10))
        height, width = struct.unpack(">ii", began[2:].ljust(8, b"\0"))
        if not began.startswith(HCOMPRESS_START) or not 0 < height * width <= pixels:
            raise UnreadableImageError(OF_ANOTHER_SIZE)


def _check_list(words: list[int], length: int) -> None:
    """Raise UnreadableImageError where a list of pixels begins before its tile or ends after."""
    if len(words) > 2 and words[2] > 0:
        first, last = 3, words[2]
    elif len(words) > 4:
        first, last = words[1], (words[4] << 15) + words[3]
    else:
        first, last = 0, 0
    if not 0 < first <= last <= length:
        raise UnreadableImageError(OF_ANOTHER_SIZE)


def _check_unpacked_length(file: BinaryIO, length: int, most: int) -> None:
    """Raise UnreadableImageError where gzip's bytes unpack to more than a tile has."""
    if length * DEFLATED_AT_MOST <= SMALL:
        return
    member, left = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), most
    while length and not member.eof:
        packed = file.read(min(length, 2**16))
        length -= len(packed)
        while packed and not member.eof:
            left -= len(member.decompress(packed, 2**20))
            packed = member.unconsumed_tail
            if left < 0:
                raise UnreadableImageError(OF_ANOTHER_SIZE)
    if length or member.unused_data:
        raise UnreadableImageError(OF_ANOTHER_SIZE)
