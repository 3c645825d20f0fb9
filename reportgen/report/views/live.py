"""The decoder in the page, and the images that it explains there: all that the scripts read."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from reportgen.analyses.direction_contributions import DirectionContributions
from reportgen.analyses.traversal import Traversal
from reportgen.figures.sprites import Sprite
from reportgen.live.program import Gallery, GalleryComponents, LiveDirections, LiveWalk, NearCodes
from reportgen.report import numbers
from reportgen.report.drawing import Drawing
from reportgen.report.packing import levels, packed_arrays
from reportgen.report.results import Results

# Bytes that the small pictures of all images may take in the page.
MOST_SHEET_BYTES = 400_000
SAMPLED_TILES = 24
# The first guess of how many fit is made a little smaller than the sample says.
MARGIN = 0.95
BASE64 = 4 / 3


@dataclass(frozen=True)
class LiveView:
    """Numbers that the scripts read, and what the page says of them.

    Attributes
    ----------
    data : gzipped numbers as text, for a script element.
    weights : bytes of the decoder's weights.
    sheet : small pictures of the images, in the order of the data; None without any but those that
        the page pictures.
    images, test_images : how many images can be chosen, and how many there are in the test half.
    directions : how many directions sliders move codes along; `without_directions` says why none.
    """

    data: str
    weights: int
    sheet: Sprite | None
    images: int
    test_images: int
    directions: int
    without_directions: str


def live_view(walks: Traversal, results: Results, drawing: Drawing) -> LiveView | None:
    """The scripts' data; None where the decoder does not run in the page."""
    live = results.live
    if live is None:
        return None
    gallery, sheet = _fitting_gallery(live.gallery, drawing)
    codes = levels(live.codes if gallery is None else gallery.codes)
    header = {
        "shape": results.provenance.input_shape,
        "picture_shape": results.provenance.picture_shape,
        "rows": walks.rows,
        "walked": [_unit(results, live, walks, place) for place in range(len(live.units))],
        "largest_distance": live.largest_distance,
        "steps": [dataclasses.asdict(step) for step in live.decoder.steps],
    }
    arrays = {"weights": live.decoder.weights, **codes}
    if gallery is None:
        arrays |= _near("unit", NearCodes(live.distances, live.slopes, live.precision))
    if live.encoder is not None:
        header["encoder_steps"] = [dataclasses.asdict(step) for step in live.encoder.steps]
        arrays["encoder_weights"] = live.encoder.weights
    if gallery is not None:
        shown, shown_arrays = _gallery_data(gallery, sheet, results)
        header["gallery"] = shown
        arrays |= shown_arrays
    return LiveView(
        data=packed_arrays(header, arrays),
        weights=live.decoder.weights.nbytes,
        sheet=sheet,
        images=len(live.codes if gallery is None else gallery.codes),
        test_images=0 if gallery is None else gallery.test_images,
        directions=_walked_directions(gallery),
        without_directions=(
            "the page does not carry the codes of its images"
            if gallery is None
            else "the directions of so long a code are too large for a page"
        ),
    )


def _walked_directions(gallery: Gallery | None) -> int:
    directions = None if gallery is None else gallery.directions
    lengths = None if directions is None else directions.lengths
    return 0 if lengths is None else len(lengths.means)


def carried_images(results: Results, drawing: Drawing) -> int:
    """The number of test images that can be chosen on the page and explained there."""
    live = results.live
    gallery = None if live is None else _fitting_gallery(live.gallery, drawing)[0]
    return 0 if gallery is None else len(gallery.names)


def _unit(results: Results, live: LiveWalk, walks: Traversal, place: int) -> dict[str, Any]:
    index = live.units[place]
    share = next((unit.share for unit in results.units if unit.index == index), None)
    return {
        "index": index,
        "name": live.names[place],
        "share": "" if share is None else numbers.percent(share.value),
        "members": live.members[place],
        "mean": float(live.means[place]),
        "quantiles": live.quantiles[place].tolist(),
        "deviation": float(walks.conditional_deviations[place]),
    }


def _fitting_gallery(
    gallery: Gallery | None, drawing: Drawing
) -> tuple[Gallery | None, Sprite | None]:
    """As many of the images as have room, the pictured ones always, and a sheet of all of them."""
    if gallery is None:
        return None, None
    wanted = min(len(gallery.names), max(gallery.pictured, drawing.thinning.gallery))
    if wanted == gallery.pictured:
        return _some_of(gallery, wanted), None
    shape, pixels = gallery.thumbnail_shape, gallery.thumbnails
    sample = np.linspace(0, len(pixels) - 1, min(len(pixels), SAMPLED_TILES)).round().astype(int)
    for factor in (1, 2) if max(shape[1:]) > 32 else (1,):
        each = len(drawing.sheet(pixels[sample], shape, factor).data) * BASE64 / len(sample)
        if each * wanted <= MOST_SHEET_BYTES:
            break
    while True:
        some = _some_of(gallery, wanted)
        sheet = drawing.sheet(some.thumbnails, shape, factor)
        size = len(sheet.data) * BASE64
        if size <= MOST_SHEET_BYTES:
            return some, sheet
        wanted = int(wanted * MARGIN * MOST_SHEET_BYTES / size)
        if wanted <= gallery.pictured:
            return _some_of(gallery, gallery.pictured), None


def _some_of(gallery: Gallery, count: int) -> Gallery:
    """The pictured images, and others up to so many, spread evenly."""
    if count >= len(gallery.names):
        return gallery
    others = np.linspace(gallery.pictured, len(gallery.names) - 1, count - gallery.pictured)
    kept = np.concatenate([np.arange(gallery.pictured), others.round().astype(int)])
    return dataclasses.replace(
        gallery,
        names=tuple(gallery.names[place] for place in kept),
        classes=tuple(gallery.classes[place] for place in kept),
        codes=gallery.codes[kept],
        thumbnails=gallery.thumbnails[kept],
        units=dataclasses.replace(gallery.units, orders=gallery.units.orders[kept]),
        directions=_directions_of_some(gallery.directions, kept),
        near=_near_of_some(gallery.near, kept),
        pca=_pca_of_some(gallery.pca, kept),
    )


def _directions_of_some(
    directions: LiveDirections | None, kept: np.ndarray
) -> LiveDirections | None:
    if directions is None:
        return None
    lengths = directions.lengths
    if lengths is not None:
        lengths = dataclasses.replace(lengths, near=_near_of_some(lengths.near, kept))
    return dataclasses.replace(directions, orders=directions.orders[kept], lengths=lengths)


def _near_of_some(near: NearCodes | None, kept: np.ndarray) -> NearCodes | None:
    if near is None:
        return None
    return NearCodes(near.distances[kept], near.slopes[kept], near.precision)


def _pca_of_some(pca: GalleryComponents | None, kept: np.ndarray) -> GalleryComponents | None:
    return None if pca is None else dataclasses.replace(pca, scores=pca.scores[kept])


def _gallery_data(
    gallery: Gallery, sheet: Sprite | None, results: Results
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Part of the header and arrays about the images and what they are made of."""
    units, directions, cloud = gallery.units, gallery.directions, gallery.cloud
    header: dict[str, Any] = {
        "names": gallery.names,
        "classes": gallery.classes if any(gallery.classes) else None,
        "pictured": gallery.pictured,
        "steps": gallery.steps,
        "units": {"names": units.names, "units": units.units, "members": units.members},
        "lead": "direction" if gallery.directions_lead else "unit",
        "columns": None if sheet is None else sheet.width // sheet.tile_width,
        "tile": None if sheet is None else [sheet.tile_width, sheet.height // sheet.rows],
    }
    arrays: dict[str, np.ndarray] = {
        "baseline": np.asarray(gallery.baseline, np.float32),
        "unit_orders": np.asarray(units.orders, np.uint16),
    }
    if directions is not None:
        header["directions"], along = _directions_data(directions, results)
        arrays |= along
        arrays |= {
            "readout": np.asarray(directions.readout, np.float32),
            "drawn": np.asarray(directions.drawn, np.float32),
            "direction_orders": np.asarray(directions.orders, np.uint16),
        }
    if cloud is not None:
        header["cloud"] = {"members": cloud.members, "mean": cloud.mean.tolist()}
        arrays["precision"] = np.asarray(cloud.precision, np.float32)
    if gallery.near is not None:
        arrays |= _near("unit", gallery.near)
    if gallery.pca is not None:
        arrays |= {
            "pca_mean": np.asarray(gallery.pca.mean, np.float32),
            "pca_components": np.asarray(gallery.pca.components, np.float16),
            **{f"pca_{name}": part for name, part in levels(gallery.pca.scores).items()},
        }
    return header, arrays


def _directions_data(
    directions: LiveDirections, results: Results
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Part of the header, and arrays, about directions; without `walked` no slider moves them."""
    header: dict[str, Any] = {"names": directions.names, "coordinates": directions.coordinates}
    arrays: dict[str, np.ndarray] = {}
    lengths, found = directions.lengths, results.answers.of(DirectionContributions)
    if lengths is not None:
        shares = {} if found is None else {share.unit: share.share.value for share in found.shares}
        header["walked"] = [
            {
                "share": numbers.percent(shares[place]) if place in shares else "",
                "baseline": float(lengths.baseline[place]),
                "mean": float(lengths.means[place]),
                "quantiles": lengths.quantiles[place].tolist(),
            }
            for place in range(len(lengths.means))
        ]
        if lengths.near is not None:
            arrays = _near("direction", lengths.near)
    return header, arrays


def _near(way: str, near: NearCodes) -> dict[str, np.ndarray]:
    """Arrays from which the page finds distances of codes near those that it carries."""
    named = ("distances", "slopes", "precision")
    return {f"{way}_{name}": np.asarray(getattr(near, name), np.float32) for name in named}
