"""The network of this sample: a convolutional VAE for 32×32 colour images of one rectangle."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ShapesVAE(nn.Module):
    """Images (n, 3, 32, 32) in [0, 1] → reconstruction, mean (n, 6), log-variance (n, 6).

    A code is sampled while training; in evaluation mode it is the posterior mean.
    """

    def __init__(self, units: int = 6) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 4 * 4, 128),
            nn.ReLU(),
            nn.Linear(128, 2 * units),
        )
        self.decoder = nn.Sequential(
            nn.Linear(units, 128),
            nn.ReLU(),
            nn.Linear(128, 32 * 4 * 4),
            nn.ReLU(),
            nn.Unflatten(1, (32, 4, 4)),
            nn.ConvTranspose2d(32, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 3, 4, stride=2, padding=1),
            nn.Sigmoid(),
        )
        # Training starts from a dark picture; from sigmoid(0), grey, it stays at the mean image.
        nn.init.constant_(self.decoder[-2].bias, -2.0)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, code: Tensor) -> Tensor:
        return self.decoder(code)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.encode(images)
        code = mean
        if self.training:
            code = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        return self.decode(code), mean, log_variance
