"""Changes to folders: files that are missing, doubled, named otherwise, or no files."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any


class Odd(Enum):
    """Things that may lie in a file's place."""

    FOLDER = "folder"
    PIPE = "pipe"
    LINK_OUT = "/etc/passwd"
    LINK_NOWHERE = "nowhere"
    LINK_ROUND = "."
    UNREADABLE = "unreadable"


NAMES = ("labels.csv", "é.png", "a\x1b[2J.png", "x" * 200 + ".png", "\udcff.png", "<b>.png", ".png")


def file_contents(folder: Path) -> dict[str, bytes]:
    """The files below a folder by their path in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def changed_folder(generator: random.Random, files: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The files with one of them changed as a whole."""
    found = dict(files)
    how = generator.randrange(6)
    if how == 0:
        del found[name]
    elif how == 1:
        found[name] = b""
    elif how == 2:
        found[name] = found[generator.choice(list(found))]
    elif how == 3:
        inner = os.path.join(os.path.dirname(name), generator.choice(NAMES))  # noqa: PTH118, PTH120
        found[inner] = found.pop(name)
    elif how == 4:
        found[name + "/" * (generator.random() < 0.5) + generator.choice(NAMES)] = found.pop(name)
    else:
        found[name] = generator.choice(list(Odd))
    return found


def write_files(folder: Path, files: Mapping[str, Any]) -> None:
    """Make a folder of these files; another one in its place goes."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is Odd.FOLDER:
            path.mkdir()
        elif content is Odd.PIPE:
            os.mkfifo(path)
        elif content is Odd.UNREADABLE:
            path.write_bytes(b"x")
            path.chmod(0)
        else:
            path.symlink_to(content.value)
