"""Decoders whose effects are known in closed form, and data sets whose codes are known exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from reportgen.autoencoder import Autoencoder, SourceFile
from reportgen.settings import Settings
from reportgen.study import Study, make_study

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
    source: SourceFile = field(default_factory=lambda: SourceFile("array", 0, "0" * 64))

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.pixels.shape[1:]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"image[{row}]" for row in range(len(self.pixels)))

    def __len__(self) -> int:
        return len(self.pixels)

    def read(self, rows) -> np.ndarray:
        return self.pixels[np.asarray(rows)]

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
