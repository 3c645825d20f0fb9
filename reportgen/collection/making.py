"""The job of `reportgen site`: what is new is read and written, what is gone removed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from reportgen.checks.rules import Rule
from reportgen.collection.entries import Entry, EntryRequest, ReadEntry, entry_of_plain
from reportgen.collection.finding import FoundReport, find_reports, page_content
from reportgen.collection.index import IndexedReport, index_files
from reportgen.delivery.output import write_together
from reportgen.delivery.page_layout import PageLayout
from reportgen.delivery.target import Target
from reportgen.errors import CollectionError
from reportgen.shown import shown
from reportgen.version import __version__

LISTING = "site.json"
LARGEST_LISTING = 2**28
# Names of reports' folders, as `finding` makes them.
KEY = re.compile(r"[a-z0-9-]+")
SCHEMA_VERSION = "1.0"
READ_TOGETHER = 10
Order = Literal["date", "name"]
Read = Callable[[list[EntryRequest]], list[ReadEntry]]


@dataclass(frozen=True)
class SiteRequest:
    """A site that is asked for.

    Attributes
    ----------
    reports : folders to look in.
    output : the site's folder.
    title : of the index; base_url the site's address, or "".
    numbers : names of the numbers that the index shows; a trend is drawn of the first.
    rules : held against each report.
    order : of the rows.
    keep : how many of the newest reports are kept, or None for all.
    layout : of pages that are made.
    """

    reports: tuple[Path, ...]
    output: Path
    title: str
    base_url: str
    numbers: tuple[str, ...]
    rules: tuple[Rule, ...]
    order: Order
    keep: int | None
    layout: PageLayout


@dataclass(frozen=True)
class MadeSite:
    """A site that was made.

    Attributes
    ----------
    reports, pages : how many there are, and how many pages were made or copied this time.
    removed : how many reports are gone.
    damaged : folder and reason of each that could not be read.
    """

    reports: int
    pages: int
    removed: int
    damaged: tuple[tuple[str, str], ...]


def make_site(request: SiteRequest, read: Read, tell: Callable[[str], None]) -> MadeSite:
    """Make or renew a site. `read` reads reports; `tell` is told how far it has come.

    Raises CollectionError, and OutputError where something cannot be written.
    """
    output = request.output
    known = _known(output)
    wanted = _settings_of(request)
    found = find_reports(request.reports, output)
    earlier = known["entries"] if known.get("settings") == wanted else {}
    entries: dict[str, dict[str, Any]] = {}
    waiting: list[FoundReport] = []
    for report in found:
        kept = earlier.get(report.key, {"sha256": ""})
        same = kept["sha256"] == report.sha256
        if same and _is_whole(output / report.key, kept):
            entries[report.key] = kept
        else:
            waiting.append(report)
    pages = 0
    for start in range(0, len(waiting), READ_TOGETHER):
        part = waiting[start : start + READ_TOGETHER]
        tell(f"{start + len(part)} of {len(waiting)} new reports")
        for report, (entry, files) in zip(part, _read(part, request, read), strict=True):
            _write(output, {f"{report.key}/{name}": content for name, content in files.items()})
            entries[report.key] = {
                "sha256": report.sha256,
                "files": sorted(files),
                "entry": entry.as_plain(),
            }
            pages += "index.html" in files
    entries = _newest(entries, request.keep)
    removed = _remove_gone(output, known["entries"], entries)
    rows = [_indexed(key, entries[key]) for key in sorted(entries)]
    listing = {"schema_version": SCHEMA_VERSION, "settings": wanted, "entries": entries}
    files = index_files(rows, request.title, request.numbers, request.order, request.base_url)
    text = json.dumps(listing, ensure_ascii=False, indent=0, sort_keys=True)
    _write(output, {**files, LISTING: text.encode("utf-8")})
    damaged = tuple((row.key, row.entry.error) for row in rows if row.entry.error)
    return MadeSite(len(rows), pages, removed, damaged)


def _known(output: Path) -> dict[str, Any]:
    """The content of an earlier site.json. Raises CollectionError for a folder that is no site."""
    listing = output / LISTING
    if not listing.is_file():
        if (output / "index.html").exists():
            raise CollectionError(
                f"{shown(output)} holds an index.html that is no site of reportgen's; give -o a "
                "folder of its own."
            )
        return {"entries": {}}
    try:
        if listing.stat().st_size > LARGEST_LISTING:
            raise ValueError("it is too large")
        known = json.loads(listing.read_text(encoding="utf-8"))
        entries = known["entries"]
        for key, kept in entries.items():
            entry_of_plain(kept["entry"])
            names = [key, *kept["files"], kept["sha256"]]
            if not all(isinstance(name, str) and ".." not in name for name in names):
                raise ValueError("a name leads elsewhere")
            if not KEY.fullmatch(key) or any(name.startswith("/") for name in kept["files"]):
                raise ValueError("a name leads elsewhere")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CollectionError(
            f"{shown(listing)} cannot be read ({shown(error)}); remove it, and the site is made "
            "anew."
        ) from error
    return {"entries": entries, "settings": known.get("settings")}


def _settings_of(request: SiteRequest) -> str:
    """A digest of all that entries depend on beside their reports."""
    rules = [[rule.text, rule.severity] for rule in request.rules]
    plain = json.dumps([__version__, request.numbers, rules, request.layout])
    return hashlib.sha256(plain.encode("utf-8")).hexdigest()


def _is_whole(folder: Path, kept: dict[str, Any]) -> bool:
    return all((folder / name).exists() for name in kept["files"])


def _read(
    part: Sequence[FoundReport], request: SiteRequest, read: Read
) -> list[tuple[Entry, dict[str, bytes]]]:
    """Entries and files of some reports: a page that lies beside its results is copied."""
    copied: list[bytes | None] = []
    for report in part:
        copies = report.page is not None and request.layout == "file"
        copied.append(page_content(report.page) if copies and report.page else None)
    asked = [
        EntryRequest(report.folder, request.numbers, request.rules, page is None, request.layout)
        for report, page in zip(part, copied, strict=True)
    ]
    done = []
    for found, page in zip(read(asked), copied, strict=True):
        files = dict(found.files)
        if page is not None and not found.entry.error:
            files["index.html"] = page
        done.append((found.entry, files))
    return done


def _newest(entries: dict[str, dict[str, Any]], keep: int | None) -> dict[str, dict[str, Any]]:
    if keep is None:
        return entries
    ordered = sorted(entries, key=lambda key: (entries[key]["entry"]["date"], key), reverse=True)
    return {key: entries[key] for key in ordered[:keep]}


def _remove_gone(output: Path, known: dict[str, Any], entries: dict[str, Any]) -> int:
    """Remove the files of reports that are gone, which an earlier site.json says are ours."""
    gone = [key for key in known if key not in entries]
    for key in gone:
        if not _is_own(output, output / key):
            continue
        files = [output / key / name for name in known[key]["files"]]
        files = [file for file in files if _is_own(output, file.parent)]
        for file in files:
            with contextlib.suppress(OSError):
                file.unlink()
        # The deepest first; one that holds something else stays.
        for folder in sorted({output / key, *(file.parent for file in files)}, reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()
    return len(gone)


def _indexed(key: str, kept: dict[str, Any]) -> IndexedReport:
    entry, files = entry_of_plain(kept["entry"]), kept["files"]
    return IndexedReport(
        key=key,
        entry=entry,
        page=f"{key}/index.html" if "index.html" in files else "",
        preview=f"{key}/preview.png" if "preview.png" in files else "",
    )


def _is_own(output: Path, folder: Path) -> bool:
    """Tell whether a folder lies in the site's, and no link in between leads out of it."""
    place = Path(os.path.realpath(folder))
    return place.is_relative_to(os.path.realpath(output))


def _write(output: Path, files: dict[str, bytes]) -> None:
    for place in (output / name for name in files):
        is_file = place.is_file() and not place.is_symlink()
        if not _is_own(output, place.parent) or not (is_file or not os.path.lexists(place)):
            raise CollectionError(
                f"{shown(place)} is no file of this site, or a link that leads out of it; remove "
                "it, or give -o a folder of its own."
            )
    contents = [(Target(output / name, "-o"), content) for name, content in files.items()]
    if contents:
        write_together(contents, output)
