"""A page as PDF, printed by a Chromium that is on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from reportgen.delivery.output import check_writable
from reportgen.errors import OutputError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SECONDS = 300


class PdfPrinter:
    """Prints a page to `target`.

    Raises OutputError at once where no Chromium is on PATH or the target's folder is not writable.
    """

    def __init__(self, target: Path) -> None:
        found = next(filter(None, map(shutil.which, BROWSERS)), None)
        if found is None:
            raise OutputError(
                f"--pdf needs Chromium or Chrome, and none of {', '.join(BROWSERS)} is on PATH; "
                "install one, or open the page in any browser and print it."
            )
        if target.is_dir():
            raise OutputError(f"{target} is a folder; give --pdf the name of a file.")
        check_writable(target.parent, target)
        self.browser = found
        self.target = target

    def print(self, page: Path) -> int:
        """Print the page of that path; returns the PDF's bytes.

        The target is there whole or not at all. Raises OutputError where the browser fails.
        """
        with tempfile.TemporaryDirectory(dir=self.target.parent, prefix=".printing.") as folder:
            printed = Path(folder) / "page.pdf"
            command = [
                self.browser,
                "--headless",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                "--no-pdf-header-footer",
                f"--user-data-dir={Path(folder) / 'profile'}",
                f"--print-to-pdf={printed}",
                page.resolve().as_uri(),
            ]
            # Chromium refuses its sandbox to root; the page holds no scripts but our own.
            if os.name == "posix" and os.geteuid() == 0:
                command.insert(1, "--no-sandbox")
            try:
                done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
            except (OSError, subprocess.TimeoutExpired) as error:
                raise OutputError(f"{self.browser} could not print {page}: {error}.") from error
            if done.returncode or not printed.is_file():
                lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
                raise OutputError(
                    f"{self.browser} could not print {page}: "
                    f"{lines[-1] if lines else f'exit code {done.returncode}'}."
                )
            size = printed.stat().st_size
            printed.replace(self.target)
        return size
