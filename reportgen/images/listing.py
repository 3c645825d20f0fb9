"""The image files below a folder, by a walk that follows links, but not in circles."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from reportgen.errors import DataError
from reportgen.shown import shown

# What macOS, network storage by Synology, file systems and Windows put beside the user's own.
IGNORED_FOLDERS = frozenset(("__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN"))


class FolderWalk:
    """Image files below a folder, at any depth; hidden files and folders are left out.

    Each real folder is listed once: first the folders that lie here, then those that symbolic links
    lead to.

    Attributes
    ----------
    other_files : how many files there are of each suffix that is no image's, counted by the walk.
    outside : number of image files outside the folder that links lead to, counted by the walk.
    """

    def __init__(self, root: Path, suffixes: frozenset[str]) -> None:
        self._root = root
        self._suffixes = suffixes
        self._real_root = root.resolve()
        self._listed: set[tuple[int, int]] = set()
        self.other_files: Counter[str] = Counter()
        self.outside = 0

    def names(self) -> Iterator[str]:
        """Paths of the image files relative to the folder, "/" between parts, in no fixed order.

        Raises DataError for a link to a folder that holds it, and where a folder may not be read.
        """
        # A folder is inside like the one that holds it: resolving each takes its depth squared.
        waiting = [("", True)]
        while waiting:
            links: list[str] = []
            while waiting:
                folder, is_inside = waiting.pop()
                inner: list[str] = []
                yield from self._in_folder(folder, is_inside, inner, links)
                waiting += ((name, is_inside) for name in inner)
            linked = sorted(links, reverse=True)
            waiting = [(name, self._is_inside(self._root / name)) for name in linked]

    def _in_folder(
        self, folder: str, is_inside: bool, inner: list[str], links: list[str]
    ) -> Iterator[str]:
        place = self._root / folder
        if not self._first_visit(place):
            return
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or entry.name in IGNORED_FOLDERS:
                        continue
                    name = f"{folder}{entry.name}"
                    if not entry.is_dir():
                        if self._is_picture(entry):
                            linked = entry.is_symlink()
                            if not is_inside or (linked and not self._is_inside(Path(entry.path))):
                                self.outside += 1
                            yield name
                    elif entry.is_symlink():
                        _refuse_circle(Path(entry.path))
                        links.append(f"{name}/")
                    else:
                        inner.append(f"{name}/")
        except OSError as error:
            where = shown(str(error.filename or place))
            raise DataError(f"{where} cannot be read: {error.strerror}.") from error

    def _is_picture(self, entry: os.DirEntry[str]) -> bool:
        suffix = PurePosixPath(entry.name).suffix.lower()
        if suffix in self._suffixes:
            return True
        self.other_files[suffix] += 1
        return False

    def _first_visit(self, folder: Path) -> bool:
        status = folder.stat()
        identity = (status.st_dev, status.st_ino)
        first = identity not in self._listed
        self._listed.add(identity)
        return first

    def _is_inside(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self._real_root)


def _refuse_circle(link: Path) -> None:
    if link.parent.resolve().is_relative_to(link.resolve()):
        raise DataError(
            f"{shown(str(link))} is a symbolic link to a folder that holds it; remove the link."
        )
