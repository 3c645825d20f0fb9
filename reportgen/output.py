"""Writing: checked before the work starts, whole or not at all."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

import numpy as np

from reportgen.errors import OutputError


class Output:
    """Where a report goes. Nothing appears under its final name before all of it is written.

    Parameters
    ----------
    page : path of the HTML file.
    folder : where results.json and results.npz go, made if need be; None for neither.

    Raises OutputError at once where a folder is missing or cannot be written to.
    """

    def __init__(self, page: Path, folder: Path | None = None) -> None:
        self.page = page
        self.folder = folder
        if page.is_dir():
            raise OutputError(f"{page} is a folder; give -o the name of a file, as report.html.")
        _check_writable(page.parent, page)
        if folder is not None:
            nearest = next(p for p in (folder, *folder.absolute().parents) if p.exists())
            _check_writable(nearest, folder)

    def write(self, html: str, results: str, images: dict[str, np.ndarray]) -> None:
        """Write everything to temporary files, then rename. Raises OutputError, leaving nothing."""
        contents = {self.page: html.encode("utf-8")}
        if self.folder is not None:
            contents[self.folder / "results.json"] = results.encode("utf-8")
            contents[self.folder / "results.npz"] = _archive(images)
        written: list[tuple[Path, Path]] = []
        try:
            for path, content in contents.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                written.append((_write_beside(path, content), path))
            for temporary, path in written:
                temporary.replace(path)
        except OSError as error:
            for temporary, _ in written:
                temporary.unlink(missing_ok=True)
            raise OutputError(
                f"The report cannot be written to {self.page}: {error.strerror or error}."
            ) from error


def _check_writable(folder: Path, target: Path) -> None:
    if not folder.is_dir():
        raise OutputError(f"{target} cannot be written: the folder {folder} does not exist.")
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
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _archive(images: dict[str, np.ndarray]) -> bytes:
    """An .npz; the time in its entries is fixed by numpy, so equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **images)  # type: ignore[arg-type]
    return buffer.getvalue()
