"""A page as PDF, printed by a Chromium that is on this machine: a summary, or everything."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from reportgen.delivery.output import write_together
from reportgen.delivery.target import Target
from reportgen.errors import OutputError
from reportgen.shown import shown

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SECONDS = 300
# The page's own scripts open all that is folded where its address ends so.
EVERYTHING = "#print-all"


class PdfPrinter:
    """Prints a page to `target`, which was given with `flag`: its summary, or `everything`.

    Raises OutputError at once where no Chromium is on PATH or the target's folder is not writable.
    """

    def __init__(self, target: Path, flag: str = "--pdf", *, everything: bool = False) -> None:
        found = next(filter(None, map(shutil.which, BROWSERS)), None)
        if found is None:
            raise OutputError(
                f"{flag} needs Chromium or Chrome, and none of {', '.join(BROWSERS)} is on PATH; "
                "install one, or open the page in any browser and print it."
            )
        self.everything = everything
        self.target = Target(target, flag)
        self.target.check()
        self.browser = found

    def print(self, page: Path, html: bytes | None = None) -> int:
        """Print the page of that path, or `html` in its place; returns the PDF's bytes.

        The target is there whole or not at all. Raises OutputError where the browser fails.
        """
        with tempfile.TemporaryDirectory(dir=self._folder(), prefix=".printing.") as folder:
            printed = Path(folder) / "page.pdf"
            if html is not None:
                page = Path(folder) / "page.html"
                page.write_bytes(html)
            command = [
                self.browser,
                "--headless",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                "--no-pdf-header-footer",
                f"--user-data-dir={Path(folder) / 'profile'}",
                f"--print-to-pdf={printed}",
                page.resolve().as_uri() + (EVERYTHING if self.everything else ""),
            ]
            # Chromium refuses its sandbox to root; the page holds no scripts but our own.
            if os.name == "posix" and os.geteuid() == 0:
                command.insert(1, "--no-sandbox")
            try:
                done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
            except (OSError, subprocess.TimeoutExpired) as error:
                raise OutputError(
                    f"{self.browser} could not print {shown(page)}: {shown(error)}."
                ) from error
            if done.returncode or not printed.is_file():
                lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
                raise OutputError(
                    f"{self.browser} could not print {shown(page)}: "
                    f"{shown(lines[-1]) if lines else f'exit code {done.returncode}'}."
                )
            content = printed.read_bytes()
        write_together([(self.target, content)], self.target.path)
        return len(content)

    def _folder(self) -> Path | None:
        """Beside the target, where some browsers may write that may not elsewhere."""
        beside = self.target.place.parent
        return None if self.target.is_stream or not os.access(beside, os.W_OK) else beside
