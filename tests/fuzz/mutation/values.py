"""Numbers and texts that readers forget."""

from __future__ import annotations

import random
from typing import Any

INTEGERS = (
    *(0, 1, -1, 2, 3, 7, 64, 127, 128, 255, 256, 257, 1000, 32767, 32768, 65535, 65536, 10**6),
    *(2**24, 2**31 - 1, 2**31, -(2**31), 2**32 - 1, 2**32, 10**9, 2**40, 2**53, 2**62, 2**63 - 1),
    *(2**63, -(2**63), 2**64 - 1, 2**64, 10**30, -(10**30)),
)
FLOATS = (
    *(0.0, -0.0, 0.5, -1.5, 1e-300, 1e-45, 1e300, 1e308, 3.4e38, 1e9, -1e9),
    *(float("inf"), float("-inf"), float("nan")),
)
TEXTS = (
    *("", " ", "0", "-1", "1e999", "nan", "null", "None", "true", "a", "A" * 300, "x" * 70_000),
    *("\0", "a\0b", "\n", "a\nb", "\r", "\t", "\x1b[2J", "\u202e", "\ufeff", "\ud800", "é", "𝒳"),
    *("/", "..", ".", "../../../../etc/passwd", "/etc/passwd", "/proc/self/mem", "/dev/zero"),
    *(
        "<script>alert(1)</script>",
        "{{ 7 * 7 }}",
        "{% raw %}",
        "%s%n%d",
        "'\"\\",
        "$(touch marker)",
    ),
    *("os.system", "__class__", "__reduce__", "self.weight", "a.b.c.d", "torch.nn.Linear", "a/b:c"),
    *("(" * 500, "[" * 5000, "." * 300, ",", ";", ":", "=", "#", "-", "1,5", "1_000", "0x10"),
)


def integer(generator: random.Random) -> int:
    """A whole number, of those that are at the edge of something, or near one."""
    found = generator.choice(INTEGERS)
    return found + generator.choice((-1, 0, 0, 0, 1))


def text(generator: random.Random) -> str:
    """A text that is no name, a path, code, or too long."""
    return generator.choice(TEXTS)


def plain(generator: random.Random) -> Any:
    """A value that JSON can have, of any type."""
    return generator.choice(
        (
            lambda: integer(generator),
            lambda: generator.choice(FLOATS),
            lambda: text(generator),
            lambda: None,
            lambda: generator.random() < 0.5,
            list,
            dict,
            lambda: [integer(generator) for _ in range(generator.randrange(9))],
            lambda: [[], {}],
            lambda: {text(generator)[:50]: integer(generator)},
            lambda: nested(generator.choice((2, 10, 70))),
        )
    )()


def nested(depth: int) -> Any:
    """Lists in lists."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value
