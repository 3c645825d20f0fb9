"""Reports found in folders, and the content that tells one from a later one."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reportgen.errors import CollectionError
from reportgen.shown import shown

RESULTS = "results.json"
# Pages of a report that lies beside its results, the first that is there.
PAGES = "report.html", "index.html", "page.html"
LARGEST_PAGE = 2**27
# Of larger ones nothing is read.
LARGEST_RESULTS = 2**28
MOST_REPORTS = 10_000
READ_AT_ONCE = 2**20


@dataclass(frozen=True)
class FoundReport:
    """A folder of results.

    Attributes
    ----------
    folder : where results.json is.
    key : its place in the site, a folder's name that no other report has.
    sha256 : of results.json, and of the size and time of the page beside it.
    page : what may be the page beside it, or None.
    """

    folder: Path
    key: str
    sha256: str
    page: Path | None


def find_reports(paths: Iterable[Path], without: Path) -> list[FoundReport]:
    """Every folder with a results.json at or below these paths, but below `without`.

    Raises CollectionError where there is none, or a path is not there.
    """
    folders: dict[str, tuple[Path, str]] = {}
    leave_out = os.path.realpath(without)
    for path in paths:
        if not path.exists():
            raise CollectionError(f"{shown(path)} is not there; name folders of results.")
        for folder, name in _folders(path):
            real = os.path.realpath(folder)
            if real != leave_out and not real.startswith(leave_out + os.sep):
                folders.setdefault(real, (folder, name))
    if not folders:
        raise CollectionError(
            f"No results.json lies in {', '.join(shown(path) for path in paths)}; make them with "
            "reportgen build --results."
        )
    if len(folders) > MOST_REPORTS:
        raise CollectionError(f"There are more than {MOST_REPORTS:,} reports; name fewer folders.")
    return list(_found(folders.values()))


def _folders(path: Path) -> Iterator[tuple[Path, str]]:
    """Folders of results, each with a name: its path from what was given."""
    if path.is_file():
        yield path.parent, path.resolve().parent.name
        return
    base = path.resolve().name
    # Not os.walk, which calls itself for each folder in a folder.
    waiting = [path]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(place) as listed:
                entries = sorted(listed, key=lambda entry: entry.name, reverse=True)
        except OSError:
            continue
        if any(
            entry.name == RESULTS and not entry.is_dir(follow_symlinks=False) for entry in entries
        ):
            relative = place.relative_to(path).as_posix()
            yield place, base if relative == "." else f"{base}/{relative}"
        waiting += [
            place / entry.name
            for entry in entries
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
        ]


def _found(folders: Iterable[tuple[Path, str]]) -> Iterator[FoundReport]:
    taken: set[str] = set()
    for folder, name in folders:
        slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:60] or "report"
        key, number = slug, 1
        while key in taken:
            number += 1
            key = f"{slug}-{number}"
        taken.add(key)
        page = next((folder / page for page in PAGES if (folder / page).is_file()), None)
        yield FoundReport(folder, key, _sha256(folder / RESULTS, page), page)


def page_content(page: Path) -> bytes | None:
    """The content of a page of one file that reportgen made; None for anything else."""
    if page.stat().st_size > LARGEST_PAGE:
        return None
    content = page.read_bytes()
    own = b'<meta name="generator" content="reportgen' in content[:4000]
    return content if own and b' id="results">' in content else None


def _sha256(results: Path, page: Path | None) -> str:
    """A digest; of what cannot be read, which is said where it is read, of nothing."""
    digest = hashlib.sha256()
    # A named pipe would be waited for, a device has no end.
    if results.is_file() and results.stat().st_size <= LARGEST_RESULTS:
        with contextlib.suppress(OSError), results.open("rb") as opened:
            while piece := opened.read(READ_AT_ONCE):
                digest.update(piece)
    if page is not None:
        status = page.stat()
        digest.update(f"{page.name} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()
