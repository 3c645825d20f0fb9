"""`Model`, the result of a reader, and `Split`, its encoder and decoder on its own pixel scale."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from reportgen.autoencoder import Note
from reportgen.errors import ModelError
from reportgen.loading.code_book import FoundBook
from reportgen.loading.image_layout import ImageLayout
from reportgen.loading.options import LoadingOptions
from reportgen.loading.sentences import shape_text

ImageMap = Callable[[Tensor], Tensor]
UNCONFIRMED_SD = (
    "The model's sampling fits no usual reading of its posterior sd, which is left out."
)


class ChunkedLabels(Protocol):
    """The classes of images, which a model is fed beside them."""

    def fed(self, count: int) -> Tensor:
        """Labels of so many images, as the model takes them."""

    def chunk(self, place: int, size: int) -> AbstractContextManager[None]:
        """Within this block, feed labels of one chunk of the images alone, padded to its size."""


class Feed(ChunkedLabels, Protocol):
    """The same, which knows how a model is to be split with them."""

    def split(self, split_with: Callable[[Any], Split], declared: Any = None) -> Split:
        """Split a model in the first form of labels that it takes."""


class Model(ABC):
    """A model that was read. Splitting it, on whatever images, changes nothing in it.

    Attributes
    ----------
    declared_shape : of the batch that it takes, None for sizes that are free; None where its file
        does not say.
    parameters : how many numbers its weights hold; None where they were not read.
    said : what its file says of itself.
    takes_labels : whether it can be split as a model that is fed its images' classes.
    feed : those classes, where it is to be; set before it is split.
    """

    declared_shape: tuple[int | None, ...] | None = None
    parameters: int | None = None
    said: LoadingOptions = LoadingOptions()
    takes_labels: bool = False
    feed: Feed | None = None

    @abstractmethod
    def split(self, sample: Tensor, options: LoadingOptions) -> Split:
        """Split it at its bottleneck, on its own pixel scale.

        Raises ModelError where it cannot be split, DataError where the images do not fit.
        """


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
    code_book : the words that the code holds, where it holds any.
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
    code_book: FoundBook | None = None

    @property
    def is_stochastic(self) -> bool:
        """Tell whether two calls of `forward` differ."""
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
    note = Note(
        "shape", f"The code's single site is dropped: {shape_text(shape)} are {size} numbers."
    )
    return replace(
        split,
        encode=lambda images: encode(images).reshape(-1, size),
        decode=lambda code: decode(code.reshape(-1, *shape)),
        posterior_sd=None if sd is None else lambda images: sd(images).reshape(-1, size),
        code_shape=(size,),
        notes=(*split.notes, note),
    )


def image_map(
    function: ImageMap,
    layout: ImageLayout,
    fixed_batch: int | None,
    *,
    takes_images: bool,
    gives_images: bool,
    labels: ChunkedLabels | None = None,
) -> ImageMap:
    """A model's function, or a part of one, on images as the data has them.

    Where its file fixed how many rows it takes at once, it gets them in padded chunks of as many,
    and `labels`, which it takes beside them, likewise.
    """

    def run(values: Tensor) -> Tensor:
        given = layout.arrange(values) if takes_images else values
        if fixed_batch is None:
            result = function(given)
        else:
            results = []
            for place, (chunk, count) in enumerate(padded_chunks(given, fixed_batch)):
                with labels.chunk(place, fixed_batch) if labels else nullcontext():
                    results.append(function(chunk)[:count])
            result = torch.cat(results)
        return layout.restore(result) if gives_images else result.contiguous()

    return run


def padded_chunks(values: Tensor, size: int) -> Iterator[tuple[Tensor, int]]:
    """Yield chunks of `size` rows, the last one padded with its last row; and how many are real."""
    for chunk in values.split(size):
        padding = chunk[-1:].expand(size - len(chunk), *chunk.shape[1:])
        yield torch.cat([chunk, padding]), len(chunk)


def batch_note(size: int) -> Note:
    """A note for a model whose file fixed how many images it takes at once."""
    return Note(
        "batch",
        f"The file fixed the batch size at {size}: images are run in padded chunks of that size.",
    )


def sampling_note(draws: Iterable[str]) -> Note:
    """A note for a model that runs these random operators."""
    text = f"The model draws noise in its forward ({', '.join(draws)}); the posterior mean is used."
    return Note("sampling", text)


def refuse_part_names(options: LoadingOptions) -> None:
    """Raise ModelError where a graph is asked for parts by name."""
    if options.encoder or options.decoder:
        raise ModelError(
            "--encoder and --decoder name parts of a module, and this file holds a graph; name the "
            "node where it is cut with --bottleneck."
        )


@contextmanager
def exact_arithmetic(device: str) -> Iterator[None]:
    """Compute without gradients, autocast and TF32: differences must not drown in rounding."""
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


def seeded_calls(function: ImageMap, device: str) -> ImageMap:
    """Seed a function that draws noise: each call draws anew, and every run the same sequence."""
    devices = [device] if torch.device(device).type == "cuda" else []
    calls = itertools.count()

    def run(images: Tensor) -> Tensor:
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(next(calls))
            return function(images)

    return run


def relative_difference(one: Tensor, other: Tensor) -> float:
    """max |one − other| over the range of `one`."""
    span = float(one.max() - one.min())
    gap = float((one - other).abs().max())
    return gap / span if span > 0 else gap
