"""Checks on the weights of a loaded module."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from reportgen.errors import ModelError
from reportgen.loading.formats.raw_tensors import check_extent


def check_module_tensors(module: nn.Module, path: Path) -> None:
    """Raise ModelError for tensors that claim more than they store."""
    try:
        for name, tensor in named_tensors(module):
            check_extent(tensor, name)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except (AttributeError, TypeError) as error:
        raise ModelError(
            f"{path} holds a module that is not whole ({error}); save the model again."
        ) from error


def named_tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    """Parameters and buffers by name."""
    return [*module.named_parameters(), *module.named_buffers()]


def refuse_not_finite(tensors: Iterable[tuple[str, Tensor]], where: str) -> None:
    """Raise ModelError naming the first tensor that holds NaN or infinity.

    Masks of 0 and −∞, as attention uses, are meant and pass.
    """
    for name, tensor in tensors:
        if not tensor.is_floating_point() or bool(torch.isfinite(tensor).all()):
            continue
        if not bool(torch.isnan(tensor).any()) and bool(
            ((tensor == 0) | (tensor == -torch.inf)).all()
        ):
            continue
        kind = "NaN" if bool(torch.isnan(tensor).any()) else "infinity"
        raise ModelError(
            f"{where}: the weights {name!r} hold {kind}; the training diverged, so load an "
            "earlier checkpoint."
        )
