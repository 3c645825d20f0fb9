"""Autoencoders of diffusers: which there are, the pixels they take, and codes without rounding."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from reportgen.loading.options import LoadingOptions

DIFFUSERS_CLASSES = (
    *("AutoencoderKL", "AutoencoderTiny", "VQModel", "AsymmetricAutoencoderKL"),
    "AutoencoderDC",
)
# Its models take and return pixels in [−1, 1].
DIFFUSERS_SAYS = LoadingOptions(normalize="-1,1", output="pixels")


def latents_of(module: nn.Module) -> nn.Module | None:
    """A module of diffusers as one whose code is what its decoder gets; None for any other."""
    kind = type(module)
    if not kind.__module__.startswith("diffusers.") or kind.__name__ not in DIFFUSERS_CLASSES:
        return None
    if kind.__name__ == "VQModel":
        return Quantised(module)
    is_plain = kind.__name__ in ("AutoencoderTiny", "AutoencoderDC")
    return Latents(module) if is_plain else module


class Latents(nn.Module):
    """An AutoencoderTiny or AutoencoderDC, without the 8-bit rounding of codes in its forward."""

    model: Any

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def encode(self, images: Tensor) -> Tensor:
        """Images → codes."""
        encoded = self.model.encode(images)
        codes: Tensor = encoded.latent if hasattr(encoded, "latent") else encoded.latents
        return codes

    def decode(self, code: Tensor) -> Tensor:
        """Codes → images."""
        images: Tensor = self.model.decode(code).sample
        return images

    def forward(self, images: Tensor) -> Tensor:
        """Images → images."""
        return self.decode(self.encode(images))


class Quantised(Latents):
    """A VQModel whose code is what its decoder gets: the entries of the code book.

    Its own decode quantises first, so that most changes of a code would do nothing.
    """

    def encode(self, images: Tensor) -> Tensor:
        """Images → entries of the code book."""
        codes: Tensor = self.model.quantize(super().encode(images))[0]
        return codes

    def decode(self, code: Tensor) -> Tensor:
        """Entries of the code book → images."""
        images: Tensor = self.model.decode(code, force_not_quantize=True).sample
        return images

    def forward(self, images: Tensor) -> Tensor:
        """Images → images."""
        reconstructions: Tensor = self.model(images).sample
        return reconstructions
