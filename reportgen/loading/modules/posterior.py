"""Reads the posterior mean, and its spread, out of what an encoder returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from reportgen.loading.graph.operators import names
from reportgen.loading.modules.returned import (
    distribution_mean,
    distribution_sd,
    fields,
    flatten,
    is_batch,
    is_distribution,
)
from reportgen.loading.sd_convention import SdConvention
from reportgen.shown import quoted

MEAN_NAMES = names("mu mean loc embedding z_mean mu_z z_mu latent_mean q_mean means")
CODE_NAMES = names("z latent latents code codes quantized quantize z_q last_hidden_state")


@dataclass(frozen=True)
class Spread:
    """The numbers for the posterior's spread that an encoder returns beside the mean.

    Attributes
    ----------
    read : the encoder's output → (n, …) numbers.
    convention : how the numbers stand for a standard deviation (sd).
    is_known : whether the model says so, rather than habit alone.
    """

    read: Callable[[Any], Tensor]
    convention: SdConvention = SdConvention.LOG_VARIANCE
    is_known: bool = False

    def sd(self, output: Any) -> Tensor:
        """The encoder's output → the posterior sd."""
        return self.convention.to_sd(self.read(output))


@dataclass(frozen=True)
class Reading:
    """One way to read a code out of an encoder's output.

    Attributes
    ----------
    mean : the encoder's output → the code (n, …).
    spread : the numbers that stand for the posterior sd; None where none do.
    text : how it was read, for the report.
    """

    mean: Callable[[Any], Tensor]
    spread: Spread | None
    text: str


def readings(output: Any, batch: int) -> Iterator[Reading]:
    """Yield ways to read the code of `batch` images, the likeliest first.

    Rules in order: a distribution's mean; names; tensors of a tuple; halves of one tensor.
    """
    if isinstance(output, Tensor):
        yield Reading(lambda out: out, None, "the encoder's output")
        yield from _halves(output)
        return
    if is_distribution(output):
        spread = Spread(distribution_sd, SdConvention.SD, is_known=True)
        yield Reading(distribution_mean, spread, "the mean of the distribution it returns")
        return
    named = fields(output)
    for key, value in named.items():
        if is_distribution(value):
            spread = Spread(partial(_field_sd, key), SdConvention.SD, is_known=True)
            text = f"the mean of the distribution {quoted(key)} it returns"
            yield Reading(partial(_field_mean, key), spread, text)
    yield from _by_name(named, batch)
    yield from _by_place(output, batch)


def _field_mean(key: str, output: Any) -> Tensor:
    return distribution_mean(fields(output)[key])


def _field_sd(key: str, output: Any) -> Tensor:
    return distribution_sd(fields(output)[key])


def _field(key: str, output: Any) -> Tensor:
    value: Tensor = fields(output)[key]
    return value


def _leaf(place: int, output: Any) -> Tensor:
    leaf: Tensor = flatten(output)[place]
    return leaf


def _half(place: int, output: Tensor) -> Tensor:
    return output.chunk(2, dim=1)[place]


def _by_name(named: Mapping[str, Any], batch: int) -> Iterator[Reading]:
    keys = [key for key, value in named.items() if is_batch(value, batch)]
    means = [key for key in keys if key.lower() in MEAN_NAMES]
    codes = [key for key in keys if key.lower() in CODE_NAMES]
    for key in (*means, *codes):
        spread = _named_spread(named, keys, key)
        yield Reading(partial(_field, key), spread, f"{quoted(key)} of the encoder's output")


def _named_spread(named: Mapping[str, Any], keys: list[str], mean: str) -> Spread | None:
    for convention in SdConvention:
        for key in keys:
            if key.lower() in convention.names and named[key].shape == named[mean].shape:
                return Spread(partial(_field, key), convention, is_known=True)
    return None


def _by_place(output: Any, batch: int) -> Iterator[Reading]:
    leaves = flatten(output)
    codes = [place for place, leaf in enumerate(leaves) if is_batch(leaf, batch)]
    for place in codes:
        twin = _twin(leaves, codes, place)
        spread = None if twin is None else Spread(partial(_leaf, twin))
        text = f"tensor {place + 1} of the {len(leaves)} that the encoder returns"
        if len(leaves) == 1:
            text = "the encoder's output"
        yield Reading(partial(_leaf, place), spread, text)


def _twin(leaves: list[Any], codes: list[int], place: int) -> int | None:
    """The next tensor, else the one before, of the same shape and with other values."""
    after = [other for other in codes if other > place]
    before = [other for other in codes if other < place]
    for other in (*after, *before):
        same_shape = leaves[other].shape == leaves[place].shape
        if same_shape and not torch.equal(leaves[other], leaves[place]):
            return other
    return None


def _halves(output: Tensor) -> Iterator[Reading]:
    """One tensor that holds mean and spread, as `chunk(2, dim=1)` takes them apart."""
    if output.dim() >= 2 and output.shape[1] % 2 == 0:
        text = "the first half of the encoder's output"
        yield Reading(partial(_half, 0), Spread(partial(_half, 1)), text)
