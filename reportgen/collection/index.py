"""The index of a site: a table that is whole without scripts, a trend, and a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reportgen import __version__
from reportgen.collection.entries import Entry
from reportgen.figures.charts import Chart, Curve, line_chart
from reportgen.report.assets import FOLDER_POLICY
from reportgen.report.template_folder import template_folder
from reportgen.report.templates import Templates
from reportgen.report.words import SCALES, WHICH_MATTER

STYLES = "style.css", "site.css"
QUESTIONS = (*(scale.question for scale in SCALES[:3]), WHICH_MATTER, SCALES[3].question)


@dataclass(frozen=True)
class IndexedReport:
    """One row: the report's place, its entry, and its page and picture, "" for none."""

    key: str
    entry: Entry
    page: str
    preview: str


def index_files(
    rows: Sequence[IndexedReport], title: str, numbers: Sequence[str], order: str, base_url: str
) -> dict[str, bytes]:
    """index.html and its assets, by relative path; the same rows give the same bytes."""
    by_date = sorted(rows, key=lambda row: (row.entry.date, row.key))
    ordered = by_date[::-1] if order == "date" else sorted(rows, key=lambda row: row.key)
    newest = next((row for row in by_date[::-1] if row.preview), None)
    page = (
        Templates()
        .environment()
        .get_template("site.html.j2")
        .render(
            title=title,
            version=__version__,
            policy=FOLDER_POLICY,
            rows=ordered,
            numbers=numbers,
            questions=QUESTIONS,
            trend=_trend(by_date, numbers),
            base_url=base_url.rstrip("/"),
            newest=newest,
            has_rules=any(row.entry.rules for row in rows),
        )
    )
    return {
        "index.html": page.encode("utf-8"),
        "assets/site.css": b"".join(map(_asset, STYLES)),
        "assets/theme.js": _asset("theme.js"),
        "assets/site.js": _asset("tables.js") + _asset("search.js"),
    }


def _asset(name: str) -> bytes:
    return (template_folder() / "assets" / name).read_bytes()


def _trend(rows: Sequence[IndexedReport], numbers: Sequence[str]) -> Chart | None:
    """The first of the numbers over the reports by date; None below two of them."""
    if not numbers:
        return None
    found = [row.entry.numbers[0] for row in rows if row.entry.numbers]
    known = [number for number in found if np.isfinite(number.value)]
    if len(known) < 2:
        return None
    value, low, high = (
        np.array([getattr(number, end) for number in known]) for end in ("value", "low", "high")
    )
    low, high = np.where(np.isfinite(low), low, value), np.where(np.isfinite(high), high, value)
    places = np.arange(1, len(known) + 1)
    curve = Curve("model", places, value, low, high, marked=len(known) <= 60)
    return line_chart([curve], "reports by date, oldest first", numbers[0], top=float(value.max()))
