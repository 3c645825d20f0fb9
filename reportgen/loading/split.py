"""`Split`: a model in two halves, still on the pixel scale that it was trained on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reportgen.autoencoder import Note
from reportgen.loading.image_layout import text

ImageMap = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Split:
    """Encoder and decoder of a model, in evaluation mode.

    Attributes
    ----------
    encode : (n, C, H, W) → (n, *code_shape).
    decode : (n, *code_shape) → (n, C, H, W), as the model returns it.
    forward : the whole model, (n, C, H, W) → (n, C, H, W); None where it cannot be called.
    quiet_forward : the whole model with sampling noise at its mean; `forward` where it draws none.
    posterior_sd : (n, C, H, W) → (n, *code_shape); None where it is not known.
    code_shape : the code of one image.
    notes : how it was split.
    concurrent, fixed_batch : as `Autoencoder` has them.
    """

    encode: ImageMap
    decode: ImageMap
    forward: ImageMap | None
    quiet_forward: ImageMap | None
    posterior_sd: ImageMap | None
    code_shape: tuple[int, ...]
    notes: tuple[Note, ...]
    concurrent: bool = False
    fixed_batch: int = 1

    @property
    def is_stochastic(self) -> bool:
        """Whether two calls of `forward` differ."""
        return self.forward is not self.quiet_forward


def without_single_sites(split: Split) -> Split:
    """A code of K channels at a single site, (K, 1, 1) or (1, K), as K numbers.

    Else each of them would count as a map of one site, or all of them as one channel.
    """
    shape = split.code_shape
    size = math.prod(shape)
    has_one_site = size == max(shape) if len(shape) == 2 else size == shape[0]
    if len(shape) == 1 or not has_one_site:
        return split
    encode, decode, sd = split.encode, split.decode, split.posterior_sd
    note = Note("shape", f"The code's single site is dropped: {text(shape)} are {size} numbers.")
    return replace(
        split,
        encode=lambda images: encode(images).reshape(-1, size),
        decode=lambda code: decode(code.reshape(-1, *shape)),
        posterior_sd=None if sd is None else lambda images: sd(images).reshape(-1, size),
        code_shape=(size,),
        notes=(*split.notes, note),
    )


def batch_note(size: int) -> Note:
    """What the report says of a model whose file fixed how many images it takes at once."""
    return Note(
        "batch",
        f"The file fixed the batch size at {size}: images are run in padded chunks of that size.",
    )


@contextmanager
def exact_arithmetic(device: str) -> Iterator[None]:
    """No gradients, no autocast, no TF32: differences of images must not drown in rounding."""
    kind = torch.device(device).type
    with torch.inference_mode(), torch.autocast(kind, enabled=False):
        if kind != "cuda":
            yield
            return
        before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = False
        try:
            with torch.backends.cudnn.flags(allow_tf32=False, deterministic=True, benchmark=False):
                yield
        finally:
            torch.backends.cuda.matmul.allow_tf32 = before


class SeededCalls:
    """A function that draws noise: every call its own, the same sequence in every run."""

    def __init__(self, function: ImageMap, device: str) -> None:
        self._function = function
        self._devices = [device] if torch.device(device).type == "cuda" else []
        self._calls = 0

    def __call__(self, images: Tensor) -> Tensor:
        """(n, C, H, W) → (n, C, H, W)."""
        with torch.random.fork_rng(devices=self._devices):
            torch.manual_seed(self._calls)
            self._calls += 1
            return self._function(images)


def relative_difference(one: Tensor, other: Tensor) -> float:
    """max |one − other| over the range of `one`."""
    span = float(one.max() - one.min())
    gap = float((one - other).abs().max())
    return gap / span if span > 0 else gap
