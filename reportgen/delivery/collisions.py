"""No input is ever written to, and no two outputs to one place: told before anything runs.

Places are compared by what they lead to (device and inode), not by how they are spelled: links,
hard links, "..", bind mounts and file systems that know no case make no difference.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from reportgen.delivery.output import BESIDE, Output
from reportgen.delivery.target import Target
from reportgen.errors import OutputError
from reportgen.shown import shown

# Device and inode of what is there, then the names of what is not there yet.
Place = tuple[int | str, ...]
# Files of these names may lie among a data set's: nothing reads them as images or labels.
NEVER_READ = re.compile(
    r".*\.(html?|pdf)|results\.(json|npz)|codes-[0-9a-f]{32}\.npy", re.IGNORECASE
)


@dataclass(frozen=True)
class Input:
    """A file or folder that is read.

    Attributes
    ----------
    flag : what the user calls it: MODEL, DATA, --fit-data, …
    path : as it was given; it need not be there.
    """

    flag: str
    path: Path


def refuse_collisions(
    output: Output, targets: Sequence[Target], cache: Path | None, inputs: Iterable[Input]
) -> None:
    """Raises OutputError where an output would be written over an input or another output.

    `targets` are all files that will be written, also those that are not `output`'s.
    """
    folders = [("--results", output.folder), ("--cache", cache)]
    made = [(flag, path) for flag, path in folders if path is not None]
    report_folder = output.report_folder
    try:
        _refuse_each_other(targets, made, report_folder)
        for given in inputs:
            for target in targets:
                _refuse_target(target, given)
            for flag, path in made:
                _refuse_folder(flag, path, given)
            if report_folder is not None:
                _refuse_report_folder(report_folder, given)
    except OSError as error:
        raise OutputError(
            f"{shown(error.filename or output.page)} cannot be written: {error.strerror or error}."
        ) from error


def refuse_file_collisions(targets: Sequence[Target], inputs: Iterable[Input]) -> None:
    """Raises OutputError where a file would be written over an input, or over another."""
    try:
        _refuse_each_other(targets, [], None)
        for given in inputs:
            for target in targets:
                _refuse_target(target, given)
    except OSError as error:
        raise OutputError(
            f"{shown(error.filename or targets[0].path)} cannot be written: "
            f"{error.strerror or error}."
        ) from error


def _refuse_each_other(
    targets: Sequence[Target], made: list[tuple[str, Path]], report_folder: Path | None
) -> None:
    places = [(target.flag, target.path, _place_of(target)) for target in targets]
    places += [(flag, path, place_of(path)) for flag, path in made]
    files = len(targets)
    for (i, one), (k, other) in combinations(enumerate(places), 2):
        if i >= files and k >= files:
            # Results and codes may share a folder: their files have names of their own.
            continue
        same = one[2] == other[2]
        below = _is_below(other[2], one[2]) if i < files else False
        above = _is_below(one[2], other[2]) if k < files else False
        if (same and not _swallows(targets[i])) or below or above:
            raise OutputError(
                f"{one[0]} {shown(one[1])} and {other[0]} {shown(other[1])} are one place; "
                "give each a name of its own."
            )
    if report_folder is None:
        return
    beside = place_of(report_folder / BESIDE)
    for flag, path, place in places:
        if place == beside or _is_below(place, beside):
            raise OutputError(
                f"{flag} {shown(path)} lies in {shown(report_folder / BESIDE)}, which is the "
                "report's own; give it another place."
            )


def _refuse_target(target: Target, given: Input) -> None:
    status = target.status()
    source = _status(given.path)
    if source is None:
        return
    if status is not None and _identity(status) == _identity(source):
        raise OutputError(
            f"{target.flag} {shown(target.path)} is {_named(given, target.path)}, which would be "
            f"written over; give {target.flag} another name."
        )
    if target.is_stream or not stat.S_ISDIR(source.st_mode):
        return
    if _lies_in(target.place, source):
        if NEVER_READ.fullmatch(target.place.name):
            return
        raise OutputError(
            f"{target.flag} {shown(target.path)} lies in {_named(given)} and would be read as one "
            f"of its files; give {target.flag} a place outside it."
        )
    if status is not None and _is_linked_from(given.path, status):
        raise OutputError(
            f"{target.flag} {shown(target.path)} is a file of {_named(given)}, which would be "
            f"written over; give {target.flag} another name."
        )


def _refuse_folder(flag: str, folder: Path, given: Input) -> None:
    source = _status(given.path)
    if source is not None and place_of(folder) == _identity(source):
        raise OutputError(
            f"{flag} {shown(folder)} is {_named(given, folder)}; give {flag} a folder of its own."
        )


def _refuse_report_folder(folder: Path, given: Input) -> None:
    source = _status(given.path)
    if source is None:
        return
    place = place_of(folder)
    if (
        place == _identity(source)
        or _lies_in(given.path, _status(folder))
        or (stat.S_ISDIR(source.st_mode) and _lies_in(folder, source))
        or _lies_in(given.path, _status(folder / BESIDE))
        or place_of(folder / BESIDE) == _identity(source)
    ):
        raise OutputError(
            f"The folder -o {shown(folder)} is, holds or lies in {_named(given)}; give -o a "
            "folder that is the report's alone."
        )


def place_of(path: Path) -> Place:
    """Return the place that a path leads to, also if nothing is there yet. Raises OSError."""
    real = Path(os.path.realpath(path))
    missing: list[str] = []
    while True:
        try:
            return (*_identity(real.stat()), *reversed(missing))
        except (FileNotFoundError, NotADirectoryError):
            # Names that differ in case only are one file on some systems: never two outputs.
            missing.append(unicodedata.normalize("NFC", real.name).casefold())
            real = real.parent


def _place_of(target: Target) -> Place:
    status = target.status()
    return place_of(target.place) if status is None else _identity(status)


def _swallows(target: Target) -> bool:
    """Tell whether what is written there is gone, so that two outputs do not meet."""
    return str(target.place) == os.devnull


def _is_below(place: Place, other: Place) -> bool:
    return len(place) > len(other) and place[: len(other)] == other


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (OSError, ValueError):
        # What is wrong with an input is said by who reads it.
        return None


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _lies_in(path: Path, folder: os.stat_result | None) -> bool:
    if folder is None or not stat.S_ISDIR(folder.st_mode):
        return False
    above = (_status(parent) for parent in Path(os.path.realpath(path)).parents)
    return any(status is not None and _identity(status) == _identity(folder) for status in above)


def _is_linked_from(folder: Path, status: os.stat_result) -> bool:
    """Tell whether a file outside the folder is one of its files: by a link, or a second name."""
    wanted = _identity(status)
    return any(
        _leads_to(entry, wanted)
        for entry in _files_below(folder)
        if entry.inode() == wanted[1] or entry.is_symlink()
    )


def _leads_to(entry: os.DirEntry[str], wanted: tuple[int, int]) -> bool:
    found = _status(Path(entry.path))
    return found is not None and _identity(found) == wanted


def _files_below(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Everything below a folder that is no folder; links to folders are followed, once each."""
    waiting, listed = [folder], set()
    while waiting:
        place = waiting.pop()
        try:
            status = place.stat()
            if _identity(status) in listed:
                continue
            listed.add(_identity(status))
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.is_dir():
                        waiting.append(Path(entry.path))
                    else:
                        yield entry
        except OSError:
            # A folder that may not be entered is not read either.
            continue


def _named(given: Input, path: Path | None = None) -> str:
    """The input's flag, and its path where it is spelled otherwise."""
    return given.flag if path == given.path else f"{given.flag} {shown(given.path)}"
