"""Sentences about what a build takes, and what it spares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reportgen.suite.speed import Speed


def spared_sentence(
    limit: float,
    speed: Speed,
    *,
    counts: Mapping[str, tuple[int, int]],
    rows: tuple[int, int],
    table: tuple[int, int],
    is_coarse: bool,
    left_out: Iterable[str],
) -> str:
    """Say what a build spares to stay within so many seconds.

    `counts`, `rows` and `table` are how many there would be, and how many there are at most.
    """
    spared = [
        f"{has:,} of the {had:,} {what} were read, chosen at random"
        for what, (had, has) in counts.items()
        if has < had
    ]
    if rows[1] < rows[0]:
        spared.append(f"statistics come from {rows[1]} rows instead of {rows[0]}")
    if table[1] < table[0]:
        spared.append(f"the coalition table from {table[1]} rows instead of {table[0]}")
    if is_coarse:
        spared.append(
            "walks have fewer frames, paths fewer steps, which are not doubled, the coalition "
            "table fewer players, and pictures, off-data shares and drawn mean codes fewer rows "
            "(the settings below say how many)"
        )
    names = ", ".join(name.replace("_", " ") for name in left_out)
    if names:
        spared.append(f"not asked were: {names}")
    decode = each_words(speed.decode)
    return f"To stay within --max-seconds {limit:g}, at {decode} a decode: {'; '.join(spared)}."


def duration(seconds: float) -> str:
    """ "45 s", "12 min", "3.4 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


def each_words(seconds: float) -> str:
    """ "0.52 s", "28 ms"."""
    return f"{seconds:.2g} s" if seconds >= 0.1 else f"{1000 * seconds:.2g} ms"
