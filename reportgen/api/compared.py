"""`compare`: reports beside each other, from Python."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from reportgen.api.report import Report
from reportgen.api.sentences import said_in_keywords
from reportgen.delivery.delivery import Delivery, Destination, ReportFiles
from reportgen.errors import ComparisonError
from reportgen.report.templates import framed


@dataclass(frozen=True, repr=False, eq=False)
class ComparedReports:
    """Reports that were compared. Printed, it is what the command says of them.

    Attributes
    ----------
    differs : names of the numbers that differ on these images.
    lines : the verdicts side by side, and how units were matched.
    """

    differs: tuple[str, ...]
    lines: tuple[str, ...]
    _files: ReportFiles

    @property
    def html(self) -> str:
        """The page, in one file."""
        return self._files.html.decode("utf-8")

    @property
    def markdown(self) -> str:
        """The comparison as Markdown, for a pull request."""
        return self._files.summary.decode("utf-8")

    @property
    def numbers(self) -> dict[str, Any]:
        """The content of comparison.json."""
        found: dict[str, Any] = json.loads(self._files.results)
        return found

    def __repr__(self) -> str:
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        return framed(self.html, "Comparison of reports")

    def save(self, page: str | PathLike[str] = "compare.html") -> Path:
        """Write the page, and return its path. Raises OutputError; then all is as it was."""
        with said_in_keywords():
            delivery = Delivery(Destination(Path(page)), ())
            delivery.write(ReportFiles(self._files.html))
        return delivery.page


def compare(
    *reports: Report | str | PathLike[str], names: Sequence[str] = (), title: str = ""
) -> ComparedReports:
    """Compare reports, or folders of results, with the first of them.

    Parameters
    ----------
    reports : two or more.
    names : of each, as printed; by default folders' names, and "report 1" and so on.
    title : of the page.

    Raises ComparisonError where they cannot be compared, ResultsError for a folder of none.
    """
    from reportgen.comparison.comparing import CompareRequest, compare_results

    if len(reports) < 2:
        raise ComparisonError("compare takes two reports or more, the first one to compare with.")
    if names and len(names) != len(reports):
        raise ComparisonError(f"names holds {len(names)} for {len(reports)} reports.")
    with said_in_keywords(), tempfile.TemporaryDirectory(prefix="reportgen-") as name:
        paths = tuple(_path_of(report, Path(name) / str(i)) for i, report in enumerate(reports))
        own = [
            f"report {place}" if isinstance(report, Report) else Path(report).name
            for place, report in enumerate(reports, start=1)
        ]
        found = compare_results(CompareRequest(paths, tuple(names or own), title=title))
    return ComparedReports(found.differs, found.lines, found.files)


def _path_of(report: Report | str | PathLike[str], folder: Path) -> Path:
    return report.save_results(folder) if isinstance(report, Report) else Path(report)
