"""Takes apart what a model's functions return: tensors, tuples, named outputs, distributions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

DEPTH = 6


def fields(returned: Any) -> dict[str, Any]:
    """Named parts of a mapping, named tuple, dataclass or plain object; none for the rest."""
    if isinstance(returned, Mapping):
        return {str(key): value for key, value in returned.items()}
    if isinstance(returned, Tensor | list) or type(returned) is tuple:
        return {}
    if hasattr(returned, "_fields"):
        return {name: getattr(returned, name) for name in returned._fields}
    attributes = getattr(returned, "__dict__", {})
    return {name: value for name, value in attributes.items() if not name.startswith("_")}


def flatten(returned: Any, depth: int = DEPTH) -> list[Any]:
    """The parts of nested tuples, lists, mappings and plain objects, in order."""
    # Objects may hold each other in a circle.
    if depth == 0 or isinstance(returned, Tensor) or is_distribution(returned):
        return [returned]
    if isinstance(returned, tuple | list):
        return [leaf for part in returned for leaf in flatten(part, depth - 1)]
    named = fields(returned)
    if named:
        return [leaf for part in named.values() for leaf in flatten(part, depth - 1)]
    return [returned]


def is_distribution(value: Any) -> bool:
    """Tell whether a value is a torch distribution, or like one: a mean, and a way to sample."""
    if isinstance(value, torch.distributions.Distribution):
        return True
    if isinstance(value, Tensor):
        return False
    return isinstance(getattr(value, "mean", None), Tensor) and hasattr(value, "sample")


def distribution_mean(value: Any) -> Tensor:
    """The mean of a distribution."""
    mean: Tensor = value.mean
    return mean


def distribution_sd(value: Any) -> Tensor:
    """The sd of a distribution; diffusers calls it std."""
    sd = getattr(value, "stddev", None)
    return sd if isinstance(sd, Tensor) else value.std


def is_batch(value: Any, batch: int) -> bool:
    """Tell whether a value is a float tensor with one row for each image."""
    return (
        isinstance(value, Tensor)
        and value.is_floating_point()
        and value.dim() >= 2
        and len(value) == batch
    )


def image_of(returned: Any, batch: int, size: int, given: Tensor | None = None) -> Tensor | None:
    """The reconstruction in what a model returns: the first float tensor as large as the images.

    A distribution stands for its mean. `given`, the model's input, is passed over where there is
    another. None where nothing fits.
    """
    found = []
    for leaf in flatten(returned):
        value = distribution_mean(leaf) if is_distribution(leaf) else leaf
        if is_batch(value, batch) and value.numel() == batch * size:
            found.append(value)
    others = [value for value in found if given is None or not _same_numbers(value, given)]
    return next(iter(others or found), None)


def _same_numbers(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one.reshape(len(one), -1), other.reshape(len(other), -1))
