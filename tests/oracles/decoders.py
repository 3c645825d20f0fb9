"""Decoders whose effects are known in closed form, and data sets whose codes are known exactly."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from reportgen.autoencoder import Autoencoder, SourceFile
from reportgen.settings import Settings
from reportgen.study.assemble import make_study
from reportgen.study.study import Study

HEIGHT, WIDTH = 4, 5
PIXELS = HEIGHT * WIDTH


@dataclass(frozen=True)
class ArrayImages:
    """An in-memory stand-in for the images room's ImageSet."""

    pixels: np.ndarray
    labels: tuple[str, ...] | None = None
    factors: dict[str, tuple] | None = None
    pixel_range: tuple[float, float] = (0.0, 1.0)
    skipped: tuple = ()
    notes: tuple = ()
    source: SourceFile | None = None

    def __post_init__(self) -> None:
        if self.source is None:
            digest = hashlib.sha256(self.pixels.tobytes()).hexdigest()
            object.__setattr__(self, "source", SourceFile("array", 0, digest))

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.pixels.shape[1:]

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(f"image[{row}]" for row in range(len(self.pixels)))

    def __len__(self) -> int:
        return len(self.pixels)

    def read(self, rows) -> np.ndarray:
        return self.pixels[rows if isinstance(rows, slice) else np.asarray(rows)]

    def batches(self, size: int) -> Iterator[tuple[range, np.ndarray]]:
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            yield range(start, stop), self.pixels[start:stop]


def directions(units: int, seed: int = 11) -> torch.Tensor:
    """(units, P) orthonormal pictures u_k."""
    matrix = np.random.default_rng(seed).normal(size=(PIXELS, units))
    return torch.from_numpy(np.linalg.qr(matrix)[0].T.astype(np.float32))


def gaussian_codes(rows: int, units: int, seed: int = 3, scale: float = 1.0) -> np.ndarray:
    return (scale * np.random.default_rng(seed).normal(size=(rows, units))).astype(np.float32)


def study_of(
    decode: Callable[[torch.Tensor], torch.Tensor],
    codes: np.ndarray,
    *,
    settings: Settings | None = None,
    noise: float = 0.0,
    **of_autoencoder,
) -> Study:
    """A study whose images are `decode(codes)` (n, P), so that the true codes are known.

    The encoder looks codes up by nearest image; `noise` is added to the images afterwards.
    """
    known = torch.from_numpy(np.asarray(codes, dtype=np.float32))
    clean = decode(known).reshape(len(known), -1).float()
    noisy = clean + noise * torch.from_numpy(
        np.random.default_rng(9).normal(size=clean.shape).astype(np.float32)
    )

    def encode(images: torch.Tensor) -> torch.Tensor:
        flat = images.reshape(len(images), -1)
        return known[torch.cdist(flat.double(), noisy.double()).argmin(dim=1)]

    autoencoder = Autoencoder(
        encode=encode,
        decode=lambda z: decode(z).reshape(len(z), 1, HEIGHT, WIDTH),
        input_shape=(1, HEIGHT, WIDTH),
        code_shape=(codes.shape[1],),
        **of_autoencoder,
    )
    images = ArrayImages(noisy.numpy().reshape(-1, 1, HEIGHT, WIDTH))
    return make_study(autoencoder, images, settings or Settings())  # type: ignore[arg-type]


def linear(units: int = 4, offset: float = 0.3) -> Callable[[torch.Tensor], torch.Tensor]:
    """g(z) = offset + z W."""
    weights = directions(units) * torch.arange(1, units + 1)[:, None]
    return lambda z: offset + z @ weights


def additive(units: int = 4) -> Callable[[torch.Tensor], torch.Tensor]:
    """g(z) = Σ_k tanh(z_k) u_k + z_k² u_{k+units}: bent curves, no interaction."""
    pictures = directions(2 * units)
    return lambda z: torch.tanh(z) @ pictures[:units] + z**2 @ pictures[units:]


def intensity_curve(units: int = 3) -> Callable[[torch.Tensor], torch.Tensor]:
    """g(z) = Σ_k tanh(2 z_k) u_k: one picture for each unit, its intensity not proportional."""
    pictures = directions(units)
    return lambda z: torch.tanh(2 * z) @ pictures


def product() -> Callable[[torch.Tensor], torch.Tensor]:
    """g(z) = z_0 z_1 u."""
    picture = directions(1)[0]
    return lambda z: (z[:, :1] * z[:, 1:2]) * picture


def squashed(units: int = 3) -> Callable[[torch.Tensor], torch.Tensor]:
    """g(z) = sigmoid(z W)."""
    weights = directions(units) * 4
    return lambda z: torch.sigmoid(z @ weights)


def product_with_square() -> Callable[[torch.Tensor], torch.Tensor]:
    """g(z) = z_0 z_1² u."""
    picture = directions(1)[0]
    return lambda z: (z[:, :1] * z[:, 1:2] ** 2) * picture


def product_and_linear() -> Callable[[torch.Tensor], torch.Tensor]:
    """g(z) = z_0 z_1 u_0 + 2 z_0 u_1 + 3 z_1 u_2."""
    first, second, third = directions(3)
    return lambda z: z[:, :1] * z[:, 1:2] * first + 2 * z[:, :1] * second + 3 * z[:, 1:2] * third


def mixed() -> Callable[[torch.Tensor], torch.Tensor]:
    """g(z) = z_0 z_1 u_0 + z_2 u_1 + z_3 u_2: a third of the variance is a product."""
    first, second, third = directions(3)
    return lambda z: z[:, :1] * z[:, 1:2] * first + z[:, 2:3] * second + z[:, 3:4] * third


def smooth(units: int = 4, seed: int = 5) -> Callable[[torch.Tensor], torch.Tensor]:
    """A small tanh network with everything in it: curves, products, saturation."""
    generator = np.random.default_rng(seed)

    def weights(rows: int, columns: int) -> torch.Tensor:
        matrix = generator.normal(size=(rows, columns)) / np.sqrt(rows)
        return torch.from_numpy(matrix.astype(np.float32))

    inner, outer, bias = weights(units, 16), weights(16, PIXELS), weights(1, 16)
    return lambda z: torch.tanh(torch.tanh(1.5 * z @ inner + bias) @ outer)


def convolutional(channels: int = 2, seed: int = 6) -> torch.nn.Module:
    """(n, channels, 2, 2) codes → (n, 1, 4, 4) images: a spatial code."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torch.nn.Sequential(
            torch.nn.ConvTranspose2d(channels, 8, 2, 2), torch.nn.ReLU(), torch.nn.Conv2d(8, 1, 1)
        ).eval()


def symmetric_codes(rows: int, units: int, seed: int = 4) -> np.ndarray:
    """Codes whose mean is exactly 0: every row comes with its negative."""
    half = gaussian_codes((rows + 1) // 2, units, seed)
    return np.concatenate([half, -half])


def carrying(
    decode: Callable[[torch.Tensor], torch.Tensor],
    codes: np.ndarray,
    *,
    fit_codes: np.ndarray | None = None,
    settings: Settings | None = None,
    labels: tuple[str, ...] | None = None,
    factors: dict[str, tuple] | None = None,
    **of_autoencoder,
) -> Study:
    """A study whose images carry their code in their first pixels: any decoder, any code.

    Unlike in `study_of`, images have nothing to do with reconstructions, so two codes may decode to
    one image, and the baseline can be set through `fit_codes`.
    """
    units = codes.shape[1]

    def images_of(values: np.ndarray) -> np.ndarray:
        pixels = np.zeros((len(values), PIXELS), np.float32)
        pixels[:, :units] = values
        return pixels.reshape(-1, 1, HEIGHT, WIDTH)

    autoencoder = Autoencoder(
        encode=lambda images: images.reshape(len(images), -1)[:, :units],
        decode=lambda z: decode(z).reshape(len(z), 1, HEIGHT, WIDTH),
        input_shape=(1, HEIGHT, WIDTH),
        code_shape=(units,),
        **of_autoencoder,
    )
    fit_images = None if fit_codes is None else ArrayImages(images_of(fit_codes))
    return make_study(
        autoencoder,
        ArrayImages(images_of(codes), labels=labels, factors=factors),  # type: ignore[arg-type]
        settings or Settings(),
        fit_images=fit_images,  # type: ignore[arg-type]
    )


def of_pixels(
    pixels: np.ndarray,
    *,
    shape: tuple[int, int, int] | None = None,
    encode: Callable[[torch.Tensor], torch.Tensor] | None = None,
    decode: Callable[[torch.Tensor], torch.Tensor] | None = None,
    code_shape: tuple[int, ...] = (1,),
    fit_pixels: np.ndarray | None = None,
    settings: Settings | None = None,
    labels: tuple[str, ...] | None = None,
    factors: dict[str, tuple] | None = None,
    **of_autoencoder,
) -> Study:
    """A study of given images (n, P); without a model, one whose code is the first pixel."""
    shape = shape or (1, HEIGHT, WIDTH)
    count = int(np.prod(shape))
    autoencoder = Autoencoder(
        encode=encode or (lambda images: images.reshape(len(images), -1)[:, :1]),
        decode=decode or (lambda z: z.repeat(1, count).reshape(len(z), *shape)),
        input_shape=shape,
        code_shape=code_shape,
        **of_autoencoder,
    )

    def images_of(values: np.ndarray, **known) -> ArrayImages:
        return ArrayImages(values.reshape(-1, *shape).astype(np.float32), **known)

    return make_study(
        autoencoder,
        images_of(pixels, labels=labels, factors=factors),  # type: ignore[arg-type]
        settings or Settings(),
        fit_images=None if fit_pixels is None else images_of(fit_pixels),  # type: ignore[arg-type]
    )


def pca_model(fitted, shape: tuple[int, int, int] | None = None) -> dict:
    """scikit-learn's fitted PCA as the `encode`, `decode` and `code_shape` of a model."""
    shape = shape or (1, HEIGHT, WIDTH)

    def encode(images: torch.Tensor) -> torch.Tensor:
        flat = images.reshape(len(images), -1).double().numpy()
        return torch.from_numpy(fitted.transform(flat).astype(np.float32))

    def decode(codes: torch.Tensor) -> torch.Tensor:
        images = fitted.inverse_transform(codes.double().numpy())
        return torch.from_numpy(images.astype(np.float32)).reshape(len(codes), *shape)

    return {"encode": encode, "decode": decode, "code_shape": (fitted.n_components_,)}


def correlated_pixels(rows: int, seed: int = 8, scale: float = 0.1) -> np.ndarray:
    """(rows, P) images of well separated variances along every axis."""
    generator = np.random.default_rng(seed)
    axes = np.linalg.qr(np.random.default_rng(2).normal(size=(PIXELS, PIXELS)))[0]
    scores = generator.normal(size=(rows, PIXELS)) * 1.4 ** -np.arange(PIXELS)
    return (0.5 + scale * scores @ axes).astype(np.float32)


def ishigami() -> Callable[[torch.Tensor], torch.Tensor]:
    """g(z) = (sin z_0 + 7 sin² z_1 + z_2⁴ sin z_0 / 10) u (Ishigami & Homma, 1990)."""
    picture = directions(1)[0]

    def decode(z: torch.Tensor) -> torch.Tensor:
        first, second, third = z[:, :1], z[:, 1:2], z[:, 2:3]
        wave = torch.sin(first) * (1 + 0.1 * third**4)
        return (wave + 7 * torch.sin(second) ** 2) * picture

    return decode


def sobol_g(importances: np.ndarray) -> Callable[[torch.Tensor], torch.Tensor]:
    """g(z) = Π_k (|4 z_k − 2| + a_k)/(1 + a_k) u, for z uniform on [0, 1] (Sobol')."""
    picture = directions(1)[0]
    weights = torch.from_numpy(np.asarray(importances, dtype=np.float32))

    def decode(z: torch.Tensor) -> torch.Tensor:
        factors = ((4 * z - 2).abs() + weights) / (1 + weights)
        return factors.prod(dim=1, keepdim=True) * picture

    return decode


def uniform_codes(rows: int, units: int, seed: int = 17) -> np.ndarray:
    """Independent units of mean 0 and variance 1 without tails, so that few rows tell variances."""
    generator = np.random.default_rng(seed)
    return generator.uniform(-np.sqrt(3), np.sqrt(3), size=(rows, units)).astype(np.float32)


def in_thirds() -> Callable[[torch.Tensor], torch.Tensor]:
    """z_0 u_0 + (z_1² − 1)/√.8 u_1 + z_2 z_3 u_2: for `uniform_codes` all three of variance 1."""
    first, second, third = directions(3)

    def decode(z: torch.Tensor) -> torch.Tensor:
        curve = (z[:, 1:2] ** 2 - 1) / np.sqrt(0.8)
        return z[:, :1] * first + curve * second + z[:, 2:3] * z[:, 3:4] * third

    return decode


def fifty_fifty() -> Callable[[torch.Tensor], torch.Tensor]:
    """z_0 u_0 + z_1 z_2 u_1: half of the variance is linear, half a product."""
    first, second = directions(2)
    return lambda z: z[:, :1] * first + z[:, 1:2] * z[:, 2:3] * second


def confounded_codes(rows: int, seed: int = 21) -> np.ndarray:
    """(rows, 3) normal units of variance 1, the first two correlated by .9."""
    codes = np.random.default_rng(seed).normal(size=(rows, 3))
    codes[:, 1] = 0.9 * codes[:, 0] + np.sqrt(1 - 0.9**2) * codes[:, 1]
    return codes.astype(np.float32)


def confounding() -> Callable[[torch.Tensor], torch.Tensor]:
    """.5 + .6 z_0 1/√P + .6 z_1 t + .4 z_2 t′: textures t, t′ of mean 0 and length 1."""
    one = torch.ones(PIXELS) / PIXELS**0.5
    textures = torch.from_numpy(np.random.default_rng(22).normal(size=(2, PIXELS))).float()
    textures = textures - textures.mean(dim=1, keepdim=True)
    first, second = textures / textures.norm(dim=1, keepdim=True)

    def decode(z: torch.Tensor) -> torch.Tensor:
        return 0.5 + 0.6 * z[:, :1] * one + 0.6 * z[:, 1:2] * first + 0.4 * z[:, 2:3] * second

    return decode
