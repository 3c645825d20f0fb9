"""Principal components of the fit images: the linear model everything is held beside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.autoencoder import Autoencoder, Note
from reportgen.statistics.blocks import centred_squares, row_blocks

LARGEST_EXACT = 4_000
LARGEST_DENSE = 1_000
SMALLEST_SPARSE = 256


@dataclass(frozen=True)
class Pca:
    """A fitted PCA.

    Attributes
    ----------
    mean : (P,) mean image of the fit rows.
    components : (k, P) orthonormal; the largest |loading| of each is positive (scikit-learn ≥ 1.5).
    variances : (k,) λ, the variance along each component with ddof 0.
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

    def undetermined(self, count: int) -> np.ndarray:
        """(count,) whether λ_k and λ_{k+1} are too close to order (North et al., 1982)."""
        pairs = self.variances[: count + 1]
        with np.errstate(invalid="ignore", divide="ignore"):
            close = (pairs[:-1] - pairs[1:]) / pairs[:-1] < 2 * np.sqrt(2 / self.fit_rows)
        return np.pad(close, (0, count - len(close)), constant_values=False)

    def as_autoencoder(self, count: int, input_shape: tuple[int, int, int]) -> Autoencoder:
        """The first `count` components as an autoencoder with a linear decoder, for the control."""
        import torch

        mean = torch.from_numpy(self.mean.astype(np.float32))
        components = torch.from_numpy(self.components[:count].astype(np.float32))

        # Sums over many pixels lose in float32 what the control is held to.
        exact = components.T.double()

        def encode(images: torch.Tensor) -> torch.Tensor:
            centred = images.reshape(len(images), -1).cpu().double() - mean
            return (centred @ exact).float()

        def decode(codes: torch.Tensor) -> torch.Tensor:
            return (mean + codes @ components).reshape(len(codes), *input_shape)

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


def fit_pca(images: np.ndarray, count: int, seed: int) -> Pca:
    """PCA of (n, P) images with at most `count` components, never more than n − 1 or P.

    Computed in float64 by whichever of scikit-learn's deterministic solvers is cheapest: from the
    covariance where the rows are many, by ARPACK where a few components of a large matrix are
    wanted, else in full.
    """
    from sklearn.decomposition import PCA

    rows, pixels = images.shape
    count = max(1, min(count, rows - 1, pixels))
    total = float(centred_squares(images).sum()) / rows
    # Images that are all the same have no direction for ARPACK to start in; a few say as much.
    different = images if total > 0 else images[: count + 1]
    used = _solver(len(different), pixels, count)
    solver = PCA(count, svd_solver=used, random_state=seed, copy=False)
    # They have no variance to take ratios of, either; those ratios are not used here.
    with np.errstate(invalid="ignore"):
        fitted = solver.fit(np.array(different, dtype=np.float64))
    # scikit-learn divides by n − 1; the report's λ is the variance over the rows themselves.
    to_ddof_0 = (rows - 1) / rows
    variances = fitted.explained_variance_ * to_ddof_0
    return Pca(
        mean=fitted.mean_,
        components=fitted.components_,
        variances=variances,
        total_variance=total,
        participation_ratio=_participation_ratio(images, variances, total),
        fit_rows=rows,
    )


def _solver(rows: int, pixels: int, count: int) -> str:
    if pixels <= LARGEST_DENSE and rows >= 4 * pixels:
        return "covariance_eigh"
    smaller = min(rows, pixels)
    return "arpack" if smaller > SMALLEST_SPARSE and 4 * count <= smaller else "full"


def _participation_ratio(images: np.ndarray, variances: np.ndarray, total: float) -> float:
    """(Σλ)² / Σλ²; NaN for constant images.

    Σλ² is the squared norm of the smaller of the two Gram matrices. Where even that is large, the
    variance outside the fitted components counts as spread evenly over the rest.
    """
    if total <= 0:
        return float("nan")
    rows, pixels = images.shape
    if min(rows, pixels) <= LARGEST_EXACT:
        centred = images - images.mean(axis=0, dtype=np.float64).astype(images.dtype)
        gram = centred @ centred.T if rows <= pixels else centred.T @ centred
        squares = float(np.square(gram / rows).sum())
    else:
        rest, count = max(0.0, total - variances.sum()), min(rows, pixels) - len(variances)
        squares = float(np.square(variances).sum()) + rest**2 / max(1, count)
    return total**2 / squares
