"""The model beside PCA: R² over components, errors row by row, pictures and residuals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from reportgen.analyses.reconstruction import Reconstruction
from reportgen.figures.charts import Chart, Curve, line_chart, scatter_chart
from reportgen.report import numbers
from reportgen.report.drawing import Drawing, Strip
from reportgen.report.results import Results

IMAGES_FOR_A_REGRESSOR = 10


@dataclass(frozen=True)
class LabelledStrip:
    """A strip with the name of its row."""

    label: str
    strip: Strip


@dataclass(frozen=True)
class View:
    """R²(k) curve, scatter of errors (None without PCA), strips of the picture rows.

    `undetermined` names the components (from 1) whose order is not determined, "" without any.
    """

    curve: Chart | None
    scatter: Chart | None
    strips: tuple[LabelledStrip, ...]
    residual_limit: float
    undetermined: str


def view(result: Reconstruction, results: Results, drawing: Drawing) -> View:
    """Charts and strips; PCA's are left out where PCA in sample means nothing."""
    with_pca = result.pca_r2 is not None
    limit = drawing.limit(
        result.originals - result.reconstructions,
        result.originals - result.pca_reconstructions if with_pca else np.zeros(1),
    )
    return View(
        curve=_curve(result) if with_pca else None,
        scatter=_scatter(result) if with_pca else None,
        strips=_strips(result, drawing, limit, with_pca),
        residual_limit=limit,
        undetermined=_with_their_next((np.flatnonzero(result.order_undetermined) + 1).tolist()),
    )


def _curve(result: Reconstruction) -> Chart:
    equivalent = result.equivalent_components
    reach = max(2 * result.pca_components, 8)
    if equivalent is not None and not result.equivalent_beyond:
        reach = max(reach, int(np.ceil(1.3 * equivalent.value)))
    shown = min(result.largest_components, reach, len(result.curve) - 1)
    k = np.arange(shown + 1)
    level = np.ones(2)
    return line_chart(
        [
            Curve("pca", k, result.curve[: shown + 1], marked=shown <= 40),
            Curve(
                "model",
                np.array([0, shown]),
                result.r2.value * level,
                result.r2.low * level,
                result.r2.high * level,
            ),
        ],
        "principal components k",
        "R² on these images" if result.beyond_pca is None else "R² on test images",
        top=1.0,
        mark=_crossing(result),
    )


def _crossing(result: Reconstruction) -> tuple[float, float, str] | None:
    """Locate the point where PCA's curve reaches the model's level, if it does."""
    equivalent = result.equivalent_components
    if equivalent is None or result.equivalent_beyond or not np.isfinite(equivalent.value):
        return None
    return equivalent.value, result.r2.value, numbers.number(equivalent.value)


def _scatter(result: Reconstruction) -> Chart:
    return scatter_chart(
        result.pca_errors,
        result.model_errors,
        "squared error of PCA",
        "squared error of the model",
        equal_axes=True,
    )


def _strips(
    result: Reconstruction, drawing: Drawing, limit: float, with_pca: bool
) -> tuple[LabelledStrip, ...]:
    names = ", ".join(result.picture_names)
    residual = result.originals - result.reconstructions
    pictures: list[tuple[str, np.ndarray, float | None]] = [
        ("original", result.originals, None),
        ("model", result.reconstructions, None),
        ("residual of the model", residual, result.picture_mse),
    ]
    if with_pca:
        plural = "" if result.pca_components == 1 else "s"
        pca = f"PCA, {result.pca_components} component{plural}"
        pictures += [
            (pca, result.pca_reconstructions, None),
            (
                "residual of PCA",
                result.originals - result.pca_reconstructions,
                result.picture_pca_mse,
            ),
        ]
    strips = []
    for label, images, error in pictures:
        signed = error is not None
        tiles = drawing.differences(images, limit) if signed else drawing.images(images)
        scale = f" on ±{numbers.number(limit)}" if signed else ""
        mean = f"; mean squared error {numbers.number(error)}" if signed else ""
        alt = f"{label}{scale}, of {names}{mean}."
        captions = _breakable(result.picture_names) if label == "original" else ()
        strip = Strip(drawing.strip(tiles), alt, captions, limit=limit if signed else None)
        strips.append(LabelledStrip(label, strip))
    return tuple(strips)


def _breakable(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names that may go on in a new line after their folder."""
    return tuple(name.replace("/", "/\u200b") for name in names)


def limits(result: Reconstruction, results: Results) -> Iterator[str]:
    """Too few images for so many components, and components whose order is not determined."""
    if result.pca_r2 is None:
        return
    if result.fit_rows < IMAGES_FOR_A_REGRESSOR * result.pca_components:
        yield (
            f"PCA's {result.pca_components} components were fitted on {result.fit_rows} images, "
            "few for so many: with more, PCA would likely reconstruct better."
        )
    undetermined = np.flatnonzero(result.order_undetermined)[: result.pca_components]
    if undetermined.size:
        near = _with_their_next((undetermined + 1).tolist())
        yield (
            f"The order of PCA's {near} is not determined by these images: take such neighbours "
            "together."
        )


def _with_their_next(components: Sequence[int]) -> str:
    """Name what is not told from the next: "component 2 and the one after it"; "" of none."""
    if not components:
        return ""
    after = "it" if len(components) == 1 else "each"
    return f"{numbers.numbered('component', components)} and the one after {after}"
