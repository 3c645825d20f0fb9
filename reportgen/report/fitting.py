"""A page that stays below its largest size: thinned by a stated rule, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reportgen.delivery.page_layout import PageLayout
from reportgen.errors import OutputError
from reportgen.report import numbers
from reportgen.report.page import HERO, VERDICT, Page, PageRenderer
from reportgen.report.question import Question
from reportgen.report.results import Results
from reportgen.report.thinning import thinnings_of

USUAL_MEGABYTES, LARGEST_MEGABYTES = 5.0, 25.0


def page_within_size(
    results: Results, questions: Sequence[Question], layout: PageLayout = "file"
) -> Page:
    """The page with as much as fits below `max_page_megabytes`; where that is not set, 5 MB.

    `thinnings_of` says in which order pictures go. Where a view or a template fails, the page is
    made again of results that say so; failures of an earlier page are forgotten. Raises
    OutputError where even the thinnest page is larger than the setting or, without one, than 25 MB.
    """
    failures: dict[str, str] = {}
    of_analyses = _failures_of_analyses(results, questions)
    while True:
        said = replace(results, failures=of_analyses | failures)
        page = _fitting_page(PageRenderer(said, questions, layout), said)
        if not page.failures:
            return replace(page, failures=failures)
        failures |= page.failures


def _failures_of_analyses(results: Results, questions: Sequence[Question]) -> dict[str, str]:
    """The failures that left a question without an answer, not those of drawing what is there."""
    drawn = {
        question.name
        for question in questions
        if question.answer is None or results.answer(question.name) is not None
    }
    drawn |= {HERO, VERDICT}
    return {name: why for name, why in results.failures.items() if name not in drawn}


def _fitting_page(renderer: PageRenderer, results: Results) -> Page:
    chosen = results.settings.max_page_megabytes
    wanted, most = (chosen, chosen) if chosen else (USUAL_MEGABYTES, LARGEST_MEGABYTES)
    thinnings = thinnings_of(results.provenance.picture_shape)
    for thinning in thinnings[:-1]:
        if (page := renderer.render_within(wanted * 1e6, thinning)) is not None:
            return page
    thinnest = renderer.render(thinnings[-1])
    if thinnest.size <= most * 1e6:
        return thinnest
    raise OutputError(
        f"The page would be {numbers.bytes_(thinnest.size)} even without most of its pictures, "
        f"more than the {numbers.bytes_(round(most * 1e6))} it may have; allow more with "
        "--max-size."
    )
