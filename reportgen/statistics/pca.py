"""Principal components of the fit images: the linear model everything is held beside."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from reportgen.autoencoder import Autoencoder, Note
from reportgen.statistics.blocks import (
    centred_squares,
    column_blocks,
    columns_filled,
    in_parallel,
    row_blocks,
)

FEWEST_HELD_BESIDE, MOST_HELD_BESIDE = 64, 1024
# So small that products of so many rows are positive definite.
NEARLY_ORTHOGONAL = 0.5
LARGEST_PRODUCTS = 4_000


@dataclass(frozen=True)
class Pca:
    """A fitted PCA.

    Attributes
    ----------
    mean : (P,) mean image of the fit rows.
    components : (k, P) orthonormal; the largest |loading| of each is positive (scikit-learn ≥ 1.5).
    variances : (k,) λ, the variance along each component with ddof 0; of more than these, where
        others were fitted too.
    total_variance : Σλ over all components, ddof 0.
    participation_ratio : (Σλ)² / Σλ² over all components.
    fit_rows : number of images it was fitted on.
    """

    mean: np.ndarray
    components: np.ndarray
    variances: np.ndarray
    total_variance: float
    participation_ratio: float
    fit_rows: int

    def scores(self, images: np.ndarray) -> np.ndarray:
        """(n, P) → (n, k) float64 scores (x − x̄)·v."""
        return (np.asarray(images, dtype=np.float64) - self.mean) @ self.components.T

    def contributions(self, image: np.ndarray, count: int) -> np.ndarray:
        """(P,) → (count, P): score times component, c_k = ((x − x̄)·v_k) v_k."""
        return self.scores(image[None])[0, :count, None] * self.components[:count]

    def squared_errors(self, images: np.ndarray) -> np.ndarray:
        """(n, P) → (n, k + 1): ‖x − x̂‖² with the first 0, 1, …, k components."""
        return np.concatenate([self._squared_errors(images[b]) for b in row_blocks(images)])

    def _squared_errors(self, images: np.ndarray) -> np.ndarray:
        centred = np.asarray(images, dtype=np.float64) - self.mean
        scores = centred @ self.components.T
        total = np.einsum("np,np->n", centred, centred)
        explained = np.cumsum(scores**2, axis=1)
        return np.maximum(total[:, None] - np.pad(explained, ((0, 0), (1, 0))), 0)

    def first(self, count: int) -> Pca:
        """Keep the first `count` components alone, so that the others' memory is free."""
        if count >= len(self.components):
            return self
        return replace(self, components=self.components[:count].copy())

    def undetermined(self, count: int) -> np.ndarray:
        """(count,) whether λ_k and λ_{k+1} are too close to order (North et al., 1982).

        Components whose λ_k is rounding have no order either.
        """
        pairs = self.variances[: count + 1]
        with np.errstate(invalid="ignore", divide="ignore"):
            close = (pairs[:-1] - pairs[1:]) / pairs[:-1] < 2 * np.sqrt(2 / self.fit_rows)
        rounding = self.fit_rows * np.finfo(np.float64).eps * self.variances[0]
        close |= pairs[:-1] <= rounding
        return np.pad(close, (0, count - len(close)), constant_values=False)

    def as_autoencoder(self, count: int, input_shape: tuple[int, int, int]) -> Autoencoder:
        """The first `count` components as an autoencoder with a linear decoder, for the control."""
        import torch

        mean = torch.from_numpy(self.mean.astype(np.float32))
        components = torch.from_numpy(self.components[:count].astype(np.float32))

        # Sums over many pixels lose in float32 what the control is held to.
        exact = components.T.double()

        def encode(images: torch.Tensor) -> torch.Tensor:
            centred = images.reshape(len(images), -1).cpu().to(torch.float64, copy=True).sub_(mean)
            return (centred @ exact).float()

        def decode(codes: torch.Tensor) -> torch.Tensor:
            return torch.addmm(mean, codes, components).reshape(len(codes), *input_shape)

        return Autoencoder(
            encode=encode,
            decode=decode,
            input_shape=input_shape,
            code_shape=(count,),
            forward=lambda images: decode(encode(images)),
            notes=(Note("format", "PCA of the fit rows, wrapped as an autoencoder."),),
            name="PCA",
            concurrent=True,
        )


def pca_beside(
    fit_images: np.ndarray, test_images: np.ndarray, code_size: int, seed: int
) -> tuple[Pca, np.ndarray]:
    """PCA of more components than the code has numbers, and what they leave of test images.

    There are twice as many, but at least 64, and beyond 512 numbers 1,024 or the code's size; fewer
    where rows or pixels run out. The second is (n, k + 1): ‖x − x̂‖² of each test image with the
    first 0, 1, …, k of them.
    """
    wanted = min(2 * code_size, max(MOST_HELD_BESIDE, code_size))
    fitted = fit_pca(fit_images, max(FEWEST_HELD_BESIDE, wanted), seed)
    return fitted, fitted.squared_errors(test_images)


def fit_pca(images: np.ndarray, count: int, seed: int) -> Pca:
    """PCA of (n, P) images with at most `count` components, never more than n − 1 or P.

    Computed in float64 from the products of rows with each other, or of pixels, whichever are
    fewer: that needs no second copy of the images, and none of the components that nobody asked
    for. Where both are above 4,000, by one of scikit-learn's solvers on such a copy.
    """
    rows, pixels = images.shape
    count = max(1, min(count, rows - 1, pixels))
    if min(rows, pixels) > LARGEST_PRODUCTS:
        return _fit_large(images, count, seed)
    mean = images.mean(axis=0, dtype=np.float64)
    of_side = _products_of_rows if rows <= pixels else _products_of_pixels
    products = of_side(images, mean)
    total = float(products.trace()) / rows
    ratio = _participation_ratio(total, float(np.square(products / rows).sum()))
    squares, directions = _largest_eigenpairs(products, count)
    components = directions if rows > pixels else _combined_rows(images, mean, directions)
    return Pca(
        mean=mean,
        components=_with_sign(components),
        variances=np.maximum(squares, 0) / rows,
        total_variance=total,
        participation_ratio=ratio,
        fit_rows=rows,
    )


def _products_of_rows(images: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """(n, n) X̃X̃ᵀ; its eigenvalues are nλ."""
    products = np.zeros((len(images), len(images)))
    for columns in column_blocks(images):
        centred = images[:, columns] - mean[columns]
        products += centred @ centred.T
    return products


def _products_of_pixels(images: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """(P, P) X̃ᵀX̃; its eigenvalues are nλ and its eigenvectors the components."""
    products = np.zeros((len(mean), len(mean)))
    for block in row_blocks(images):
        centred = images[block] - mean
        products += centred.T @ centred
    return products


def _largest_eigenpairs(products: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(count,) eigenvalues, largest first, and (count, n) their eigenvectors; overwrites (n, n)."""
    from scipy.linalg import eigh

    size = len(products)
    wanted = size - count, size - 1
    values, vectors = eigh(products, subset_by_index=wanted, overwrite_a=True)
    return values[::-1], np.ascontiguousarray(vectors.T[::-1])


def _combined_rows(images: np.ndarray, mean: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Eigenvectors (k, n) of the rows' products → (k, P) components: X̃ᵀu is √(nλ)v."""
    combined = columns_filled(
        len(directions), images, lambda some: directions @ (images[:, some] - mean[some])
    )
    return _orthonormal(combined)


def _orthonormal(rows: np.ndarray) -> np.ndarray:
    """Rows (k, P) that are orthogonal up to rounding, made orthonormal one after the other.

    By the Cholesky factor of their products (Yamamoto et al., 2015), which takes a quarter of the
    time of Householder reflections and no second copy. Rows of no variance are rounding: they are
    made orthonormal to the others by reflections all the same, as an SVD's are.
    """
    from scipy.linalg import cholesky, qr, solve_triangular

    lengths = np.sqrt(np.vecdot(rows, rows))
    if lengths.min() > 0:
        rows /= lengths[:, None]
        products = rows @ rows.T
        if np.abs(products - np.eye(len(rows))).max() < NEARLY_ORTHOGONAL / len(rows):
            lower = cholesky(products, lower=True)

            def solve(some: slice) -> None:
                rows[:, some] = solve_triangular(lower, rows[:, some], lower=True)

            for _ in in_parallel(solve, column_blocks(rows)):
                pass
            return rows
    reflected, _ = qr(rows.T, mode="economic", overwrite_a=True, check_finite=False)
    return reflected.T


def _with_sign(components: np.ndarray) -> np.ndarray:
    """The largest |loading| of each positive, as scikit-learn has it."""
    for component in components:
        component *= np.copysign(1, component[np.abs(component).argmax()])
    return components


def _fit_large(images: np.ndarray, count: int, seed: int) -> Pca:
    """Fit by ARPACK where few components are wanted, else in full."""
    from sklearn.decomposition import PCA

    rows, smaller = len(images), min(images.shape)
    total = float(centred_squares(images).sum()) / rows
    if total == 0:
        # ARPACK would have no direction to start in, and any will do.
        any_directions = np.eye(count, images.shape[1])
        return Pca(images[0].astype(float), any_directions, np.zeros(count), 0.0, np.nan, rows)
    solver = "arpack" if 4 * count <= smaller else "full"
    fitted = PCA(count, svd_solver=solver, random_state=seed, copy=False).fit(
        np.array(images, dtype=np.float64)
    )
    # scikit-learn divides by n − 1; the report's λ is the variance over the rows themselves.
    variances = fitted.explained_variance_ * (rows - 1) / rows
    # The variance outside the fitted components counts as spread evenly over the rest.
    rest = max(0.0, total - variances.sum())
    squares = np.square(variances).sum() + rest**2 / max(1, smaller - count)
    return Pca(
        mean=fitted.mean_,
        components=fitted.components_,
        variances=variances,
        total_variance=total,
        participation_ratio=_participation_ratio(total, float(squares)),
        fit_rows=rows,
    )


def _participation_ratio(total: float, squares: float) -> float:
    """(Σλ)² / Σλ²; NaN for constant images."""
    return total**2 / squares if total > 0 else float("nan")
