"""The page of a comparison: the same templates' ways, style and policy as a report's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reportgen.comparison.comparison import Comparison, Pair, comparison_json
from reportgen.comparison.pictures import PairPictures, pictures_of
from reportgen.comparison.sources import Source
from reportgen.delivery.page_layout import PageLayout
from reportgen.figures.colours import diverging_steps
from reportgen.report.album import Album
from reportgen.report.assets import Assets
from reportgen.report.drawing import Drawing
from reportgen.report.headline import WORRYING_OFF_DATA
from reportgen.report.packing import packed
from reportgen.report.page import scales_of
from reportgen.report.templates import Templates
from reportgen.report.thinning import Thinning
from reportgen.version import __version__

STYLES = "style.css", "comparison.css"
SCRIPTS = "frames.js", "tables.js", "contents.js", "download.js"
LARGEST_TILE = 48


@dataclass(frozen=True)
class ShownPair:
    """A pair of reports with its pictures; `anchor` is the start of its sections' names."""

    pair: Pair
    pictures: PairPictures
    anchor: str


@dataclass(frozen=True)
class ComparisonPage:
    """A page, and what belongs beside it by relative path; empty in the layout "file"."""

    html: str
    files: dict[str, bytes]


def render_comparison(
    comparison: Comparison, sources: Sequence[Source], title: str, layout: PageLayout = "file"
) -> ComparisonPage:
    """The page of a comparison; the same comparison gives the same bytes."""
    results = sources[0].results
    drawing = Drawing(
        results.provenance.picture_shape, results.pixel_range, Thinning(largest_tile=LARGEST_TILE)
    )
    album = Album(layout)
    data = comparison_json(comparison)
    assets = Assets(
        layout,
        drawing,
        data,
        packed(data.encode("utf-8")) if layout == "file" else "",
        styles=STYLES,
        scripts=SCRIPTS,
        data_name="comparison.json",
    )
    environment = Templates().environment()
    environment.globals.update(
        results=results,
        drawing=drawing,
        address=album.address,
        scale_steps=diverging_steps(),
        scales=scales_of(drawing),
        worrying_off_data=WORRYING_OFF_DATA,
    )
    page = environment.get_template("comparison.html.j2").render(
        title=title,
        version=__version__,
        assets=assets,
        comparison=comparison,
        sources=sources,
        pairs=_shown(comparison, sources, drawing),
        table=_table(comparison, sources),
        has_matrix=bool(np.isfinite(comparison.similarity).any()),
    )
    return ComparisonPage(page, album.files | assets.files)


def _shown(
    comparison: Comparison, sources: Sequence[Source], drawing: Drawing
) -> tuple[ShownPair, ...]:
    by_name = {source.name: source for source in sources}
    return tuple(
        ShownPair(
            pair,
            pictures_of(by_name[pair.first], by_name[pair.second], pair.units.units, drawing),
            "" if len(comparison.pairs) == 1 else f"pair-{place}-",
        )
        for place, pair in enumerate(comparison.pairs)
    )


def _table(comparison: Comparison, sources: Sequence[Source]) -> list[dict[str, Any]]:
    """For three or more reports: a row each, a cell for each question of the verdict, and UDR."""
    if len(sources) < 3:
        return []
    return [
        {"name": source.name, "lines": source.results.verdict, "udr": udr}
        for source, udr in zip(sources, comparison.udr, strict=True)
    ]
