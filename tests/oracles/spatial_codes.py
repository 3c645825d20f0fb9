"""Models whose code is a small image: decoders that paint each site's channels on its own patch."""

from __future__ import annotations

import numpy as np
import torch

from reportgen.autoencoder import Autoencoder
from reportgen.settings import Settings
from reportgen.study.assemble import make_study
from reportgen.study.study import Study
from tests.oracles.decoders import ArrayImages


def colours(channels: int, seed: int = 13) -> torch.Tensor:
    """(channels, 3) what one unit of each channel adds to red, green, blue."""
    matrix = np.random.default_rng(seed).normal(size=(channels, 3)) / 10
    return torch.from_numpy(matrix.astype(np.float32))


def site_codes(rows: int, shape: tuple[int, int, int], seed: int = 14) -> np.ndarray:
    """(rows, *shape) normal codes; every site and channel has its own mean and spread."""
    generator = np.random.default_rng(seed)
    spread, mean = generator.uniform(0.5, 2, size=shape), generator.normal(size=shape)
    return (generator.normal(size=(rows, *shape)) * spread + mean).astype(np.float32)


def painting(
    codes: np.ndarray,
    scale: int,
    *,
    bend: float = 0.0,
    hidden_sites: tuple[tuple[int, int], ...] = (),
    settings: Settings | None = None,
    labels: tuple[str, ...] | None = None,
) -> Study:
    """Each site paints .5 + colours · z on a patch of `scale` × `scale` pixels.

    With `bend` the colour is also bent and multiplied; `hidden_sites` paint nothing. The encoder
    looks codes up by nearest image.
    """
    known = torch.from_numpy(codes)
    mixing = colours(codes.shape[1])
    visible = torch.ones(codes.shape[2:])
    for site in hidden_sites:
        visible[site] = 0

    def decode(z: torch.Tensor) -> torch.Tensor:
        painted = 0.5 + torch.einsum("nchw,cd->ndhw", z * visible, mixing)
        if bend:
            painted = painted + bend * torch.tanh(z[:, :1] * z[:, 1:2]) * visible
        return painted.repeat_interleave(scale, dim=2).repeat_interleave(scale, dim=3)

    images = decode(known)
    keys = images.reshape(len(images), -1).double()

    def encode(x: torch.Tensor) -> torch.Tensor:
        return known[torch.cdist(x.reshape(len(x), -1).double(), keys).argmin(dim=1)]

    autoencoder = Autoencoder(
        encode=encode,
        decode=decode,
        input_shape=tuple(images.shape[1:]),
        code_shape=tuple(codes.shape[1:]),
    )
    return make_study(
        autoencoder,
        ArrayImages(images.numpy(), labels=labels),  # type: ignore[arg-type]
        settings or Settings(),
    )
