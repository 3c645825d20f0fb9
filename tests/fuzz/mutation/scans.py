"""Changes to what DICOM, FITS and NIfTI files are made of."""

from __future__ import annotations

import gzip
import random
import struct

from tests.fuzz.mutation.bytes import changed_bytes
from tests.fuzz.mutation.values import integer, text

# Values whose length takes four bytes, after two that are empty.
LONG_KINDS = (b"OB", b"OW", b"OF", b"SQ", b"UN", b"UT", b"OD", b"OL", b"UC", b"UR")
KINDS = (*LONG_KINDS, b"US", b"IS", b"DS", b"UI", b"CS", b"PN", b"LO", b"AT", b"FD", b"SS", b"xx")
SYNTAXES = (
    *(b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.2", b"1.2.840.10008.1.2.1.99"),
    *(b"1.2.840.10008.1.2.5", b"1.2.840.10008.1.2.4.50", b"1.2.840.10008.1.2.4.90", b"1.2", b""),
)
# Rows, columns, frames, bits, samples, colours, slope, a palette, pixels, character set.
TAGS = (
    *((0x28, 0x10), (0x28, 0x11), (0x28, 0x08), (0x28, 0x100), (0x28, 0x101), (0x28, 0x102)),
    *((0x28, 0x02), (0x28, 0x04), (0x28, 0x06), (0x28, 0x103), (0x28, 0x1053), (0x28, 0x1052)),
    *((0x28, 0x3000), (0x28, 0x1101), (0x28, 0x1201), (0x7FE0, 0x10), (0x08, 0x05)),
    *(
        (0x7FE0, 0x01),
        (0x7FE0, 0x02),
        (0x02, 0x10),
        (0xFFFE, 0xE000),
        (0xFFFE, 0xE0DD),
        (0x09, 0x10),
    ),
)
COLOURS = (b"MONOCHROME1 ", b"RGB ", b"YBR_FULL", b"PALETTE COLOR ", b"YBR_FULL_422", b"ARGB", b"x")
Element = tuple[int, int, bytes, bytes]


def changed_dicom(generator: random.Random, content: bytes) -> bytes:
    """A DICOM file with an element changed, dropped, doubled, moved or put in."""
    elements = _elements(content)
    place = generator.randrange(len(elements))
    group, number, kind, value = elements[place]
    how = generator.randrange(9)
    if how == 0:
        del elements[place]
    elif how == 1:
        elements.insert(generator.randrange(len(elements)), elements[place])
    elif how == 2:
        elements[place] = (*generator.choice(TAGS), kind, value)
    elif how == 3:
        elements[place] = group, number, generator.choice(KINDS), value
    elif how == 4:
        elements.insert(place, (*generator.choice(TAGS), *_element(generator)))
    elif how == 5:
        elements = [
            (g, n, k, generator.choice(SYNTAXES)) if (g, n) == (0x02, 0x10) else (g, n, k, v)
            for g, n, k, v in elements
        ]
    elif how == 6:
        elements[place] = group, number, kind, changed_bytes(generator, value)
    else:
        elements[place] = group, number, kind, _number(generator, kind)
    lies = generator.choice((None,) * 8 + (generator.randrange(len(elements)),))
    written = [
        _packed(element, integer(generator) if place == lies else len(element[3]))
        for place, element in enumerate(elements)
    ]
    return content[:132] + b"".join(written)


def _elements(content: bytes) -> list[Element]:
    found, place = [], 132
    while place + 8 <= len(content):
        group, number, kind = struct.unpack_from("<HH2s", content, place)
        is_long = kind in LONG_KINDS
        (size,) = struct.unpack_from("<I" if is_long else "<H", content, place + 6 + 2 * is_long)
        place += 12 if is_long else 8
        # Pixels that are packed have no length; they come last.
        size = len(content) - place if size == 2**32 - 1 else size
        found.append((group, number, kind, content[place : place + size]))
        place += size
    return found


def _element(generator: random.Random) -> tuple[bytes, bytes]:
    nested = struct.pack("<HH2sHI", 0x08, 0x1140, b"SQ", 0, 2**32 - 1)
    nested += struct.pack("<HHI", 0xFFFE, 0xE000, 2**32 - 1)
    kind = generator.choice(KINDS)
    colours = b"CS", generator.choice(COLOURS)
    return generator.choice(((b"SQ", nested * 3_000), (kind, _number(generator, kind)), colours))


def _number(generator: random.Random, kind: bytes) -> bytes:
    number = integer(generator)
    if kind in (b"US", b"SS"):
        return struct.pack("<H", number % 2**16)
    if kind in (b"IS", b"DS"):
        return generator.choice((str(number), "1e308", "nan", "-1", "1\\2", "")).encode()
    if kind == b"CS":
        return generator.choice(COLOURS)
    return text(generator).encode("utf-8", "surrogatepass")[:60_000]


def _packed(element: Element, size: int) -> bytes:
    group, number, kind, value = element
    if kind in LONG_KINDS:
        is_packed = value.startswith(b"\xfe\xff\x00\xe0")
        length = 2**32 - 1 if is_packed else size % 2**32
        return struct.pack("<HH2sHI", group, number, kind, 0, length) + value
    return struct.pack("<HH2sH", group, number, kind, size % 2**16) + value


CARDS = (
    *("SIMPLE", "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "PCOUNT", "GCOUNT"),
    *("BSCALE", "BZERO", "BLANK", "EXTEND", "TFIELDS", "TFORM1", "THEAP", "ZIMAGE", "ZCMPTYPE"),
    *("ZBITPIX", "ZNAXIS", "ZNAXIS1", "ZTILE1", "ZNAME1", "ZVAL1", "ZQUANTIZ", "ZSCALE", "ZZERO"),
    *("CONTINUE", "HIERARCH", "GROUPS", "TTYPE1", "TDIM1", "TNULL1", "INHERIT", "DATE-OBS", "END"),
)
WORDS = (
    *("T", "F", "'IMAGE   '", "'BINTABLE'", "'RICE_1  '", "'GZIP_1  '", "'HCOMPRESS_1'"),
    *("'PLIO_1  '", "'GZIP_2  '", "'1PB(99999999)'", "'1QB(5)  '", "'99999999999E'", "'0A      '"),
    *("1E400", "NAN", "-32", "8", "64", "7", "'", "''", "(1.0, 2.0)", "0x10", "'NO_DITHER'"),
)


def changed_fits(generator: random.Random, content: bytes) -> bytes:
    """A FITS file with a card changed, dropped, doubled, moved or put in."""
    blocks = [content[place : place + 2880] for place in range(0, len(content), 2880)]
    headers = [i for i, block in enumerate(blocks) if block[:8] in (b"SIMPLE  ", b"XTENSION")]
    block = generator.choice(headers)
    cards = [blocks[block][place : place + 80] for place in range(0, 2880, 80)]
    place = generator.randrange(max(1, sum(bool(card.strip()) for card in cards)))
    how = generator.randrange(7)
    if how == 0:
        del cards[place]
    elif how == 1:
        cards.insert(place, cards[place])
    elif how == 2:
        other = generator.randrange(len(cards))
        cards[place], cards[other] = cards[other], cards[place]
    elif how == 3:
        cards.insert(place, _card(generator, generator.choice(CARDS)))
    elif how == 4:
        cards[place] = changed_bytes(generator, cards[place])
    else:
        cards[place] = _card(generator, cards[place][:8].decode("latin-1").strip())
    blocks[block] = b"".join(cards)[:2880].ljust(2880)
    if generator.random() < 0.1:
        blocks.insert(block, generator.choice(blocks))
    return b"".join(blocks)


def _card(generator: random.Random, name: str) -> bytes:
    said = generator.choice(
        (*(str(integer(generator)) for _ in range(6)), *WORDS, f"'{text(generator)}'")
    )
    return f"{name:8}= {said:>20}".encode("utf-8", "surrogatepass")[:80].ljust(80)


# Places and types of the fields of a NIfTI-1 header: sizes, type, bits, spacings, offset, scaling.
FIELDS = (
    *((0, "i"), *((40 + 2 * i, "h") for i in range(8)), (70, "h"), (72, "h"), (74, "h")),
    *(*((76 + 4 * i, "f") for i in range(5)), (108, "f"), (112, "f"), (116, "f"), (252, "h")),
    *((254, "h"), (344, "4s"), (348, "b"), (352, "i"), (356, "i"), (39, "b"), (123, "b")),
)
KINDS_OF_NUMBERS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1536, 1792, 2048, 2304, 255)
LENGTHS = (0.0, -1.0, 1.0, 352.0, 400.0, 1e9, 1e30, float("nan"), float("inf"), 0.5, 100.0)


def changed_nifti(generator: random.Random, content: bytes) -> bytes:
    """A NIfTI file with a field of its header changed."""
    found = bytearray(content)
    place, kind = generator.choice(FIELDS)
    value: int | float | bytes
    if kind == "f":
        value = generator.choice(LENGTHS)
    elif kind == "4s":
        value = generator.choice((b"n+2\0", b"ni1\0", b"\0\0\0\0", b"n+1x"))
    elif place == 70:
        value = generator.choice(KINDS_OF_NUMBERS)
    else:
        bits = 8 * struct.calcsize(kind)
        value = (integer(generator) + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
    struct.pack_into("<" + kind, found, place, value)
    return bytes(found)


def changed_packed_nifti(generator: random.Random, content: bytes) -> bytes:
    """A packed NIfTI file, changed inside or out, or of far too many numbers."""
    inside = changed_nifti(generator, gzip.decompress(content))
    packed = gzip.compress(generator.choice((inside, inside, inside, inside * 3, inside[:400])), 1)
    return generator.choice((packed,) * 5 + (packed + packed, changed_bytes(generator, packed)))
