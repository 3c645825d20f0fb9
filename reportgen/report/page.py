"""Results to the page: Jinja templates, inlined assets, one file or a folder."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from reportgen.analyses.contributions import Contributions
from reportgen.analyses.health import Health
from reportgen.delivery.page_layout import PageLayout
from reportgen.figures.colours import ANCHOR_COLOURS, ANCHORS, diverging_steps
from reportgen.figures.sprites import SpriteMaker
from reportgen.report.album import Album, AlbumFullError
from reportgen.report.assets import Assets
from reportgen.report.drawing import Drawing
from reportgen.report.evidence import ShownLine, shown_lines
from reportgen.report.headline import WORRYING_OFF_DATA, headline_of
from reportgen.report.hero import hero_of
from reportgen.report.limits import limits_of
from reportgen.report.packing import packed
from reportgen.report.question import Place, Question
from reportgen.report.results import Results
from reportgen.report.script_data import safe_in_script
from reportgen.report.store import results_json
from reportgen.report.thinning import Thinning

HERO, VERDICT = "hero", "verdict"
PLACES = tuple(Place)
LINES = PLACES[:5]


@dataclass(frozen=True)
class Page:
    """A rendered report.

    Attributes
    ----------
    html : the page.
    section_bytes : size of each section with the pictures that it is first to show, by its name,
        and of "head" (styles, scripts, results); they sum to `size` but for the page's frame.
    files : what belongs beside it, by relative path; empty in the layout "file".
    failures : by question, the error of a view or a template: a fault of ours, or of the package
        that the question comes from. The section says so, and the rest of the page is whole.
    """

    html: str
    section_bytes: dict[str, int]
    files: dict[str, bytes] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of the page and of what belongs beside it."""
        return len(self.html.encode("utf-8")) + sum(map(len, self.files.values()))


@dataclass(frozen=True)
class Rendered:
    """One section as HTML, with what the contents list needs."""

    question: Question
    html: Any


class PageRenderer:
    """Renders the page of results with all or some of its pictures; the same give the same bytes.

    A section for each question that has a title. In the layout "file" everything is inside the
    page; in "folder" pictures, styles, scripts and results.json are files under `assets/`.
    Pictures, compiled templates and results.json are kept from one page to the next.
    """

    def __init__(self, results: Results, questions: Sequence[Question], layout: PageLayout) -> None:
        from reportgen.report.templates import Templates

        self._results, self._layout = results, layout
        self._questions = in_page_order(
            question
            for question in questions
            if question.title and question.name not in results.not_applicable
        )
        self._headline = headline_of(results)
        self._maker, self._templates = SpriteMaker(), Templates(questions)
        self._data = results_json(results, indent=None)
        self._packed = packed(self._data.encode("utf-8")) if layout == "file" else ""

    def render(self, thinning: Thinning) -> Page:
        """The page without the pictures that `thinning` leaves out."""
        return self._render(thinning, Album(self._layout))

    def render_within(self, most_bytes: float, thinning: Thinning) -> Page | None:
        """`render`, or None where that page is larger than `most_bytes`.

        It is given up once its pictures alone are too large, and the rest of them not encoded.
        """
        try:
            page = self._render(thinning, Album(self._layout, most_bytes))
        except AlbumFullError:
            self._maker.forget_unmade()
            return None
        return page if page.size <= most_bytes else None

    def _render(self, thinning: Thinning, album: Album) -> Page:
        results, layout = self._results, self._layout
        shape = results.provenance.picture_shape
        drawing = Drawing(shape, results.pixel_range, thinning, self._maker)
        environment = self._environment(album, drawing)
        contributions = results.answers.of(Contributions)
        pictured = 0 if contributions is None else len(contributions.picture_names)
        assets = Assets(layout, drawing, self._data, self._packed, pictured=pictured)
        rendered: list[Rendered] = []
        sizes = {"head": assets.embedded_bytes}
        failures: dict[str, str] = {}
        for question in self._questions:
            beside = album.file_bytes
            try:
                html = self._section(environment, question, drawing, sizes)
            except AlbumFullError:
                raise
            except Exception as error:
                traceback.print_exc()
                failures[question.name] = f"{type(error).__name__}: {error}"
                html = _failed_section(environment, question, failures[question.name])
            rendered.append(Rendered(question, html))
            sizes[question.name] = len(html.encode("utf-8")) + album.file_bytes - beside
        hero = self._hero(environment, drawing, album, sizes, failures)
        beside = album.file_bytes
        shown: dict[str, Any] = {"rendered": rendered, "lines": self._lines(drawing, failures)}
        verdict = _as_html(environment.get_template("_verdict.html.j2").render(shown))
        under_it = "".join(part.html for part in rendered if part.question.place in LINES)
        own = len(verdict.encode("utf-8")) - len(under_it.encode("utf-8"))
        sizes[VERDICT] = own + album.file_bytes - beside
        template = environment.get_template("report.html.j2")
        page = template.render(shown, assets=assets, hero=hero, verdict=verdict)
        return Page(page, sizes, album.files | assets.files, failures)

    def _environment(self, album: Album, drawing: Drawing) -> Any:
        results = self._results
        environment = self._templates.environment()
        environment.globals.update(
            results=results,
            drawing=drawing,
            headline=self._headline,
            address=album.address,
            scale_steps=diverging_steps(),
            scales=scales_of(drawing),
            by_share=lambda indices: _by_share(results, indices),
            worrying_off_data=WORRYING_OFF_DATA,
            section_names=frozenset(question.name for question in self._questions),
            unit_name=lambda index: _unit_name(results, index),
        )
        return environment

    def _hero(
        self,
        environment: Any,
        drawing: Drawing,
        album: Album,
        sizes: dict[str, int],
        failures: dict[str, str],
    ) -> Any:
        """Render the hero above the sections, where there is one; one that fails is left out."""
        if HERO in self._results.failures:
            return ""
        beside = album.file_bytes
        try:
            hero = hero_of(self._results, drawing)
            if hero is None:
                return ""
            template = environment.get_template("_hero.html.j2")
            html = _as_html(template.render(hero=hero, results=self._results))
        except AlbumFullError:
            raise
        except Exception as error:
            traceback.print_exc()
            failures[HERO] = f"{type(error).__name__}: {error}"
            return ""
        sizes[HERO] = len(html.encode("utf-8")) + album.file_bytes - beside
        return html

    def _lines(self, drawing: Drawing, failures: dict[str, str]) -> tuple[ShownLine, ...]:
        """The verdict's lines; without their pictures where those cannot be drawn."""
        if VERDICT in self._results.failures:
            return shown_lines(self._results, None)
        try:
            return shown_lines(self._results, drawing)
        except Exception as error:
            traceback.print_exc()
            failures[VERDICT] = f"{type(error).__name__}: {error}"
            return shown_lines(self._results, None)

    def _section(
        self, environment: Any, question: Question, drawing: Drawing, sizes: dict[str, int]
    ) -> Any:
        """Render a section's own template, or the one that says why there is nothing to show."""
        results = self._results
        answer = results.answer(question.name)
        if question.name in results.failures:
            return _failed_section(environment, question, results.failures[question.name])
        if question.answer is not None and answer is None:
            reason = results.unanswered.get(question.name)
            return _unanswered_section(environment, question, reason=reason)
        context: dict[str, Any] = {
            "question": question,
            "result": answer,
            "section_bytes": dict(sizes),
            "own_limits": limits_of(question, results),
        }
        if question.view is not None:
            context["view"] = question.view(answer, results, drawing)
        return _as_html(environment.get_template(question.template_name).render(context))


def in_page_order(questions: Iterable[Question]) -> list[Question]:
    """Sort questions by place: what stands open first, then what a verdict's line is read from."""
    return sorted(
        questions,
        key=lambda question: (
            PLACES.index(question.place),
            not question.opened,
            question.place != f"verdict-{question.name}",
        ),
    )


def _failed_section(environment: Any, question: Question, failure: str) -> Any:
    return _unanswered_section(environment, question, failure=failure)


def _unanswered_section(
    environment: Any, question: Question, *, reason: str | None = None, failure: str | None = None
) -> Any:
    template = environment.get_template("unanswered.html.j2")
    return _as_html(
        template.render(question=question, reason=reason, failure=failure, own_limits=())
    )


def _as_html(rendered: str) -> Any:
    """Mark text that a template has escaped already, so that it is not escaped again."""
    from markupsafe import Markup

    return Markup(rendered)


def _unit_name(results: Results, index: int) -> str:
    """The printed name of the unit at a place in the code; −1 stands for all other units."""
    if index < 0:
        return "rest"
    health = results.answers.of(Health)
    return str(index) if health is None else health.units[index].name


def _by_share(results: Results, indices: Sequence[int]) -> list[int]:
    """Places in a list of units, those with the largest shares first."""
    order = {unit.index: place for place, unit in enumerate(results.units)}
    return sorted(range(len(indices)), key=lambda place: order.get(indices[place], len(order)))


def scales_of(drawing: Drawing) -> Any:
    """JSON from which the page's scripts read a pixel's number off its colour."""
    from markupsafe import Markup

    scales = {
        "channels": drawing.channels_shown,
        "range": drawing.pixel_range,
        "stops": list(zip(ANCHORS, ANCHOR_COLOURS, strict=True)),
    }
    return Markup(safe_in_script(json.dumps(scales, separators=(",", ":"))))
