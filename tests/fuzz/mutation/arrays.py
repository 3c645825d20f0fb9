"""Changes to the headers of .npy, IDX and safetensors files."""

from __future__ import annotations

import ast
import random
import struct

from tests.fuzz.mutation.texts import changed_json
from tests.fuzz.mutation.values import integer, text

DTYPES = (
    *("<f4", ">f4", "<f8", "<f2", "<f16", "|u1", "|i1", "<u2", ">i8", "<i8", "|b1", "<c8", "|O"),
    *("<U3", "<U100000", "|S4", "|V8", "<M8[s]", "<m8", "|S0", "", "x", "<f4,<i4", "<f99"),
)
STRUCTURED = [("a", "<f4"), ("b", "<u1", (2, 3))]


def changed_npy(generator: random.Random, content: bytes) -> bytes:
    """An .npy file whose header says something else of its bytes."""
    start, size = (10, "<H") if content[6] == 1 else (12, "<I")
    (length,) = struct.unpack_from(size, content, 8)
    header = ast.literal_eval(content[start : start + length].decode("latin-1"))
    how = generator.randrange(5)
    if how == 0:
        header["descr"] = generator.choice((*DTYPES, STRUCTURED))
    elif how == 1:
        header["fortran_order"] = generator.choice((True, True, None, 1, "x"))
    elif how == 2:
        header[generator.choice((text(generator), "shape", "descr"))] = integer(generator)
    elif how == 3:
        header.pop(generator.choice(list(header)))
    else:
        shape = list(header["shape"])
        _resized(generator, shape)
        header["shape"] = tuple(shape)
    written = repr(header)
    if generator.random() < 0.05:
        written = generator.choice(
            ("(" * 3000, "{", "1" * 9000, "[" * 60 + "]" * 60, "f()", written + "+1")
        )
    body = written.encode("latin-1", "replace") + b"\n"
    version = generator.choice((content[6], content[6], content[6], 1, 2, 3, 9))
    packed = struct.pack("<H" if version == 1 else "<I", min(len(body), 65535))
    return b"\x93NUMPY" + bytes([version, 0]) + packed + body + content[start + length :]


def _resized(generator: random.Random, shape: list[int]) -> None:
    place = generator.randrange(len(shape)) if shape else 0
    how = generator.randrange(5)
    if how == 0 and shape:
        del shape[place]
    elif how == 1:
        shape.insert(place, generator.choice((0, 1, 1, integer(generator))))
    elif how == 2:
        shape.extend([1] * generator.choice((1, 3, 40, 70)))
    elif shape:
        shape[place] = generator.choice((integer(generator), shape[place] * 2, shape[place] - 1, 0))


def changed_idx(generator: random.Random, content: bytes) -> bytes:
    """An IDX file with another type, number of dimensions, or size."""
    found = bytearray(content)
    if generator.random() < 0.3:
        found[generator.choice((0, 1, 2, 3))] = generator.choice(
            (0, 1, 2, 3, 4, 8, 9, 11, 12, 13, 14, 255)
        )
    else:
        place = 4 + 4 * generator.randrange(content[3])
        found[place : place + 4] = struct.pack(">I", integer(generator) % 2**32)
    return bytes(found)


def changed_safetensors(generator: random.Random, content: bytes) -> bytes:
    """A safetensors file whose header says something else of its bytes."""
    (length,) = struct.unpack_from("<Q", content)
    header = changed_json(generator, content[8 : 8 + length])
    said = generator.choice((len(header),) * 9 + (integer(generator) % 2**64,))
    return struct.pack("<Q", said) + header + content[8 + length :]
