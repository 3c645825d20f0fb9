"""Writing: checked before the work starts, whole or not at all."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from reportgen.delivery.page_layout import PageLayout
from reportgen.delivery.target import Staged, Target, check_writable
from reportgen.errors import OutputError
from reportgen.shown import shown

INDEX = "index.html"
BESIDE = "assets"
PICTURE_OF_OURS = re.compile(r"[0-9a-f]{16}\.webp")
RESULTS_FILES = ("results.json", "results.npz")


class Output:
    """Files of one report. None appears under its final name before all of them are written.

    Parameters
    ----------
    page : path of the HTML file; in the layout "folder", of the folder that index.html is in.
    layout : "file", or "folder" with files beside the page.
    folder : where results.json and results.npz go, made if need be; None for neither.

    Raises OutputError at once where a folder is missing or cannot be written to.
    """

    def __init__(self, page: Path, folder: Path | None = None, layout: PageLayout = "file") -> None:
        self.page = page / INDEX if layout == "folder" else page
        self.folder = folder
        self.report_folder = page if layout == "folder" else None
        with _as_output_error(page):
            if self.report_folder is not None:
                if page.exists() and not page.is_dir():
                    raise OutputError(
                        f"{shown(page)} is a file; give -o the name of a folder, as report."
                    )
                check_makeable(page)
            self.targets = tuple(self._targets())
            for target in self.targets:
                if target.status() is not None or target.path == page:
                    target.check()
        if folder is not None:
            with _as_output_error(folder):
                check_makeable(folder)

    @property
    def page_is_stream(self) -> bool:
        """Tell whether the page is gone once it is written, as through a pipe."""
        return self.targets[0].is_stream

    def write(
        self,
        html: bytes | str,
        results: bytes | str,
        images: bytes,
        beside: dict[str, bytes] | None = None,
        more: Iterable[tuple[Target, bytes]] = (),
    ) -> None:
        """Write everything to temporary files, then rename; what goes through a stream, last.

        `images` is the content of results.npz, `beside` what belongs beside the page, by relative
        path, and `more` files that lie elsewhere. Pictures of an earlier report in the same folder
        are removed once the new one is there.

        Raises OutputError; then, and whatever else stops it, all is as it was before.
        """
        page, *results_files = self.targets
        contents = [
            (Target(self.page.parent / name, "-o"), data) for name, data in (beside or {}).items()
        ]
        contents.append((page, _encoded(html)))
        contents += zip(results_files, (_encoded(results), images), strict=False)
        contents += more
        write_together(contents, self.page)
        _remove_other_pictures({target.path for target, _ in contents})

    def _targets(self) -> Iterator[Target]:
        yield Target(self.page, "-o")
        if self.folder is not None:
            yield from (Target(self.folder / name, "--results") for name in RESULTS_FILES)


def identities(targets: Iterable[Target]) -> frozenset[tuple[int, int]]:
    """Device and inode of those of the files that are there now."""
    there = (target.status() for target in targets if not target.is_stream)
    return frozenset((status.st_dev, status.st_ino) for status in there if status is not None)


def write_together(contents: list[tuple[Target, bytes]], about: Path) -> None:
    """Write all of these files or none.

    Raises OutputError about `about`; then, and whatever else stops it, all is as it was before.
    """
    with ExitStack() as undo:
        try:
            needless = _write_all(contents, undo)
        except OSError as error:
            raise OutputError(
                f"The report cannot be written to {shown(about)}: {error.strerror or error}."
            ) from error
        undo.pop_all()
    for path in needless:
        # The report is there; that an earlier one lies beside it is no failure.
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _write_all(contents: list[tuple[Target, bytes]], undo: ExitStack) -> list[Path]:
    """Put every file in its place; `undo` learns how to take it back.

    Returns what is needless once all of them are there.
    """
    staged: list[Staged] = []
    for target, content in contents:
        make_folder(target.place.parent, undo)
        staged.append(target.stage(content, undo))
    staged.sort(key=lambda waiting: waiting.is_stream)
    return [path for waiting in staged for path in waiting.put(undo)]


def make_folder(folder: Path, undo: ExitStack) -> None:
    """Make a folder and those around it; `undo` learns to remove those that were not there."""
    for missing in reversed([p for p in (folder, *folder.parents) if not p.exists()]):
        missing.mkdir()
        undo.callback(missing.rmdir)


def check_makeable(folder: Path) -> None:
    """Raises OutputError where a folder is not there and cannot be made, or takes no files."""
    with _as_output_error(folder):
        nearest = next(p for p in (folder, *folder.absolute().parents) if p.exists())
        check_writable(nearest, folder)


def _remove_other_pictures(written: set[Path]) -> None:
    """Remove pictures of an earlier report where the new one's are."""
    for folder in {path.parent for path in written if PICTURE_OF_OURS.fullmatch(path.name)}:
        for path in folder.iterdir():
            if PICTURE_OF_OURS.fullmatch(path.name) and path not in written:
                with contextlib.suppress(OSError):
                    path.unlink()


def _encoded(text: str | bytes) -> bytes:
    return text.encode("utf-8") if isinstance(text, str) else text


@contextlib.contextmanager
def _as_output_error(path: Path) -> Iterator[None]:
    """Turn the system's refusal of a path into one sentence, an OutputError."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{shown(path)} cannot be written: {reason}.") from error
