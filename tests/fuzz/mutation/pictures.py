"""Changes to the chunks and segments of pictures."""

from __future__ import annotations

import random
import struct
import zlib

from tests.fuzz.mutation.bytes import changed_bytes
from tests.fuzz.mutation.values import integer

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_KINDS = (
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"iCCP", b"sRGB", b"tEXt", b"zTXt"),
    *(b"iTXt", b"pHYs", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"bKGD", b"cHRM", b"sBIT", b"xxXx"),
)


def changed_png(generator: random.Random, content: bytes) -> bytes:
    """A PNG with a chunk changed, dropped, doubled, moved or put in; checksums are mostly right."""
    chunks = _png_chunks(content)
    place = generator.randrange(len(chunks))
    kind, body = chunks[place]
    how = generator.randrange(9)
    if how == 0:
        del chunks[place]
    elif how == 1:
        chunks.insert(place, chunks[place])
    elif how == 2:
        generator.shuffle(chunks)
    elif how == 3:
        chunks.insert(place, (generator.choice(PNG_KINDS), _body(generator)))
    elif how in (4, 5):
        header = bytearray(chunks[0][1])
        _numbered(
            generator, header, ((0, 4), (4, 4), (8, 1), (9, 1), (10, 1), (11, 1), (12, 1)), "big"
        )
        chunks[0] = chunks[0][0], bytes(header)
    elif how == 6:
        chunks = [(k, _repacked(generator, b) if k == b"IDAT" else b) for k, b in chunks]
    else:
        chunks[place] = kind, changed_bytes(generator, body)
    found = bytearray(PNG_SIGNATURE)
    for kind, body in chunks:
        checksum = zlib.crc32(kind + body) if generator.random() < 0.95 else 0
        length = len(body) if generator.random() < 0.97 else integer(generator) % 2**32
        found += struct.pack(">I", length) + kind + body + struct.pack(">I", checksum)
    return bytes(found)


def _png_chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    chunks, place = [], 8
    while place + 8 <= len(content):
        (length,) = struct.unpack_from(">I", content, place)
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + length]))
        place += 12 + length
    return chunks


def _body(generator: random.Random) -> bytes:
    return generator.choice(
        (
            b"",
            bytes(generator.randrange(256) for _ in range(generator.randrange(64))),
            b"key\0\0" + zlib.compress(bytes(2_000_000), 1),
            b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x08\0\0\0",
            struct.pack(">II", integer(generator) % 2**32, integer(generator) % 2**32),
        )
    )


def _repacked(generator: random.Random, body: bytes) -> bytes:
    rows = zlib.decompress(body)
    return zlib.compress(generator.choice((rows * 100, rows[:5], changed_bytes(generator, rows))))


def _numbered(
    generator: random.Random, header: bytearray, places: tuple[tuple[int, int], ...], order: str
) -> None:
    place, size = generator.choice(places)
    number = integer(generator) % 2 ** (8 * size)
    header[place : place + size] = number.to_bytes(size, "big" if order == "big" else "little")


def changed_riff(generator: random.Random, content: bytes) -> bytes:
    """A WebP file with a chunk changed; the sizes of chunks are mostly right."""
    chunks, place = [], 12
    while place + 8 <= len(content):
        (length,) = struct.unpack_from("<I", content, place + 4)
        chunks.append([content[place : place + 4], content[place + 8 : place + 8 + length]])
        place += 8 + length + length % 2
    place = generator.randrange(len(chunks))
    how = generator.randrange(6)
    if how == 0:
        del chunks[place]
    elif how == 1:
        chunks.insert(
            place,
            [
                generator.choice((b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"ICCP", b"EXIF", b"XMP ")),
                _body(generator),
            ],
        )
    elif how == 2:
        chunks[place][0] = generator.choice((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"JUNK"))
    else:
        chunks[place][1] = changed_bytes(generator, chunks[place][1])
    body = b"".join(
        kind
        + struct.pack("<I", len(part) if generator.random() < 0.95 else integer(generator) % 2**32)
        + part
        + b"\0" * (len(part) % 2)
        for kind, part in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def changed_jpeg(generator: random.Random, content: bytes) -> bytes:
    """A JPEG with a segment changed, dropped, doubled or put in."""
    segments, place = [], 2
    while content[place] == 0xFF and content[place + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", content, place + 2)
        segments.append(content[place : place + 2 + length])
        place += 2 + length
    rest = content[place:]
    chosen = generator.randrange(len(segments))
    how = generator.randrange(7)
    if how == 0:
        del segments[chosen]
    elif how == 1:
        segments.insert(chosen, segments[chosen])
    elif how == 2:
        body = _body(generator)[:60_000]
        marker = bytes(
            [0xFF, generator.choice((0xE1, 0xE2, 0xED, 0xFE, 0xC2, 0xC4, 0xDB, 0xDD, 0xEE))]
        )
        segments.insert(chosen, marker + struct.pack(">H", len(body) + 2) + body)
    elif how == 3:
        frame = next((i for i, s in enumerate(segments) if s[1] in (0xC0, 0xC1, 0xC2)), chosen)
        header = bytearray(segments[frame])
        _numbered(generator, header, ((4, 1), (5, 2), (7, 2), (9, 1), (10, 1), (11, 1)), "big")
        segments[frame] = bytes(header)
    elif how == 4:
        rest = changed_bytes(generator, rest)
    else:
        segments[chosen] = changed_bytes(generator, segments[chosen])
    return content[:2] + b"".join(segments) + rest


def changed_tiff(generator: random.Random, content: bytes) -> bytes:
    """A TIFF with a field of its directory changed."""
    found = bytearray(content)
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    place = start + 2 + 12 * generator.randrange(count)
    _numbered(
        generator,
        found,
        (
            (place, 2),
            (place + 2, 2),
            (place + 4, 4),
            (place + 8, 4),
            (4, 4),
            (start, 2),
            (start + 2 + 12 * count, 4),
        ),
        "little",
    )
    return bytes(found)
