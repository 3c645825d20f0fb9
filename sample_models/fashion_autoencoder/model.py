"""The network of this sample: a plain convolutional autoencoder for 28×28 grey images."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FashionAutoencoder(nn.Module):
    """Images (n, 1, 28, 28) with pixels in [0, 1] → codes (n, 8) → reconstructions.

    `encode` and `decode` are exported, so that the TorchScript file carries them as methods.
    """

    def __init__(self, units: int = 8) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64 * 4 * 4, units),
        )
        self.decoder = nn.Sequential(
            nn.Linear(units, 128),
            nn.ReLU(),
            nn.Linear(128, 32 * 7 * 7),
            nn.ReLU(),
            nn.Unflatten(1, (32, 7, 7)),
            nn.ConvTranspose2d(32, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 1, 3, padding=1),
            nn.Sigmoid(),
        )

    @torch.jit.export
    def encode(self, images: Tensor) -> Tensor:
        return self.encoder(images)

    @torch.jit.export
    def decode(self, code: Tensor) -> Tensor:
        return self.decoder(code)

    def forward(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))
