"""Reports found in folders, and the content that tells one from a later one."""

from __future__ import annotations

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
    for place, below, files in os.walk(path):
        below[:] = sorted(name for name in below if not name.startswith("."))
        if RESULTS in files:
            relative = Path(place).relative_to(path).as_posix()
            yield Path(place), base if relative == "." else f"{base}/{relative}"


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
    digest = hashlib.sha256()
    with results.open("rb") as opened:
        while piece := opened.read(READ_AT_ONCE):
            digest.update(piece)
    if page is not None:
        status = page.stat()
        digest.update(f"{page.name} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()
