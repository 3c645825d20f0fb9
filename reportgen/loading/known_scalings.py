"""The pixel scalings that models are usually trained with, and those that --normalize names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from reportgen.errors import ModelError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_SD = (0.229, 0.224, 0.225)
# Depths of cameras and scanners, which are kept in 16 bits.
BITS = (10, 12, 14, 16)
SIXTEEN_BITS = 2**16 - 1
# A largest value above this share of white is white, more or less: the scale is [0, 1].
DARK = 0.5
BIT, MAXIMUM = "-bit", "max"
ROUNDING = 1e-4


@dataclass(frozen=True)
class Scaling:
    """Pixels on the data's scale → (pixels − shift) / scale, what the model was trained on.

    Attributes
    ----------
    name : as printed, and as --normalize takes it.
    shift, scale : one number, or one for each channel.
    """

    name: str
    shift: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)

    @property
    def white(self) -> float | None:
        """Return the pixel that becomes 1, where the scale is by depth or maximum; else None."""
        return self.scale[0] if self.name == MAXIMUM or self.name.endswith(BIT) else None

    @property
    def is_identity(self) -> bool:
        """Tell whether it changes nothing."""
        return self.shift == (0.0,) and self.scale == (1.0,)

    def apply(self, images: Tensor) -> Tensor:
        """Data's scale → model's scale."""
        if self.is_identity:
            return images
        return (images - self._per_channel(self.shift, images)) / self._per_channel(
            self.scale, images
        )

    def undo(self, images: Tensor) -> Tensor:
        """Model's scale → data's scale."""
        if self.is_identity:
            return images
        return images * self._per_channel(self.scale, images) + self._per_channel(
            self.shift, images
        )

    @staticmethod
    def _per_channel(numbers: tuple[float, ...], images: Tensor) -> Tensor:
        return torch.tensor(numbers, dtype=images.dtype, device=images.device).view(1, -1, 1, 1)


def known_scalings(sample: Tensor) -> list[Scaling]:
    """The pixel scalings that models are usually trained with, for images of this kind."""
    channels = sample.shape[1]
    mean = sample.mean(dim=(0, 2, 3), dtype=torch.float64)
    sd = sample.to(torch.float64).std(dim=(0, 2, 3), correction=0)
    scalings = [
        Scaling("0,1"),
        Scaling("-1,1", (0.5,), (0.5,)),
        Scaling("0,255", (0.0,), (1 / 255,)),
    ]
    if channels == 3:
        scalings.append(Scaling("imagenet", IMAGENET_MEAN, IMAGENET_SD))
    if bool((sd > 0).all()):
        scalings.append(Scaling("dataset", tuple(mean.tolist()), tuple(sd.tolist())))
    return [*scalings, *_scalings_by_largest(float(sample.max()))]


def _scalings_by_largest(largest: float) -> Iterator[Scaling]:
    """Scales of images that fill little of [0, 1], or go beyond it: by their depth, their maximum.

    Values of 16 bits were divided by 65535; those on no usual scale are as in the file.
    """
    one = 1.0 if largest > 1 + ROUNDING else 1 / SIXTEEN_BITS
    for bits in BITS:
        top = (2**bits - 1) * one
        fits = largest <= top * (1 + ROUNDING)
        if fits and (top < 1 - ROUNDING or largest >= 2**8):
            yield Scaling(f"{bits}{BIT}", (0.0,), (top,))
    if 0 < largest <= DARK or largest > 1 + ROUNDING:
        yield Scaling(MAXIMUM, (0.0,), (largest,))


def parse_scaling(text: str, sample: Tensor) -> Scaling:
    """The scaling that --normalize names. Raises ModelError with the choices."""
    for scaling in known_scalings(sample):
        if scaling.name == text.strip().lower():
            return scaling
    parts = dict(part.split("=", 1) for part in text.split() if "=" in part)
    try:
        if set(parts) != {"mean", "std"}:
            raise ValueError
        mean = tuple(float(number) for number in parts["mean"].split(","))
        sd = tuple(float(number) for number in parts["std"].split(","))
        if not all(number > 0 for number in sd):
            raise ValueError
    except ValueError as error:
        raise ModelError(
            f"--normalize {text!r} is not known for these images; give "
            f"{' · '.join(scaling.name for scaling in known_scalings(sample))}, or "
            "mean=0.5,0.5,0.5 std=0.5,0.5,0.5."
        ) from error
    channels = int(sample.shape[1])
    if {len(mean), len(sd)} - {1, channels}:
        raise ModelError(
            f"--normalize {text!r} has {len(mean)} means for images with {channels} channels."
        )
    return Scaling(text, mean, sd)
