"""Changes to bytes, whatever they stand for."""

from __future__ import annotations

import random

from tests.fuzz.mutation.values import integer

LONGEST_BLOCK = 64


def changed_bytes(generator: random.Random, content: bytes) -> bytes:
    """Flip, overwrite, cut, insert, copy or drop bytes."""
    if not content:
        return bytes(generator.randrange(256) for _ in range(generator.randrange(40)))
    return generator.choice((_flipped, _flipped, _numbered, _numbered, _cut, _moved, _filled))(
        generator, content
    )


def _place(generator: random.Random, content: bytes) -> int:
    """Headers stand at both ends of files; what is between is mostly numbers."""
    near = min(len(content), 600)
    where = generator.random()
    if where < 0.4:
        return generator.randrange(near)
    if where < 0.7:
        return len(content) - 1 - generator.randrange(near)
    return generator.randrange(len(content))


def _flipped(generator: random.Random, content: bytes) -> bytes:
    found = bytearray(content)
    for _ in range(generator.choice((1, 1, 2, 4, 16))):
        found[_place(generator, content)] ^= generator.choice(
            (1, 128, 255, generator.randrange(256))
        )
    return bytes(found)


def _numbered(generator: random.Random, content: bytes) -> bytes:
    """A number of 1, 2, 4 or 8 bytes at the edge of what it can be."""
    size, order = generator.choice((1, 2, 4, 4, 8)), generator.choice(("little", "big"))
    place = _place(generator, content)
    number = (integer(generator) % 2 ** (8 * size)).to_bytes(size, order)
    return content[:place] + number + content[place + size :]


def _cut(generator: random.Random, content: bytes) -> bytes:
    return content[: _place(generator, content)]


def _moved(generator: random.Random, content: bytes) -> bytes:
    """A block dropped, doubled or copied elsewhere."""
    start = _place(generator, content)
    block = content[start : start + generator.randrange(1, LONGEST_BLOCK)]
    place = _place(generator, content)
    how = generator.randrange(3)
    if how == 0:
        return content[:start] + content[start + len(block) :]
    behind = place if how == 1 else place + len(block)
    return content[:place] + block * generator.choice((1, 2, 30)) + content[behind:]


def _filled(generator: random.Random, content: bytes) -> bytes:
    start, value = _place(generator, content), generator.choice((0, 255, 65))
    size = min(generator.randrange(1, LONGEST_BLOCK), len(content) - start)
    return content[:start] + bytes([value]) * size + content[start + size :]
