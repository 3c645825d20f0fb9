"""Results to the page: Jinja templates, inlined assets, one file or a folder."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reportgen.figures.colours import ANCHOR_COLOURS, ANCHORS, diverging_stops
from reportgen.figures.sprites import SpriteMaker
from reportgen.report.album import Album, AlbumFullError
from reportgen.report.drawing import Drawing
from reportgen.report.headline import WORRYING_OFF_DATA, Headline, headline_of
from reportgen.report.limits import limits_of
from reportgen.report.results import Results
from reportgen.report.script_data import safe_in_script
from reportgen.report.sections import SECTIONS, Section
from reportgen.report.store import results_json
from reportgen.report.template_folder import template_folder
from reportgen.report.thinning import WHOLE, Thinning
from reportgen.report.views import VIEWS

if TYPE_CHECKING:
    from reportgen.report.templates import Templates

LAYOUTS = ("file", "folder")
STYLES = ("style.css",)
EARLY_SCRIPTS = ("theme.js",)
SCRIPTS = (
    *("frames.js", "tables.js", "contents.js", "filter.js", "walk.js", "live.js", "live_walk.js"),
    *("values.js", "enlarge.js", "download.js"),
)


@dataclass(frozen=True)
class Page:
    """A rendered report.

    Attributes
    ----------
    html : the page.
    section_bytes : size of each section with the pictures that it is first to show, by its name,
        and of "head" (styles, scripts, results); they sum to `size` but for the page's frame.
    files : what belongs beside it, by relative path; empty in the layout "file".
    """

    html: str
    section_bytes: dict[str, int]
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of the page and of what belongs beside it."""
        return len(self.html.encode("utf-8")) + sum(map(len, self.files.values()))


@dataclass(frozen=True)
class Rendered:
    """One section as HTML, with what the contents list needs."""

    section: Section
    html: Any


def render_page(results: Results, layout: str = "file", thinning: Thinning = WHOLE) -> Page:
    """The page of these results; the same results give the same bytes.

    In the layout "file" everything is inside the page; in "folder" pictures, styles, scripts and
    results.json are files under `assets/`. `thinning` says which pictures are left out.
    """
    return PageRenderer(results, layout).render(thinning)


class PageRenderer:
    """Renders a page with all or some of its pictures.

    Pictures, compiled templates and results.json are kept from one to the next.
    """

    def __init__(self, results: Results, layout: str, templates: Templates | None = None) -> None:
        from reportgen.report.templates import Templates

        self._results, self._layout = results, layout
        self._headline = headline_of(results)
        self._maker, self._templates = SpriteMaker(), templates or Templates()
        self._data = results_json(results, indent=None)

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
        environment = _environment(results, album, drawing, self._headline, self._templates)
        assets = _Assets(layout, drawing, self._data)
        rendered: list[Rendered] = []
        sizes = {"head": assets.embedded_bytes}
        sections = [s for s in SECTIONS if s.analysis not in results.not_applicable]
        views = (_view(section, results, drawing) for section in sections)
        for section, view in zip(sections, _one_ahead(views), strict=True):
            beside = album.file_bytes
            html = _section(environment, section, results, view, sizes)
            rendered.append(Rendered(section, html))
            sizes[section.name] = len(html.encode("utf-8")) + album.file_bytes - beside
        template = environment.get_template("report.html.j2")
        page = template.render(rendered=rendered, assets=assets)
        return Page(page, sizes, album.files | assets.files)


def _environment(
    results: Results, album: Album, drawing: Drawing, headline: Headline, templates: Templates
) -> Any:
    environment = templates.environment()
    environment.globals.update(
        results=results,
        drawing=drawing,
        headline=headline,
        address=album.address,
        diverging_stops=diverging_stops(),
        scales=_scales(drawing),
        by_share=lambda indices: _by_share(results, indices),
        worrying_off_data=WORRYING_OFF_DATA,
        section_names=frozenset(section.name for section in SECTIONS),
        unit_name=lambda index: _unit_name(results, index),
    )
    return environment


def _one_ahead(views: Iterator[Any]) -> Iterator[Any]:
    """Each view once the next is drawn: its pictures are encoded while a template is filled in."""
    drawn: deque[Any] = deque()
    for view in views:
        drawn.append(view)
        if len(drawn) > 1:
            yield drawn.popleft()
    yield from drawn


def _view(section: Section, results: Results, drawing: Drawing) -> Any:
    """What the section's template shows; None where there is no result, or it needs no view."""
    if section.name not in VIEWS or (section.analysis and _result(section, results) is None):
        return None
    return VIEWS[section.name](results, drawing)


def _result(section: Section, results: Results) -> Any:
    return getattr(results, section.analysis) if section.analysis else None


def _section(
    environment: Any, section: Section, results: Results, view: Any, sizes: dict[str, int]
) -> Any:
    """A section's own template, or the one that says why there is nothing to show."""
    from markupsafe import Markup

    result = _result(section, results)
    context: dict[str, Any] = {
        "section": section,
        "result": result,
        "section_bytes": dict(sizes),
        "own_limits": limits_of(results, section.name),
    }
    if section.analysis and result is None:
        name = "unanswered.html.j2"
        context["reason"] = results.unanswered.get(section.analysis)
        context["failure"] = results.failures.get(section.analysis)
    else:
        name = f"sections/{section.name}.html.j2"
        if section.name in VIEWS:
            context["view"] = view
    return Markup(environment.get_template(name).render(context))


def _unit_name(results: Results, index: int) -> str:
    """The printed name of a unit by its place in the code; −1 is the rest."""
    if index < 0:
        return "rest"
    if results.health is not None:
        return results.health.units[index].name
    return str(index)


def _by_share(results: Results, indices: Sequence[int]) -> list[int]:
    """Places in a list of units, those with the largest shares first."""
    order = {unit.index: place for place, unit in enumerate(results.units)}
    return sorted(range(len(indices)), key=lambda place: order.get(indices[place], len(order)))


def _scales(drawing: Drawing) -> Any:
    """What scripts need to tell numbers from colours."""
    from markupsafe import Markup

    scales = {
        "channels": drawing.shape[0],
        "range": drawing.pixel_range,
        "stops": list(zip(ANCHORS, ANCHOR_COLOURS, strict=True)),
    }
    return Markup(safe_in_script(json.dumps(scales, separators=(",", ":"))))


class _Assets:
    """Styles, scripts and results as the layout wants them, with the policy that allows them.

    Nothing that comes from a model or its data is in here but the results, which are escaped.
    """

    def __init__(self, layout: str, drawing: Drawing, data: str) -> None:
        from markupsafe import Markup

        folder = template_folder() / "assets"
        read = lambda name: (folder / name).read_text(encoding="utf-8")  # noqa: E731
        self.inline = layout == "file"
        style = "".join(map(read, STYLES)) + _tile_rules(drawing)
        early = "".join(map(read, EARLY_SCRIPTS))
        late = "".join(map(read, SCRIPTS))
        self.style, self.early_script, self.script = Markup(style), Markup(early), Markup(late)
        self.results_json = Markup(safe_in_script(data))
        self.policy = _policy(style, early, late) if self.inline else _FOLDER_POLICY
        self.files: dict[str, bytes] = {}
        self.embedded_bytes = sum(len(t.encode()) for t in (style, early, late, self.results_json))
        if not self.inline:
            self.files = {
                "assets/style.css": style.encode(),
                "assets/theme.js": early.encode(),
                "assets/page.js": late.encode(),
                "assets/results.json": data.encode(),
            }


_FOLDER_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)


def _policy(style: str, *scripts: str) -> str:
    """Content-Security-Policy: only our own styles and scripts, by hash, and inlined pictures."""
    allowed = " ".join(_hash(script) for script in scripts)
    return (
        f"default-src 'none'; style-src {_hash(style)}; img-src data:; script-src {allowed}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _tile_rules(drawing: Drawing) -> str:
    """The size of this report's tiles, and one class for each number of tiles in a strip."""
    from reportgen.figures.sprites import gap_beside

    tile, thumbnail = drawing.tile_width, drawing.thumbnail_width
    kinds = ((".strip,.plane-row", tile, 40, 112), (".strip.thumbnail", thumbnail, 28, 64))
    rules = [
        f"{kind}{{--tile:{width};--gap:{gap_beside(width)};"
        f"--least:{-(-least // width)};--most:{max(1, most // width)}}}"
        for kind, width, least, most in kinds
    ]
    rules += [f".of-{n}{{--tiles:{n}}}.across-{n}{{--across:{n}}}" for n in range(1, 65)]
    return "\n".join(rules) + "\n"
