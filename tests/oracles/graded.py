"""Autoencoders with one number set in closed form, to put it on either side of a threshold.

Most are g(z) = ½ + z₀u₀ + z₁u₁ + c z₀z₁u₂ with an encoder that reads the code off the first two
pictures, so that E(g(z)) = z for every z: then only the distribution of codes says what is off
data. Codes are independent with mean 0 and variance 1, uniform unless said.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy import optimize, stats

from reportgen.settings import Settings
from reportgen.study.study import Study
from tests.oracles import decoders
from tests.oracles.decoders import HEIGHT, PIXELS, WIDTH, directions, uniform_codes

SETTINGS = Settings(bootstrap_resamples=200)
ROWS = 1000
# Light tails: E z⁴ of a uniform unit of variance 1.
FOURTH_MOMENT = 9 / 5


def as_images(pixels: torch.Tensor) -> torch.Tensor:
    """(n, P) → (n, 1, H, W)."""
    return pixels.reshape(len(pixels), 1, HEIGHT, WIDTH)


def exact(
    codes: np.ndarray,
    pictures: torch.Tensor,
    more: Callable[[torch.Tensor], torch.Tensor] = lambda z: torch.zeros(len(z), 1),
    *,
    read: torch.Tensor | None = None,
    mean: float = 0.0,
    labels: tuple[str, ...] | None = None,
) -> Study:
    """g(z) = ½ + (z − mean) W + more(z − mean), and an encoder that reads z off some pictures.

    `read` (K, P), W unless said, are orthonormal, and orthogonal to what is more.
    """
    back = (pictures if read is None else read).T

    def decode(z: torch.Tensor) -> torch.Tensor:
        return as_images(0.5 + (z - mean) @ pictures + more(z - mean))

    return decoders.of_pixels(
        decode(torch.from_numpy(codes)).reshape(len(codes), -1).numpy(),
        encode=lambda images: (images.reshape(len(images), -1) - 0.5) @ back + mean,
        decode=decode,
        code_shape=(codes.shape[1],),
        settings=SETTINGS,
        labels=labels,
    )


def with_product(weight: float, mean: float = 0.0, correlation: float | None = None) -> Study:
    """Two units and `weight` times their product; normal codes where they go together."""
    pictures = directions(3)
    codes = uniform_codes(ROWS, 2)
    if correlation is not None:
        codes = decoders.gaussian_codes(ROWS, 2)
        free = np.sqrt(1 - correlation**2)
        codes[:, 1] = correlation * codes[:, 0] + free * codes[:, 1]
    return exact(
        (codes + mean).astype(np.float32),
        pictures[:2],
        lambda z: weight * z[:, :1] * z[:, 1:2] * pictures[2],
        mean=mean,
    )


def of_linear_share(share: float) -> Study:
    """2 / (2 + c²) of the variance is linear."""
    return with_product(np.sqrt(2 / share - 2))


def of_gap(gap: float) -> Study:
    """E|c z₀z₁| / E√(z₀² + z₁² + c² z₀²z₁²), by quadrature over the square."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    first, second = np.meshgrid(nodes * np.sqrt(3), nodes * np.sqrt(3))
    together = np.outer(weights, weights)

    def missed(c: float) -> float:
        product = c * first * second
        changed = np.sqrt(first**2 + second**2 + product**2)
        return float((together * np.abs(product)).sum() / (together * changed).sum())

    return with_product(optimize.brentq(lambda c: missed(c) - gap, 0, 100))


def of_miss(miss: float) -> Study:
    """Zeroing a unit takes the whole product away, its contribution half: miss = c / √(4 + c²)."""
    return with_product(2 * miss / np.sqrt(1 - miss**2))


def of_misses(from_the_mean: float, from_zero: float) -> Study:
    """From zero c √S / √(4 + c²S), S = 1 + m² with units of mean m."""
    averaged, zeroed = (2 * miss / np.sqrt(1 - miss**2) for miss in (from_the_mean, from_zero))
    return with_product(averaged, mean=float(np.sqrt((zeroed / averaged) ** 2 - 1)))


def of_one_picture(rho: float) -> Study:
    """Taking unit 0 out takes z₀(u₀ + c z₁u₂) away: ρ = 1 / (1 + c²)."""
    return with_product(np.sqrt(1 / rho - 1))


def off_data_of_solo(share: float) -> float:
    """The correlation of two normal units at which so many codes (z₀, 0) leave the 99 % ellipse."""
    beyond = stats.chi2.isf(share, 1) / stats.chi2.isf(0.01, 2)
    return float(np.sqrt(1 - beyond))


def of_r2(r2: float) -> Study:
    """The last of five units is drawn b times more where no image has anything: R² = 1 − b²/5."""
    pictures = directions(6)
    codes = uniform_codes(ROWS, 5)
    wrong = np.sqrt(5 * (1 - r2))

    def decode(z: torch.Tensor) -> torch.Tensor:
        return as_images(z @ pictures[:5] + wrong * z[:, 4:] * pictures[5])

    return decoders.of_pixels(
        codes @ pictures[:5].numpy(),
        encode=lambda images: images.reshape(len(images), -1) @ pictures[:5].T,
        decode=decode,
        code_shape=(5,),
        settings=SETTINGS,
    )


def below_pca(difference: float) -> Study:
    """One of four units is drawn too weakly; PCA with four components misses nothing."""
    pictures = directions(4)
    gain = torch.tensor([1, 1, 1, 1 - 2 * np.sqrt(difference)], dtype=torch.float32)
    return decoders.of_pixels(
        uniform_codes(ROWS, 4) @ pictures.numpy(),
        encode=lambda images: images.reshape(len(images), -1) @ pictures.T,
        decode=lambda z: as_images(z * gain @ pictures),
        code_shape=(4,),
        settings=SETTINGS,
    )


def above_pca(difference: float) -> Study:
    """z u₀ + c (z² − 1) u₁ is one number to the model and two to PCA."""
    pictures = directions(2)
    bend = np.sqrt(difference / (1 - difference) / (FOURTH_MOMENT - 1))
    return exact(uniform_codes(ROWS, 1), pictures[:1], lambda z: bend * (z**2 - 1) * pictures[1])


def beside_pca_by_chance(difference: float) -> Study:
    """Half of the images are y u₀, half s y u₁; the model has u₁, PCA the stronger u₀."""
    pictures = directions(2)
    scale = np.sqrt((1 - difference) / (1 + difference))
    codes = np.zeros((ROWS, 2), np.float32)
    values = uniform_codes(ROWS, 1)[:, 0]
    codes[::2, 0], codes[1::2, 1] = values[::2], scale * values[1::2]
    return decoders.of_pixels(
        codes @ pictures.numpy(),
        encode=lambda images: images.reshape(len(images), -1) @ pictures[1:].T,
        decode=lambda z: as_images(z @ pictures[1:]),
        code_shape=(1,),
        settings=SETTINGS,
    )


def zeroed_off_data(share: float, units: int = 2) -> Study:
    """A linear decoder of normal units of mean m: a zeroed one leaves χ² of the others and m²."""
    mean = np.sqrt(stats.chi2.isf(0.01, units) - stats.chi2.isf(share, units - 1))
    codes = decoders.gaussian_codes(ROWS, units) + mean
    return exact(codes.astype(np.float32), directions(units), mean=float(mean))


def bright_and_textured(units: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A picture of one value, and (units, P) pictures that leave mean, centre and extent alone."""
    y, x = np.indices((HEIGHT, WIDTH)).reshape(2, PIXELS) - [[HEIGHT / 2], [WIDTH / 2]]
    moments = np.stack([np.ones(PIXELS), x, y, x * y, x**2, y**2], axis=1)
    free = np.random.default_rng(12).normal(size=(PIXELS, units))
    orthonormal = np.linalg.qr(np.hstack([moments, free]))[0]
    textures = torch.from_numpy(orthonormal[:, moments.shape[1] :].T.astype(np.float32))
    return torch.full((PIXELS,), PIXELS**-0.5), textures


def going_with_brightness(spearman: float) -> Study:
    """Brightness is r z₀ + √(1 − r²) z₁ of normal units, Spearman's r being 6/π asin(r/2)."""
    bright, textures = bright_and_textured(2)
    r = 2 * np.sin(np.pi * spearman / 6)
    weights = torch.tensor([[r], [np.sqrt(1 - r**2)]], dtype=torch.float32)
    return exact(decoders.gaussian_codes(ROWS, 2), textures + weights * bright, read=textures)


def going_with_a_class(area: float) -> Study:
    """Unit 0 is normal and moved by d in one of two classes: AUC = Φ(d / √2)."""
    codes = decoders.gaussian_codes(ROWS, 2)
    moved = np.random.default_rng(5).random(ROWS) < 0.5
    codes[moved, 0] += np.float32(np.sqrt(2) * stats.norm.ppf(area))
    labels = tuple("moved" if is_so else "not" for is_so in moved)
    return exact(codes, directions(2), labels=labels)


def drawing_brightness(deviations: float, varying: float = 0.0) -> Study:
    """Brightness is z₀ + b z₁ + v z₁z₂ of normal units, the first two with r .9: unit 1 draws b.

    b is chosen so that one sd of unit 1 moves brightness by so many of its sd.
    """
    bright, textures = bright_and_textured(3)
    codes = decoders.gaussian_codes(ROWS, 3)
    codes[:, 1] = 0.9 * codes[:, 0] + np.sqrt(1 - 0.81) * codes[:, 1]

    def spread(b: float) -> float:
        return float(np.sqrt(1 + b**2 + 1.8 * b + varying**2))

    drawn = optimize.brentq(lambda b: b / spread(b) - deviations, 0, 10)
    weights = torch.tensor([[1], [drawn], [0]], dtype=torch.float32)
    return exact(
        codes,
        textures + weights * bright,
        lambda z: varying * z[:, 1:2] * z[:, 2:3] * bright,
        read=textures,
    )
