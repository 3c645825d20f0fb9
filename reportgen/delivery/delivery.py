"""Everything that a command writes: checked before the work starts, written when it is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from reportgen.delivery.collisions import Input, refuse_collisions
from reportgen.delivery.files import Files
from reportgen.delivery.output import Output, identities
from reportgen.delivery.page_layout import PageLayout
from reportgen.delivery.printing import PdfPrinter
from reportgen.delivery.target import Target
from reportgen.process.gentle_end import ended_gently


@dataclass(frozen=True)
class ReportFiles:
    """A finished report, ready to be written.

    Attributes
    ----------
    html : the page.
    beside : what belongs beside it in the layout "folder", by relative path.
    results, images : contents of results.json and results.npz; empty where nobody asked for them.
    summary, preview : the report in short, as Markdown and as a picture; likewise.
    """

    html: bytes
    beside: dict[str, bytes] = field(default_factory=dict)
    results: bytes = b""
    images: bytes = b""
    summary: bytes = b""
    preview: bytes = b""


@dataclass(frozen=True)
class Destination:
    """Paths of all files that a build writes.

    Attributes
    ----------
    page, layout : the page's path, or its folder's in the layout "folder".
    results_folder, cache : folder of results.json and results.npz, folder of codes; None for none.
    pdf, pdf_full : files of the page as PDF, its summary and all of it; None for none.
    summary, preview : files of the report in short; None for none.
    """

    page: Path
    layout: PageLayout = "file"
    results_folder: Path | None = None
    pdf: Path | None = None
    pdf_full: Path | None = None
    cache: Path | None = None
    summary: Path | None = None
    preview: Path | None = None


class Delivery:
    """All that will be written, found possible before the work starts.

    Raises OutputError where something cannot be written, or would be written over an input.
    """

    def __init__(self, destination: Destination, inputs: tuple[Input, ...]) -> None:
        self._output = Output(destination.page, destination.results_folder, destination.layout)
        wanted = (("--pdf", destination.pdf, False), ("--pdf-full", destination.pdf_full, True))
        self._printers = [
            PdfPrinter(path, flag, everything=everything)
            for flag, path, everything in wanted
            if path is not None
        ]
        self._short = Files({"--summary": destination.summary, "--preview": destination.preview})
        self._targets = [
            *self._output.targets,
            *self._short.targets.values(),
            *(printer.target for printer in self._printers),
        ]
        refuse_collisions(self._output, self._targets, destination.cache, inputs)

    @property
    def page(self) -> Path:
        """The page's own path, also in the layout "folder"."""
        return self._output.page

    @property
    def targets(self) -> tuple[Target, ...]:
        """All files that will be written but those in a report's folder beside its page."""
        return tuple(self._targets)

    @property
    def written_over(self) -> frozenset[tuple[int, int]]:
        """Device and inode of each file that is there now and will be written over."""
        return identities(self._targets)

    @property
    def fills_stdout(self) -> bool:
        """Tell whether something goes to standard output, where nothing else belongs then."""
        return any(target.descriptor == 1 for target in self._targets)

    @property
    def prints(self) -> bool:
        """Tell whether the page is printed too."""
        return bool(self._printers)

    def write(self, files: ReportFiles) -> None:
        """Write all files but the PDF. Raises OutputError; then all is as it was before."""
        with ended_gently():
            short = self._short.contents({"--summary": files.summary, "--preview": files.preview})
            self._output.write(files.html, files.results, files.images, files.beside, short)

    def print(self, files: ReportFiles) -> tuple[tuple[Path, int], ...]:
        """Print the page that was written; returns each PDF with its bytes. Raises OutputError."""
        html = files.html if self._output.page_is_stream else None
        with ended_gently():
            return tuple(
                (printer.target.path, printer.print(self._output.page, html))
                for printer in self._printers
            )
