"""Stores a module's convolution weights in the order that is faster, where that changes nothing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reportgen.loading.split import Split, exact_arithmetic, relative_difference

# Rounding differs between the two orders; more than this is no rounding.
TOLERANCE = 1e-5


def prefer_channels_last(module: nn.Module, split: Split, images: Tensor, device: str) -> None:
    """Move a module's weights to channels-last order, and back where it does not run in that order.

    Older code that flattens a feature map with `view` does not.
    """
    if not any(parameter.dim() == 4 for parameter in module.parameters()):
        return
    with exact_arithmetic(device):
        code = split.encode(images)
        before = split.decode(code)
        _store(module, torch.channels_last)
        try:
            same_code = relative_difference(code, split.encode(images)) <= TOLERANCE
            same_image = relative_difference(before, split.decode(code)) <= TOLERANCE
        except RuntimeError:
            same_code = same_image = False
    if not (same_code and same_image):
        _store(module, torch.contiguous_format)


def _store(module: nn.Module, memory_format: torch.memory_format) -> None:
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.dim() == 4:
            tensor.data = tensor.data.contiguous(memory_format=memory_format)
