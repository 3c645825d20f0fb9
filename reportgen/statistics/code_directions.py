"""Directions of a code, in the order of how much of the reconstruction each explains linearly.

With x̂ regressed on the code, the right singular vectors of the fitted values are to any decoder
what principal components are to PCA: pictures w_j, each with one coordinate a_j of the code. For a
linear decoder they are the principal components of its reconstructions, whatever the code's axes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from reportgen.statistics.blocks import column_blocks, in_parallel

ROWS_PER_NUMBER = 5
SMALLEST_VARIANCE = 1e-10
# Penalties, in units of the regressors' largest squared singular value.
RELATIVE_RIDGES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
FOLDS = 5
SPLITS = 7
# A ridge regression looks at no more rows, and at fewer of very long codes.
MOST_RIDGE_ROWS, FEWEST_RIDGE_ROWS, RIDGE_NUMBERS = 1024, 64, 2**25


@dataclass(frozen=True)
class CodeDirections:
    """The first d directions of a code of m numbers.

    Attributes
    ----------
    mean : (m,) of the codes they were found on.
    readout : (m, d) y = (z − mean) @ readout, of unit variance and uncorrelated on those codes.
    drawn : (d, m) Cov(y, z), by which z − mean = Σ_j y_j drawn_j + what is uncorrelated with y.
    pictures : (d, P) change of x̂ for one sd; orthogonal, their largest |pixel| positive.
    variances : (d,) of x̂ that each explains.
    fitted_variance, total_variance : of all fitted values, and of x̂.
    ridge : penalty over the largest squared singular value; None where none was needed.
    rows : that they were found on.
    """

    mean: np.ndarray
    readout: np.ndarray
    drawn: np.ndarray
    pictures: np.ndarray
    variances: np.ndarray
    fitted_variance: float
    total_variance: float
    ridge: float | None
    rows: int

    def parts(self, centred: np.ndarray) -> np.ndarray:
        """(m,) z − mean → (d, m) its part along each direction; what is left is in none."""
        return (centred @ self.readout)[:, None] * self.drawn

    def first(self, count: int) -> CodeDirections:
        """The first `count` of them."""
        return replace(
            self,
            readout=self.readout[:, :count],
            drawn=self.drawn[:count],
            pictures=self.pictures[:count],
            variances=self.variances[:count],
        )


def code_directions(codes: np.ndarray, images: np.ndarray, most: int, seed: int) -> CodeDirections:
    """Find at most `most` directions from codes (n, m) and their decoded images (n, P).

    By least squares where n ≥ 5 m; the directions are then the same for every invertible affine
    map of the code. Else by ridge regression in its dual form, of at most 1,024 rows, with the
    penalty that predicts left-out rows best on 5 folds.
    """
    if len(codes) >= ROWS_PER_NUMBER * codes.shape[1]:
        return _by_least_squares(codes, images, most)
    limit = np.clip(RIDGE_NUMBERS // codes.shape[1], FEWEST_RIDGE_ROWS, MOST_RIDGE_ROWS)
    if len(codes) > limit:
        generator = np.random.default_rng([seed, 31])
        rows = np.sort(generator.choice(len(codes), limit, replace=False))
        codes, images = codes[rows], images[rows]
    return _by_ridge(codes, images, most, seed)


def undetermined(variances: np.ndarray, rows: int) -> np.ndarray:
    """(d,) whether each of falling variances is too near the next to be told from it.

    North's rule of thumb: nearer than the sampling error λ √(2 / rows), twice over.
    """
    close = np.zeros(len(variances), dtype=bool)
    relative = (variances[:-1] - variances[1:]) / np.maximum(variances[:-1], np.finfo(float).tiny)
    close[:-1] = relative < 2 * np.sqrt(2 / rows)
    return close


def repeatability(
    pictures_of: Callable[[np.ndarray], np.ndarray], rows: int, seed: int
) -> np.ndarray:
    """|cosine| between pictures of the same direction found on two random halves of so many rows.

    Median of 7 halvings: two directions that are not told apart change places in some of them.
    `pictures_of` gives (d, P) for rows (n,). As many as all halves have; NaN for an empty picture.
    """
    generator = np.random.default_rng([seed, 9])
    cosines = [_cosines_of_halves(pictures_of, generator.permutation(rows)) for _ in range(SPLITS)]
    count = min(map(len, cosines))
    medians: np.ndarray = np.median([found[:count] for found in cosines], axis=0)
    return medians


def _cosines_of_halves(
    pictures_of: Callable[[np.ndarray], np.ndarray], shuffled: np.ndarray
) -> np.ndarray:
    half = len(shuffled) // 2
    first, second = (pictures_of(np.sort(some)) for some in (shuffled[:half], shuffled[half:]))
    count = min(len(first), len(second))
    products = np.abs(np.einsum("dp,dp->d", first[:count], second[:count]))
    norms = np.linalg.norm(first[:count], axis=1) * np.linalg.norm(second[:count], axis=1)
    return np.divide(products, norms, out=np.full(count, np.nan), where=norms > 0)


def _standardised(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes with mean 0 and sd 1 in float64, their mean, and their sd with 1 for 0."""
    codes = codes.astype(np.float64)
    mean, scale = codes.mean(axis=0), codes.std(axis=0)
    scale[scale == 0] = 1
    codes -= mean
    codes /= scale
    return codes, mean, scale


class WhiteCodes:
    """Codes (n, m) as q white ones: mean 0, unit covariance.

    Numbers of the code are first divided by their sd, so that which directions have no variance
    does not depend on their scales.

    Attributes
    ----------
    mean, scale : (m,) of the codes; a scale of 0 is 1.
    white : (n, q) (z − mean) / scale @ whiten.
    whiten, colour : (m, q) and (q, m), from standardised codes to white ones and back.
    """

    def __init__(self, codes: np.ndarray) -> None:
        standardised, self.mean, self.scale = _standardised(codes)
        values, vectors = np.linalg.eigh(standardised.T @ standardised / len(codes))
        kept = values > SMALLEST_VARIANCE * values.max()
        values, vectors = values[kept], vectors[:, kept]
        self.whiten = vectors / np.sqrt(values)
        self.colour = (vectors * np.sqrt(values)).T
        self.white = standardised @ self.whiten


def _by_least_squares(codes: np.ndarray, images: np.ndarray, most: int) -> CodeDirections:
    found, rows = WhiteCodes(codes), len(codes)
    # White codes have mean 0 and unit covariance, so least squares is a mean product.
    squares, total = _products(images, found.white.T / rows)
    variances, rotation = np.linalg.eigh(squares)
    variances, rotation = np.maximum(variances[::-1], 0), rotation[:, ::-1][:, :most]
    pictures = _applied(images, rotation.T @ found.white.T / rows)
    sign = _signs(pictures)
    return CodeDirections(
        mean=found.mean,
        readout=(found.whiten @ rotation) / found.scale[:, None] * sign,
        drawn=(rotation.T @ found.colour) * found.scale * sign[:, None],
        pictures=pictures * sign[:, None],
        variances=variances[:most],
        fitted_variance=float(variances.sum()),
        total_variance=total / rows,
        ridge=None,
        rows=rows,
    )


def _by_ridge(codes: np.ndarray, images: np.ndarray, most: int, seed: int) -> CodeDirections:
    """Fit by K = ZZᵀ and G = X̂X̂ᵀ, both n × n: the fitted values are HX̂, H = K(K + λ)⁻¹."""
    standardised, mean, scale = _standardised(codes)
    rows = len(standardised)
    kernel = standardised @ standardised.T
    gram, total = _products(images)
    values, vectors = np.linalg.eigh(kernel)
    largest = max(float(values[-1]), np.finfo(np.float64).tiny)
    relative = _chosen_ridge(kernel, gram, largest, seed)
    shrunk = vectors / (np.maximum(values, 0) + relative * largest) @ vectors.T
    hat = kernel @ shrunk
    squares, left = np.linalg.eigh(hat @ gram @ hat)
    squares = np.maximum(squares[::-1], 0)
    varying = squares > SMALLEST_VARIANCE * squares[0]
    left = left[:, ::-1][:, varying][:, :most]
    y = left * np.sqrt(rows)
    pictures = _applied(images, y.T @ hat / rows)
    sign = _signs(pictures)
    weights = shrunk @ gram @ hat @ y / squares[varying][:most]
    return CodeDirections(
        mean=mean,
        readout=(standardised.T @ weights) / scale[:, None] * sign,
        drawn=(y.T @ standardised / rows) * scale * sign[:, None],
        pictures=pictures * sign[:, None],
        variances=squares[varying][:most] / rows,
        fitted_variance=float(squares.sum()) / rows,
        total_variance=total / rows,
        ridge=relative,
        rows=rows,
    )


def _chosen_ridge(kernel: np.ndarray, gram: np.ndarray, largest: float, seed: int) -> float:
    """The relative penalty whose predictions of left-out rows err least, on 5 folds."""
    folds = np.random.default_rng([seed, 32]).permutation(np.arange(len(kernel)) % FOLDS)
    errors = np.zeros(len(RELATIVE_RIDGES))
    for fold in range(min(FOLDS, len(kernel))):
        out, kept = folds == fold, folds != fold
        values, vectors = np.linalg.eigh(kernel[np.ix_(kept, kept)])
        turned = kernel[np.ix_(out, kept)] @ vectors
        for place, ridge in enumerate(RELATIVE_RIDGES):
            weights = turned / (np.maximum(values, 0) + ridge * largest) @ vectors.T
            errors[place] += (
                np.trace(gram[np.ix_(out, out)])
                - 2 * np.vdot(weights, gram[np.ix_(out, kept)])
                + np.vdot(weights @ gram[np.ix_(kept, kept)], weights)
            )
    return RELATIVE_RIDGES[int(np.argmin(errors))]


def _products(images: np.ndarray, rows_mixed: np.ndarray | None = None) -> tuple[np.ndarray, float]:
    """M X̂X̂ᵀ Mᵀ of the centred images (n, P), M (k, n) or without one X̂X̂ᵀ, and ΣX̂²."""

    def of(columns: slice) -> tuple[np.ndarray, float]:
        block = _centred(images, columns)
        mixed = block if rows_mixed is None else rows_mixed @ block
        return mixed @ mixed.T, float(np.vdot(block, block))

    size = len(images) if rows_mixed is None else len(rows_mixed)
    products, total = np.zeros((size, size)), 0.0
    for some, squares in in_parallel(of, column_blocks(images)):
        products += some
        total += squares
    return products, total


def _applied(images: np.ndarray, rows_mixed: np.ndarray) -> np.ndarray:
    """M X̂ of the centred images, (k, P)."""
    found = np.empty((len(rows_mixed), images.shape[1]))
    for columns in column_blocks(images):
        found[:, columns] = rows_mixed @ _centred(images, columns)
    return found


def _centred(images: np.ndarray, columns: slice) -> np.ndarray:
    block = images[:, columns].astype(np.float64)
    block -= block.mean(axis=0)
    return block


def _signs(pictures: np.ndarray) -> np.ndarray:
    """(d,) by which each picture's largest |pixel| is positive."""
    peaks = pictures[np.arange(len(pictures)), np.abs(pictures).argmax(axis=1)]
    return np.where(peaks < 0, -1.0, 1.0)
