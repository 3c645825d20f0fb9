"""A finished report as the files that it consists of."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from reportgen.delivery.delivery import ReportFiles
from reportgen.report.page import Page
from reportgen.report.results import Results
from reportgen.report.store import image_archive, results_json


def report_files(
    page: Page, results: Results, kept: Mapping[str, np.ndarray] | None
) -> ReportFiles:
    """The page, and results.json and results.npz with the arrays `kept`; None for neither."""
    html = page.html.encode("utf-8")
    if kept is None:
        return ReportFiles(html, page.files)
    plain = results_json(results).encode("utf-8")
    return ReportFiles(html, page.files, plain, image_archive(results, kept))
