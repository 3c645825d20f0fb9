"""Random damage to a file: each is read, or refused in one sentence that names it."""

from __future__ import annotations

import random
from pathlib import Path

from reportgen.errors import DataError
from reportgen.images import open_images


def reads_or_refuses(path: Path, times: int) -> None:
    """Change and cut the file in many ways, and open and read it each time."""
    whole, generator = path.read_bytes(), random.Random(0)
    # A library may keep what it has read of a file by its name.
    for number in range(times):
        damaged = bytearray(whole)
        for _ in range(generator.choice([1, 2, 8])):
            reach = min(len(damaged), generator.choice([512, 2048, len(damaged)]))
            damaged[generator.randrange(reach)] = generator.choice(
                [0, 255, generator.randrange(256)]
            )
        if generator.random() < 0.2:
            del damaged[generator.randrange(1, len(damaged)) :]
        other = path.with_name(f"{number % 5}-{path.name}")
        other.unlink(missing_ok=True)
        other.write_bytes(damaged)
        try:
            for _ in open_images(other).batches(4):
                pass
        except DataError as error:
            assert other.name in str(error) and "\n" not in str(error), error
