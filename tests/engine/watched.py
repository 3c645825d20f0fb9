"""Engines whose decoder is watched."""

from __future__ import annotations

import torch

from reportgen.autoencoder import Autoencoder
from reportgen.engine import Engine
from tests.oracles import decoders

UNITS = 3
# An image on its way has its code beside it.
IMAGE_BYTES = 4 * (decoders.PIXELS + UNITS)


class Watched:
    """A decoder that remembers the size of every batch and the state torch was in."""

    def __init__(self, function) -> None:
        self.function = function
        self.batches: list[int] = []
        self.states: list[dict[str, object]] = []

    def __call__(self, codes: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(codes))
        self.states.append(
            {
                "inference": torch.is_inference_mode_enabled(),
                "autocast": torch.is_autocast_enabled("cpu"),
                "dtype": codes.dtype,
                "tf32 in convolutions": torch.backends.cudnn.allow_tf32,
                "tf32 in products": torch.backends.cuda.matmul.allow_tf32,
            }
        )
        return self.function(codes).reshape(len(codes), 1, decoders.HEIGHT, decoders.WIDTH)


def engine_of(watched: Watched, units: int = UNITS, **options: object) -> Engine:
    shape = (1, decoders.HEIGHT, decoders.WIDTH)
    made = Engine(
        Autoencoder(
            encode=lambda images: images.reshape(len(images), -1)[:, :UNITS],
            decode=watched,
            input_shape=shape,
            code_shape=(units,),
        ),
        **options,  # type: ignore[arg-type]
    )
    # What the engine decodes to find a batch's size is no request's.
    watched.batches.clear()
    watched.states.clear()
    return made


def autoencoder(decode, **attributes: object) -> Autoencoder:
    shape = (1, decoders.HEIGHT, decoders.WIDTH)
    return Autoencoder(lambda images: images, decode, shape, (UNITS,), **attributes)  # type: ignore[arg-type]
