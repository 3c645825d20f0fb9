"""The network of this sample: a convolutional β-VAE for 28×28 grey images."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FashionVAE(nn.Module):
    """Encoder to mean and log-variance of 10 units, a sampled code, and a sigmoid decoder.

    `forward` samples in evaluation mode too, as published VAEs often do: (n, 1, 28, 28) with
    pixels in [0, 1] → reconstruction (n, 1, 28, 28), mean (n, 10), log-variance (n, 10).
    """

    def __init__(self, units: int = 10) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.mean = nn.Linear(64 * 4 * 4, units)
        self.log_variance = nn.Linear(64 * 4 * 4, units)
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

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(images)
        return self.mean(features), self.log_variance(features)

    def sample(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        std = torch.exp(0.5 * log_variance)
        return mean + torch.randn_like(std) * std

    def decode(self, code: Tensor) -> Tensor:
        return self.decoder(code)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.encode(images)
        return self.decode(self.sample(mean, log_variance)), mean, log_variance
