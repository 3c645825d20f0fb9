"""Reads the posterior mean, and its spread, out of whatever an encoder returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

MEAN_NAMES = (
    "mu", "mean", "loc", "embedding", "z_mean", "mu_z", "z_mu", "latent_mean", "q_mean", "means",
)  # fmt: skip
LOG_VARIANCE_NAMES = (
    "logvar", "log_var", "log_variance", "log_covariance", "logvariance", "z_log_var", "logvar_z",
    "z_logvar", "log_sigma2", "log_sigma_sq", "logsigma2", "latent_logvar",
)  # fmt: skip
LOG_SD_NAMES = ("log_std", "logstd", "log_sigma", "logsigma", "log_scale")
SD_NAMES = ("std", "sd", "sigma", "scale", "stddev")
CODE_NAMES = (
    "z",
    "latent",
    "latents",
    "code",
    "codes",
    "quantized",
    "quantize",
    "z_q",
    "last_hidden_state",
)


@dataclass(frozen=True)
class Reading:
    """One way to read a code out of an encoder's output.

    Attributes
    ----------
    mean : the encoder's output → the code (n, …).
    sd : the encoder's output → the posterior sd, same shape; None where it is not known.
    text : how it was read, for the report.
    sd_is_assumed : whether `sd` rests on a convention alone.
    """

    mean: Callable[[Any], Tensor]
    sd: Callable[[Any], Tensor] | None
    text: str
    sd_is_assumed: bool = False


def readings(output: Any, batch: int) -> Iterator[Reading]:
    """Ways to read the code, the likeliest first.

    Rules in order: a distribution's mean; names; the first of a tuple; halves of one tensor.
    """
    named = _fields(output)
    if isinstance(output, Tensor):
        yield Reading(lambda out: out, None, "the encoder's output")
        yield from _halves(output)
        return
    if _is_distribution(output):
        yield Reading(_distribution_mean, _distribution_sd, "the mean of the returned distribution")
        return
    for key, value in named.items():
        if _is_distribution(value):
            yield Reading(
                partial(_mean_of_field, key),
                partial(_sd_of_field, key),
                f"the mean of the returned distribution {key!r}",
            )
    yield from _by_name(named, batch)
    yield from _by_place(output, batch)


def _fields(output: Any) -> dict[str, Any]:
    """Named parts of a mapping, named tuple, dataclass or plain object."""
    if isinstance(output, Mapping):
        return {str(key): value for key, value in output.items()}
    if isinstance(output, Tensor | list) or type(output) is tuple:
        return {}
    if hasattr(output, "_fields"):
        return {name: getattr(output, name) for name in output._fields}
    return {key: value for key, value in getattr(output, "__dict__", {}).items() if key[:1] != "_"}


def _is_distribution(value: Any) -> bool:
    if isinstance(value, torch.distributions.Distribution):
        return True
    has_mean = isinstance(getattr(value, "mean", None), Tensor)
    return has_mean and not isinstance(value, Tensor) and hasattr(value, "sample")


def _distribution_mean(value: Any) -> Tensor:
    return value.mean


def _mean_of_field(key: str, output: Any) -> Tensor:
    return _distribution_mean(_fields(output)[key])


def _sd_of_field(key: str, output: Any) -> Tensor:
    return _distribution_sd(_fields(output)[key])


def _leaf(place: int, output: Any) -> Tensor:
    return flatten(output)[place]


def _sd_of_leaf(place: int, output: Any) -> Tensor:
    return sd_from_log_variance(flatten(output)[place])


def _distribution_sd(value: Any) -> Tensor:
    sd = getattr(value, "stddev", None)
    return sd if isinstance(sd, Tensor) else value.std


def _by_name(named: Mapping[str, Any], batch: int) -> Iterator[Reading]:
    lowered = {key.lower(): key for key, value in named.items() if _is_code(value, batch)}
    mean = next((lowered[name] for name in MEAN_NAMES if name in lowered), None)
    if mean is None:
        mean = next((lowered[name] for name in CODE_NAMES if name in lowered), None)
    if mean is None:
        return
    spread = _spread(lowered)
    sd = None
    text = f"{mean!r} of the encoder's output"
    if spread is not None:
        key, to_sd = spread
        if named[key].shape == named[mean].shape:
            sd = lambda out: to_sd(_fields(out)[key])  # noqa: E731
            text += f", with the posterior's spread from {key!r}"
    yield Reading(lambda out: _fields(out)[mean], sd, text)


def _spread(lowered: Mapping[str, str]) -> tuple[str, Callable[[Tensor], Tensor]] | None:
    groups: tuple[tuple[tuple[str, ...], Callable[[Tensor], Tensor]], ...] = (
        (LOG_VARIANCE_NAMES, sd_from_log_variance),
        (LOG_SD_NAMES, torch.exp),
        (SD_NAMES, torch.clone),
    )
    for names, to_sd in groups:
        for name in names:
            if name in lowered:
                return lowered[name], to_sd
    return None


def _by_place(output: Any, batch: int) -> Iterator[Reading]:
    leaves = flatten(output)
    codes = [place for place, leaf in enumerate(leaves) if _is_code(leaf, batch)]
    for place in codes:
        twin = _twin(leaves, codes, place)
        where = f"tensor {place + 1} of the {len(leaves)} that the encoder returns"
        if len(leaves) == 1:
            where = "the encoder's output"
        sd = None
        if twin is not None:
            sd = partial(_sd_of_leaf, twin)
        yield Reading(partial(_leaf, place), sd, where, twin is not None)


def _twin(leaves: list[Any], codes: list[int], place: int) -> int | None:
    """The tensor after this one that has its shape and other values: the log-variance."""
    for other in codes:
        same = leaves[other].shape == leaves[place].shape
        if other > place and same and not torch.equal(leaves[other], leaves[place]):
            return other
    return None


def _halves(output: Tensor) -> Iterator[Reading]:
    """One tensor that holds mean and log-variance, as `chunk(2, dim=1)` takes them apart."""
    if output.dim() < 2 or output.shape[1] % 2:
        return
    yield Reading(
        lambda out: out.chunk(2, dim=1)[0],
        lambda out: sd_from_log_variance(out.chunk(2, dim=1)[1]),
        "the first half of the encoder's output, with the log-variance in the second",
        True,
    )


def _is_code(value: Any, batch: int) -> bool:
    return (
        isinstance(value, Tensor)
        and value.is_floating_point()
        and value.dim() >= 2
        and len(value) == batch
    )


def sd_from_log_variance(log_variance: Tensor) -> Tensor:
    """exp(½ log σ²)."""
    return torch.exp(0.5 * log_variance)


def flatten(output: Any) -> list[Any]:
    """The parts of nested tuples, lists, mappings and plain objects, in order."""
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, tuple | list):
        return [leaf for part in output for leaf in flatten(part)]
    named = _fields(output)
    if named:
        return [leaf for part in named.values() for leaf in flatten(part)]
    return [output]


def image_of(output: Any, batch: int, size: int, given: Tensor | None = None) -> Tensor | None:
    """The reconstruction in what a model returns: the first float tensor as large as the image.

    A distribution stands for its mean. `given`, the model's input, is not its reconstruction.
    None where nothing fits.
    """
    if _is_distribution(output):
        output = _distribution_mean(output)
    found = []
    for leaf in flatten(output):
        value = _distribution_mean(leaf) if _is_distribution(leaf) else leaf
        if _is_code(value, batch) and value.numel() == batch * size:
            found.append(value)
    others = [value for value in found if given is None or not _equal(value, given)]
    return next(iter(others or found), None)


def _equal(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one.reshape(len(one), -1), other.reshape(len(other), -1))
