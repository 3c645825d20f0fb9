"""What is measured: decoders of the sizes that users have, with weights drawn and not trained."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from reportgen.autoencoder import Autoencoder
from reportgen.loading import autoencoder_from_module
from reportgen.settings import Settings
from reportgen.study.assemble import make_study
from reportgen.study.study import Study
from tests.oracles.decoders import ArrayImages


def convolutional(units: int, side: int = 64, channels: int = 3) -> nn.ModuleDict:
    """The autoencoder of Burgess et al. (2018) for 64×64 pixels; 32, 128 and 256 alike."""
    torch.manual_seed(0)
    inner = side // 16
    down: list[nn.Module] = []
    for width in (channels, 32, 32, 32):
        down += [nn.Conv2d(width, 32, 4, 2, 1), nn.ReLU()]
    up: list[nn.Module] = []
    for _ in range(3):
        up += [nn.ConvTranspose2d(32, 32, 4, 2, 1), nn.ReLU()]
    flat = 32 * inner * inner
    encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(flat, 256), nn.ReLU())
    encoder.append(nn.Linear(256, units))
    engine = nn.Sequential(
        *(nn.Linear(units, 256), nn.ReLU(), nn.Linear(256, flat), nn.ReLU()),
        *(nn.Unflatten(1, (32, inner, inner)), *up),
        *(nn.ConvTranspose2d(32, channels, 4, 2, 1), nn.Sigmoid()),
    )
    return _drawn(encoder, engine)


def fully_connected(units: int, side: int = 28, channels: int = 1) -> nn.ModuleDict:
    """The autoencoder of Hinton & Salakhutdinov (2006), with ReLU between its layers."""
    torch.manual_seed(0)
    widths = [channels * side * side, 1000, 500, 250, units]
    encoder, engine = nn.Sequential(nn.Flatten()), nn.Sequential()
    for layers, ends in ((encoder, widths), (engine, widths[::-1])):
        for before, after in pairwise(ends):
            layers.extend([nn.Linear(before, after), nn.ReLU()])
        del layers[-1]
    engine.extend([nn.Sigmoid(), nn.Unflatten(1, (channels, side, side))])
    return _drawn(encoder, engine)


def _drawn(encoder: nn.Sequential, engine: nn.Sequential) -> nn.ModuleDict:
    modules = nn.ModuleDict({"encoder": encoder, "decoder": engine})
    for weight in modules.parameters():
        # Torch's own draw fades from layer to layer, until every code gives the same image.
        if weight.dim() > 1:
            nn.init.kaiming_normal_(weight, nonlinearity="relu")
    return modules.eval().requires_grad_(False)


def autoencoder(
    units: int,
    side: int = 64,
    channels: int = 3,
    layers: Callable[[int, int, int], nn.ModuleDict] = convolutional,
) -> Autoencoder:
    """The same as the analyses know it when it was loaded."""
    modules = layers(units, side, channels)
    whole = nn.Sequential(modules["encoder"], modules["decoder"])
    last = f"0.{len(modules['encoder']) - 1}"
    return autoencoder_from_module(
        whole, ArrayImages(images(8, side, channels)), normalize="0,1", bottleneck=last
    )


def images(count: int, side: int = 64, channels: int = 3) -> np.ndarray:
    """(count, channels, side, side) float32: smooth random images in [0, 1]."""
    generator = np.random.default_rng(1)
    y, x = np.mgrid[:side, :side] / side
    waves = generator.normal(size=(count, channels, 6)) * np.pi
    bend = np.stack([x, y, x * y, x**2, y**2, np.ones_like(x)])
    return (0.5 + 0.5 * np.sin(np.einsum("ncw,whv->nchv", waves, bend))).astype(np.float32)


def study(
    units: int,
    *,
    side: int = 64,
    channels: int = 3,
    layers: Callable[[int, int, int], nn.ModuleDict] = convolutional,
    count: int = 400,
    **settings: object,
) -> Study:
    """A fresh study: nothing is stored yet."""
    pixels = ArrayImages(images(count, side, channels))
    model = autoencoder(units, side, channels, layers)
    return make_study(model, pixels, Settings(**settings))  # type: ignore[arg-type]
