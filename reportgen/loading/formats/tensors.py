"""Tensors from strangers: their claimed shapes are checked before memory is spent on them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from reportgen.errors import ModelError
from reportgen.shown import quoted

# A tensor may repeat its own bytes (expanded buffers do), but not into more than this.
EXPANDED_LIMIT = 64 * 1024 * 1024


def tensor_from_bytes(
    data: bytearray,
    *,
    dtype: torch.dtype,
    size: Sequence[int],
    stride: Sequence[int],
    offset: int,
    name: str,
) -> Tensor:
    """A strided view of raw bytes.

    Raises ModelError where the shape reaches outside the bytes or claims far more than they hold.
    """
    if len(size) != len(stride) or any(number < 0 for number in (*size, *stride, offset)):
        raise ModelError(f"tensor {quoted(name)} has an impossible shape; the file is damaged.")
    item = torch.empty(0, dtype=dtype).element_size()
    if math.prod(size) == 0:
        return torch.zeros(tuple(size), dtype=dtype)
    reach = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True)) + 1
    if reach * item > len(data):
        raise ModelError(
            f"tensor {quoted(name)} needs {reach * item} bytes and the file has "
            f"{len(data)}; it is damaged."
        )
    _refuse_expansion(math.prod(size) * item, len(data), name)
    flat = torch.frombuffer(data, dtype=dtype, count=len(data) // item)
    return torch.as_strided(flat, tuple(size), tuple(stride), offset)


def named_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name."""
    return dict([*module.named_parameters(), *module.named_buffers()])


def check_extents(tensors: Mapping[str, Tensor]) -> None:
    """Raise ModelError for a loaded tensor that claims far more numbers than it stores."""
    for name, tensor in tensors.items():
        if tensor.is_meta:
            raise ModelError(
                f"tensor {quoted(name)} has a shape and no numbers; save the model again."
            )
        if tensor.layout is not torch.strided or tensor.is_quantized:
            raise ModelError(
                f"tensor {quoted(name)} is sparse or quantised; save it dense in float32."
            )
        stored = tensor.untyped_storage().nbytes()
        _refuse_expansion(tensor.numel() * tensor.element_size(), stored, name)


def _refuse_expansion(claimed: int, stored: int, name: str) -> None:
    if claimed > max(stored, EXPANDED_LIMIT):
        raise ModelError(
            f"tensor {quoted(name)} claims {claimed / 1e9:.3g} GB and stores {stored} bytes; "
            "refused as unsafe."
        )


def refuse_not_finite(tensors: Iterable[tuple[str, Tensor]]) -> None:
    """Raise ModelError naming the first tensor that holds NaN or infinity, or no numbers at all.

    Masks of 0 and −∞, as attention uses, are meant and pass.
    """
    for name, tensor in tensors:
        if tensor.is_meta or nn.parameter.is_lazy(tensor):
            raise ModelError(
                f"the weights {quoted(name)} have no numbers yet; load them, or run the model once."
            )
        if not tensor.is_floating_point() or bool(torch.isfinite(tensor).all()):
            continue
        if not bool(torch.isnan(tensor).any()) and bool(
            ((tensor == 0) | (tensor == -torch.inf)).all()
        ):
            continue
        kind = "NaN" if bool(torch.isnan(tensor).any()) else "infinity"
        raise ModelError(
            f"the weights {quoted(name)} hold {kind}; the training diverged, so load an "
            "earlier checkpoint."
        )
