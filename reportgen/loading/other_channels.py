"""A model on images in other channels than its own, where nothing of them is lost by it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reportgen.autoencoder import Autoencoder, Note

if TYPE_CHECKING:
    from torch import Tensor

COLOURS = 3


def on_images_in(autoencoder: Autoencoder, channels: int) -> Autoencoder:
    """The model as one of images in so many channels, as another training of it takes them.

    Grey is repeated as colours, and colours that are all grey, or an alpha that is white, are cut
    down to what the model takes; what it decodes goes the way back, colours as their mean.
    """
    own, height, width = autoencoder.input_shape
    if own == channels:
        return autoencoder

    def to_own(images: Tensor) -> Tensor:
        given = images[:, :own]
        return given if given.shape[1] == own else given[:, :1].expand(-1, own, -1, -1)

    def back(images: Tensor) -> Tensor:
        if channels == 1:
            return images[:, :COLOURS].mean(1, keepdim=True)
        if channels == COLOURS + 1 and own == COLOURS:
            from torch.nn import functional

            return functional.pad(images, (0, 0, 0, 0, 0, 1), value=1.0)
        return images[:, :1].expand(-1, channels, -1, -1).contiguous()

    encode, decode, forward = autoencoder.encode, autoencoder.decode, autoencoder.forward
    sd = autoencoder.posterior_sd
    text = f"It takes images of {own} channels, and is given those of {channels} as such."
    return replace(
        autoencoder,
        encode=lambda images, *labels: encode(to_own(images), *labels),
        decode=lambda codes: back(decode(codes)),
        forward=forward and (lambda images, *labels: back(forward(to_own(images), *labels))),
        posterior_sd=sd and (lambda images, *labels: sd(to_own(images), *labels)),
        input_shape=(channels, height, width),
        notes=(*autoencoder.notes, Note("channels", text)),
    )
