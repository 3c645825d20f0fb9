"""A page's needs beside its pictures: styles, scripts, results, and the policy for them."""

from __future__ import annotations

import base64
import hashlib
import re

from reportgen.delivery.page_layout import PageLayout
from reportgen.report.drawing import Drawing
from reportgen.report.template_folder import template_folder

STYLES = ("style.css",)
EARLY_SCRIPTS = ("theme.js",)
SCRIPTS = (
    *("frames.js", "places.js", "terms.js", "tables.js", "contents.js", "filter.js", "walk.js"),
    *("values.js", "enlarge.js", "selection.js", "live.js", "model.js", "painting.js"),
    *("slider.js", "live_walk.js", "sums.js", "own_image.js", "gallery.js", "lab.js", "cards.js"),
    "download.js",
)


class Assets:
    """Styles, scripts and results as the layout wants them, with the policy that allows them.

    Of all that comes from a model or its data, only the results are in here: `data` as a file of
    its own in the layout "folder", else `results`, the same packed. `pictured` images can be picked
    at the top of the page.
    """

    def __init__(
        self,
        layout: PageLayout,
        drawing: Drawing,
        data: str,
        results: str,
        *,
        styles: tuple[str, ...] = STYLES,
        scripts: tuple[str, ...] = SCRIPTS,
        data_name: str = "results.json",
        pictured: int = 0,
    ) -> None:
        from markupsafe import Markup

        folder = template_folder() / "assets"
        read = lambda name: bare((folder / name).read_text(encoding="utf-8"))  # noqa: E731
        self.inline = layout == "file"
        style = "".join(map(read, styles)) + _tile_rules(drawing) + _pick_rules(pictured)
        early = "".join(map(read, EARLY_SCRIPTS))
        late = "".join(map(read, scripts))
        self.style, self.early_script, self.script = Markup(style), Markup(early), Markup(late)
        self.results = results
        self.policy = _policy(style, early, late) if self.inline else FOLDER_POLICY
        self.files: dict[str, bytes] = {}
        self.embedded_bytes = sum(len(t.encode()) for t in (style, early, late, self.results))
        if not self.inline:
            self.files = {
                "assets/style.css": style.encode(),
                "assets/theme.js": early.encode(),
                "assets/page.js": late.encode(),
                f"assets/{data_name}": data.encode(),
            }
            self.embedded_bytes = sum(map(len, self.files.values()))


# A comment that has its lines to itself.
COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*(?:(?!\*/).)*\*/[ \t]*)\n", re.DOTALL | re.MULTILINE)


def bare(source: str) -> str:
    """A style sheet or script without comments that have lines to themselves, and not indented.

    What no browser reads is a tenth of them.
    """
    return re.sub(r"^[ \t]+", "", COMMENT.sub("", source), flags=re.MULTILINE)


FOLDER_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)


def _policy(style: str, *scripts: str) -> str:
    """The Content-Security-Policy: our own styles and scripts, by hash, and inlined pictures."""
    allowed = " ".join(_hash(script) for script in scripts)
    return (
        f"default-src 'none'; style-src {_hash(style)}; img-src data:; script-src {allowed}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _side(tile: int, most: int, least: int) -> int:
    """Pixels across a tile of the hero: enlarged by a whole factor where one is large enough."""
    whole = tile * (most // tile)
    return whole if whole >= least else most


def _tile_rules(drawing: Drawing) -> str:
    """Style rules for the size of this report's tiles, and for each number of tiles in a strip."""
    from reportgen.figures.sprites import gap_beside

    tile, thumbnail = drawing.tile_width, drawing.thumbnail_width
    kinds = ((".strip,.plane-row", tile, 40, 112), (".strip.thumbnail", thumbnail, 28, 64))
    rules = [
        f"{kind}{{--tile:{width};--gap:{gap_beside(width)};--tall:{drawing.tall(width)};"
        f"--least:{-(-least // width)};--most:{max(1, most // width)}}}"
        for kind, width, least, most in kinds
    ]
    gap = gap_beside(tile)
    side = _side(tile, 88, 72)
    rules.append(f".unit-index{{--pair:{2 * side + side * gap / tile:.4g}px}}")
    rules += _sum_rules(tile)
    rules += [f".of-{n}{{--tiles:{n}}}.across-{n}{{--across:{n}}}" for n in range(1, 65)]
    return "\n".join(rules) + "\n"


# Of a sum: original, whole, start, six parts and the others; beside them gaps and the page's edges.
MOST_IN_A_ROW, BESIDE_A_ROW = 10, 72


def _sum_rules(tile: int) -> list[str]:
    """The sides of a sum's tiles: those on wide screens stand in one row, or all are smaller."""
    wide, narrow = _side(tile, 116, 96), _side(tile, 84, 56)
    rules = [f".hero{{--side:{wide}px;--narrow-side:{narrow}px}}"]
    least, columns = MOST_IN_A_ROW * wide + BESIDE_A_ROW, "var(--narrow-side)"
    if wide % tile:
        columns = f"min(var(--side),(100% - {2 * MOST_IN_A_ROW - 2}px)/{MOST_IN_A_ROW})"
    query = f"screen and (min-width:60.01rem) and (max-width:{least}px)"
    grid = f"grid-template-columns:repeat(auto-fill,{columns})"
    return [*rules, f"@media {query}{{.hero .sum{{{grid}}}}}"]


def _pick_rules(pictured: int) -> str:
    """Style rules by which the image that is picked shows, and its thumbnail as the one picked."""
    picks = [(f"#pick-{place}", f"#pick-{place}-otherwise") for place in range(pictured)]

    def of_thumbnails(state: str) -> str:
        return ",".join(
            f':is({led},{other}):{state}~.choices [data-place="{place}"]'
            for place, (led, other) in enumerate(picks)
        )

    shown = ",".join(
        f"{pick}:checked~{pick.replace('pick', 'image')}" for both in picks for pick in both
    )
    rules = (
        (shown, "display:block"),
        (of_thumbnails("checked"), "border-color:var(--model)"),
        (of_thumbnails("focus-visible"), "outline:2px solid var(--model);outline-offset:2px"),
    )
    return "".join(f"{selector}{{{rule}}}\n" for selector, rule in rules if picks)
