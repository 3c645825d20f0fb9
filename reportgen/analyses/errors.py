"""Where does the model fail? Errors by class, and the images with the largest and smallest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import ImageArray, UnanswerableError
from reportgen.statistics.blocks import row_blocks
from reportgen.statistics.bootstrap import Estimate, held_by_few, safe_ratio
from reportgen.statistics.norms import squared_norms
from reportgen.study.study import Study

EXTREME_IMAGES = 8


@dataclass(frozen=True)
class ClassErrors:
    """The errors of one class' images.

    Attributes
    ----------
    name : of the class; images : its test images.
    mse : squared error, mean over pixels and images.
    share : of the squared error of all test images.
    """

    name: str
    images: int
    mse: Estimate
    share: Estimate


@dataclass(frozen=True)
class ExtremeImages:
    """Images at one end of the errors, copies of an image once.

    Attributes
    ----------
    names : of the n images, at most 8, and of fewer than 16 images at most half.
    classes : of each; empty where the images have none.
    mse : (n,) squared error, mean over pixels.
    originals, reconstructions : (n, P).
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    mse: np.ndarray
    originals: ImageArray
    reconstructions: ImageArray


@dataclass(frozen=True)
class Errors:
    """Reconstruction errors of the test images.

    Attributes
    ----------
    mse : squared error, mean over pixels and images.
    classes : largest error first; empty where the images have no classes, or one.
    worst, best : the images with the largest errors, largest first, and with the smallest,
        smallest first.
    residual_in_pca : of the residuals' squared norm, the share that lies along PCA's first
        `pca_components` components: what a linear model of the code's size could still repair.
    pca_components : K_pca, as in `reconstruction`.
    held_by_worst : share of the squared error that the worst images hold.
    heavy_tailed : names of the numbers that the largest 1 % of rows hold over a quarter of.
    rows : test images.
    """

    mse: Estimate
    classes: tuple[ClassErrors, ...]
    worst: ExtremeImages
    best: ExtremeImages
    residual_in_pca: Estimate
    pca_components: int
    held_by_worst: float
    heavy_tailed: tuple[str, ...]
    rows: int


def run(study: Study) -> Errors:
    """Sort the test images by error; nothing is decoded.

    Raises UnanswerableError where every image is reconstructed exactly.
    """
    errors = study.test.squared_errors
    if not errors.sum() > 0:
        raise UnanswerableError("every test image is reconstructed exactly.")
    pixels = study.engine.image_size
    bootstrap = study.bootstrap(study.test_rows)
    worst, best = _extremes(study, errors)
    return Errors(
        mse=bootstrap.ratio(errors / pixels, np.ones(len(errors))),
        classes=_by_class(study, errors),
        worst=_images(study, worst),
        best=_images(study, best),
        residual_in_pca=bootstrap.ratio(_along_pca(study), errors),
        pca_components=study.pca_components,
        held_by_worst=float(errors[worst].sum() / errors.sum()),
        heavy_tailed=("squared error",) if held_by_few(errors) else (),
        rows=len(errors),
    )


def _by_class(study: Study, errors: np.ndarray) -> tuple[ClassErrors, ...]:
    labels = study.test.labels
    if labels is None or len(set(labels)) < 2:
        return ()
    names, given = sorted(set(labels)), np.array(labels)
    belongs = np.stack([given == name for name in names], axis=1).astype(np.float64)
    own, bootstrap = belongs * errors[:, None], study.bootstrap(study.test_rows)
    per_pixel = own / study.engine.image_size
    means = bootstrap.estimates(
        lambda sums, counts: safe_ratio(sums, counts), [], [per_pixel, belongs]
    )
    shares = bootstrap.ratios(own, errors)
    found = [
        ClassErrors(name, int(count), mse, share)
        for name, count, mse, share in zip(names, belongs.sum(axis=0), means, shares, strict=True)
    ]
    return tuple(sorted(found, key=lambda of_class: -of_class.mse.value))


def _extremes(study: Study, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows with the largest errors and with the smallest; of copies of an image the first."""
    order = np.argsort(errors, kind="stable")
    firsts = order[study.test.copy_of[order] == order]
    count = min(EXTREME_IMAGES, max(1, len(firsts) // 2))
    return firsts[::-1][:count], firsts[:count]


def _images(study: Study, rows: np.ndarray) -> ExtremeImages:
    test = study.test
    return ExtremeImages(
        names=tuple(test.names[row] for row in rows),
        classes=() if test.labels is None else tuple(test.labels[row] for row in rows),
        mse=test.squared_errors[rows] / study.engine.image_size,
        originals=study.pictures(test.images[rows]),
        reconstructions=study.pictures(test.reconstructions[rows]),
    )


def _along_pca(study: Study) -> np.ndarray:
    """(n,) squared norm of each residual's projection on PCA's components."""
    test, components = study.test, study.pca.components[: study.pca_components]
    squares = []
    for block in row_blocks(test.images):
        residuals = (test.images[block] - test.reconstructions[block]).astype(np.float64)
        squares.append(squared_norms(residuals @ components.T))
    return np.concatenate(squares)
