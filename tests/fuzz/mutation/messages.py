"""Changes to the fields of protocol buffers, as ONNX files are, whose types are not looked up."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.fuzz.mutation.bytes import changed_bytes
from tests.fuzz.mutation.values import integer, text

VARIABLE, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5
OPERATORS = (
    *(
        b"If",
        b"Loop",
        b"Scan",
        b"Identity",
        b"Reshape",
        b"Conv",
        b"Gemm",
        b"MatMul",
        b"Tile",
        b"Expand",
    ),
    *(
        b"Resize",
        b"Upsample",
        b"GatherND",
        b"ScatterND",
        b"OneHot",
        b"Range",
        b"Pad",
        b"TopK",
        b"Slice",
    ),
    *(
        b"Constant",
        b"ConstantOfShape",
        b"NonZero",
        b"RandomNormal",
        b"Transpose",
        b"Concat",
        b"Cast",
    ),
    *(b"Split", b"LSTM", b"GridSample", b"MaxUnpool", b"EyeLike", b"Einsum", b"CumSum", b"com.x"),
)


@dataclass
class Field:
    """A field of a message; `value` is a number, bytes, or the fields of a message inside."""

    number: int
    kind: int
    value: int | bytes | list[Field]


def changed_message(generator: random.Random, content: bytes) -> bytes:
    """A message with a field, at any depth, changed, dropped, doubled or moved."""
    fields = _parsed(content)
    assert fields is not None
    holders = [fields]
    for holder in holders:
        holders += [field.value for field in holder if isinstance(field.value, list)]
    holder = generator.choice([each for each in holders if each])
    place = generator.randrange(len(holder))
    field = holder[place]
    how = generator.randrange(8)
    if how == 0:
        del holder[place]
    elif how == 1:
        holder[place:place] = [field] * generator.choice((1, 2, 50))
    elif how == 2:
        generator.shuffle(holder)
    elif how == 3:
        other = generator.choice(generator.choice([each for each in holders if each]))
        holder[place] = Field(field.number, other.kind, other.value)
    elif isinstance(field.value, int):
        field.value = integer(generator) % 2**64
    elif isinstance(field.value, bytes):
        words = (changed_bytes(generator, field.value), text(generator).encode("utf-8", "replace"))
        field.value = generator.choice((*words, generator.choice(OPERATORS)))
    else:
        field.number = generator.randrange(1, 30)
    return _written(fields)


def _parsed(content: bytes, depth: int = 0) -> list[Field] | None:
    """The fields of a message; None where the bytes are none."""
    fields, place = [], 0
    while place < len(content):
        key, place = _variable(content, place)
        number, kind = key >> 3, key & 7
        if number == 0 or place < 0:
            return None
        value: int | bytes | list[Field]
        if kind == VARIABLE:
            value, place = _variable(content, place)
        elif kind in (EIGHT_BYTES, FOUR_BYTES):
            size = 8 if kind == EIGHT_BYTES else 4
            value, place = int.from_bytes(content[place : place + size], "little"), place + size
        elif kind == LENGTH:
            length, place = _variable(content, place)
            part = content[place : place + length]
            inner = _parsed(part, depth + 1) if 1 < length < 100_000 and depth < 8 else None
            value, place = part if inner is None else inner, place + length
        else:
            return None
        if place < 0 or place > len(content):
            return None
        fields.append(Field(number, kind, value))
    return fields


def _variable(content: bytes, place: int) -> tuple[int, int]:
    """A number of variable length and the place behind it, −1 where it does not end."""
    value = shift = 0
    while place < len(content) and shift < 70:
        byte = content[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
    return 0, -(10**9)


def _written(fields: list[Field]) -> bytes:
    found = bytearray()
    for field in fields:
        kind = LENGTH if isinstance(field.value, list | bytes) else field.kind
        found += _as_variable(field.number << 3 | kind)
        if isinstance(field.value, list | bytes):
            body = _written(field.value) if isinstance(field.value, list) else field.value
            found += _as_variable(len(body)) + body
        elif kind == VARIABLE:
            found += _as_variable(field.value)
        else:
            size = 8 if kind == EIGHT_BYTES else 4
            found += (field.value % 2 ** (8 * size)).to_bytes(size, "little")
    return bytes(found)


def _as_variable(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])
