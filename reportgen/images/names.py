"""File names: natural order, safe display, class folders, and a seeded choice among many."""

from __future__ import annotations

import heapq
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

from reportgen.shown import shown

_DIGITS = re.compile(r"([0-9]+)")
_Key = tuple[str | tuple[int, str], ...]


def natural_order(name: str) -> tuple[tuple[_Key, ...], str]:
    """Sort key: folder by folder, numbers by value, letter case last ("2.png" < "10.png")."""
    return tuple(_natural(part) for part in name.split("/")), name


def _natural(part: str) -> _Key:
    # Digits are compared as (length, digits) without leading zeros: int() refuses very long runs.
    pieces = _DIGITS.split(part.casefold())
    texts, numbers = pieces[::2], [run.lstrip("0") for run in pieces[1::2]]
    keys: list[str | tuple[int, str]] = [texts[0]]
    for number, text in zip(numbers, texts[1:], strict=True):
        keys += [(len(number), number), text]
    return tuple(keys)


# How data sets call their parts.
SPLITS = frozenset(("train", "test", "validation", "valid", "val", "dev", "eval"))


def class_folders(names: Iterable[str], shared: str) -> tuple[str, ...] | None:
    """Each file's first folder below `shared`; None where all files lie directly in it.

    Folders that are all called train, test or the like are splits; classes are the folders in them.
    """
    below = [name[len(shared) :].split("/") for name in names]
    if all(parts[0].lower() in SPLITS and len(parts) > 1 for parts in below):
        below = [parts[1:] for parts in below]
    if all(len(parts) == 1 for parts in below):
        return None
    return tuple(shown(parts[0]) if len(parts) > 1 else "(no folder)" for parts in below)


@dataclass(frozen=True)
class Chosen:
    """Some of many names.

    Attributes
    ----------
    names : the chosen ones, in no particular order.
    count : how many there were.
    shared_folder : the deepest folder that holds all of them, chosen or not: "a/b/", "" for none.
    """

    names: tuple[str, ...]
    count: int
    shared_folder: str


def choose(names: Iterable[str], limit: int | None, seed: int) -> Chosen:
    """A random `limit` of the names (None: all); memory O(limit), names may be a stream.

    The choice is by hash of seed and name: the order of the names does not matter, and one more
    file changes at most one place.
    """
    kept: list[tuple[int, str]] = []
    count = 0
    shared: list[str] | None = None
    for name in names:
        count += 1
        shared = _common_start(shared, name.split("/")[:-1])
        if limit is None:
            kept.append((0, name))
        elif len(kept) < limit:
            heapq.heappush(kept, (-_rank(name, seed), name))
        else:
            heapq.heappushpop(kept, (-_rank(name, seed), name))
    folder = "".join(f"{part}/" for part in shared or ())
    return Chosen(tuple(name for _, name in kept), count, folder)


def _common_start(shared: list[str] | None, folders: list[str]) -> list[str]:
    if shared is None:
        return folders
    while shared != folders[: len(shared)]:
        shared.pop()
    return shared


def _rank(name: str, seed: int) -> int:
    digest = blake2b(
        os.fsencode(name), digest_size=8, salt=seed.to_bytes(16, "little", signed=True)
    )
    return int.from_bytes(digest.digest(), "little")
