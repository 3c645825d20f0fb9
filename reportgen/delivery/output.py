"""Writing: checked before the work starts, whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import re
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from reportgen.errors import OutputError

INDEX = "index.html"
PICTURE_OF_OURS = re.compile(r"[0-9a-f]{16}\.webp")


class Output:
    """Where a report goes. Nothing appears under its final name before all of it is written.

    Parameters
    ----------
    page : path of the HTML file; in the layout "folder", of the folder that index.html is in.
    layout : "file", or "folder" with files beside the page.
    folder : where results.json and results.npz go, made if need be; None for neither.

    Raises OutputError at once where a folder is missing or cannot be written to.
    """

    def __init__(self, page: Path, folder: Path | None = None, layout: str = "file") -> None:
        self.page = page / INDEX if layout == "folder" else page
        self.folder = folder
        if layout == "folder":
            if page.exists() and not page.is_dir():
                raise OutputError(f"{page} is a file; give -o the name of a folder, as report.")
            _check_makeable(page)
        else:
            if page.is_dir():
                raise OutputError(
                    f"{page} is a folder; give -o the name of a file, as report.html."
                )
            check_writable(page.parent, page)
        if folder is not None:
            _check_makeable(folder)

    def write(
        self,
        html: str,
        results: str,
        images: dict[str, np.ndarray],
        beside: dict[str, bytes] | None = None,
    ) -> None:
        """Write everything to temporary files, then rename.

        `beside` is what belongs beside the page, by relative path. Pictures of an earlier report
        in the same folder are removed once the new one is there.

        Raises OutputError; then, and whatever else stops it, all is as it was before.
        """
        contents = {self.page.parent / name: data for name, data in (beside or {}).items()}
        contents[self.page] = html.encode("utf-8")
        if self.folder is not None:
            contents[self.folder / "results.json"] = results.encode("utf-8")
            contents[self.folder / "results.npz"] = _archive(images)
        with ExitStack() as undo:
            try:
                backups = _write_all(contents, undo)
            except OSError as error:
                raise OutputError(
                    f"The report cannot be written to {self.page}: {error.strerror or error}."
                ) from error
            undo.pop_all()
        for backup in backups:
            backup.unlink()
        for folder in {path.parent for path in contents if PICTURE_OF_OURS.fullmatch(path.name)}:
            for path in folder.iterdir():
                if PICTURE_OF_OURS.fullmatch(path.name) and path not in contents:
                    path.unlink()


def _write_all(contents: dict[Path, bytes], undo: ExitStack) -> list[Path]:
    """Put every file in its place; `undo` learns how to take it back. Returns earlier versions."""
    temporaries = []
    for path, content in contents.items():
        _make_folder(path.parent, undo)
        temporary = _write_beside(path, content)
        undo.callback(temporary.unlink, missing_ok=True)
        temporaries.append(temporary)
    backups = []
    for temporary, path in zip(temporaries, contents, strict=True):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, f"{path} is a folder")
        if path.exists():
            backup = path.with_name(f"{temporary.name}.earlier")
            os.link(path, backup)
            backups.append(backup)
            undo.callback(os.replace, backup, path)
        else:
            undo.callback(path.unlink, missing_ok=True)
        temporary.replace(path)
    return backups


def _make_folder(folder: Path, undo: ExitStack) -> None:
    for missing in reversed([p for p in (folder, *folder.parents) if not p.exists()]):
        missing.mkdir()
        undo.callback(missing.rmdir)


def _check_makeable(folder: Path) -> None:
    nearest = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    check_writable(nearest, folder)


def check_writable(folder: Path, target: Path) -> None:
    """Raises OutputError, about `target`, where nothing can be written in `folder`."""
    if not folder.is_dir():
        state = "is not a folder" if folder.exists() else "does not exist"
        raise OutputError(f"{target} cannot be written: {folder} {state}.")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"{target} cannot be written: {error.strerror or error} in {folder}."
        ) from error


def _write_beside(path: Path, content: bytes) -> Path:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _archive(images: dict[str, np.ndarray]) -> bytes:
    """An .npz; the time in its entries is fixed by numpy, so equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **images)  # type: ignore[arg-type]
    return buffer.getvalue()
