"""Finds the image that a line of a table means, where its name is not written as the file's.

Unicode knows two spellings of an accented letter (files from macOS have the longer one), Windows
does not tell case apart and writes its own drives and folders, and many tables leave suffixes out.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import TypeVar

Line = TypeVar("Line")


def match_loosely(lines: Iterable[tuple[str, Line]], names: Sequence[str]) -> dict[int, Line]:
    """The line of each image that has one and only one, by the place of the image in `names`.

    `lines` are those whose name is no image's, with that name; `names` the paths of all images. A
    line may have another spelling of letters, another case, no suffix, more folders in front, or
    no folder. One that fits several images, and an image that several fit, are left out.
    """
    whole: dict[str, set[int]] = {}
    bare: dict[str, set[int]] = {}
    for place, name in enumerate(names):
        path = PurePosixPath(folded(name))
        for keys, each in ((whole, path), (bare, PurePosixPath(path.name))):
            for key in (str(each), str(each.with_suffix(""))):
                keys.setdefault(key, set()).add(place)
    claims: dict[int, list[Line]] = {}
    for written, line in lines:
        parts = folded(written).split("/")
        # What is left of a path may be the bare name of an image in another folder.
        found = [whole.get(key, set()) for key in _shorter(parts)]
        if len(parts) == 1:
            found.append(bare.get(parts[0], set()))
        places = next(filter(None, found), set())
        if len(places) == 1:
            claims.setdefault(min(places), []).append(line)
    return {place: claimed[0] for place, claimed in claims.items() if len(claimed) == 1}


def folded(name: str) -> str:
    """A name in one spelling of its letters, without regard to case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _shorter(parts: list[str]) -> Iterator[str]:
    """Yield the path, and what is left of it with fewer and fewer folders in front."""
    return ("/".join(parts[start:]) for start in range(len(parts)))
