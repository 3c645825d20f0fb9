"""Convolutions to few channels, as the last of most decoders is, computed as wider ones.

A processor computes 8 or 16 output channels at a time, whether or not there are as many: a layer
that makes three colours of 32 channels takes half of a decode, though it has a fifth of its sums.
Here such a layer makes a block of pixels at each place, each pixel of it in channels of its own,
and the blocks are put side by side. For transposed convolutions see Shi et al. (2016), "Is the
deconvolution layer the same as a convolutional layer?", arXiv:1609.07009; for others, the kernel
is repeated at every pixel of the block, with zeros around it. The sums are the same.

Imports torch: import it where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

# Measured: 64×64 pixels of 3 channels from 32 in two fifths of the time, of 16 channels in no less.
MOST_CHANNELS = 4
CHANNELS_AT_A_TIME = 16
BLOCK_SIDES = (4, 2)
Sizes = int | Sequence[int]


class NarrowLayers(TorchFunctionMode):
    """A context in which this thread's convolutions to few channels run as wider ones.

    Results differ by the rounding of float32 sums. Other operations run as they are, and so do
    convolutions that would not be faster.
    """

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        keywords = kwargs or {}
        wider = _WIDER.get(function)
        output = wider(*args, **keywords) if wider is not None else None
        return function(*args, **keywords) if output is None else output


def _convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor | None:
    """As `torch.conv2d`; None where it would not be faster."""
    if not _is_narrow(input, weight, weight.shape[0], dilation, groups) or isinstance(padding, str):
        return None
    if _pair(stride) != (1, 1):
        return None
    return _in_blocks(input, weight, bias, _pair(padding))


def _transposed_convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor | None:
    """As `torch.conv_transpose2d`; None where it would not be faster."""
    if not _is_narrow(input, weight, weight.shape[1], dilation, groups):
        return None
    steps, cropped, added = _pair(stride), _pair(padding), _pair(output_padding)
    if steps[0] != steps[1]:
        return None
    if steps[0] > 1:
        return _in_phases(input, weight, bias, steps[0], cropped, added)
    around = weight.shape[2] - 1 - cropped[0], weight.shape[3] - 1 - cropped[1]
    if min(around) < 0 or added != (0, 0):
        return None
    return _in_blocks(input, weight.transpose(0, 1).flip(2, 3), bias, around)


def _any_convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    output_padding: Sizes,
    groups: int,
    *switches: bool,
) -> Tensor | None:
    """As `aten::convolution`, and as `aten::_convolution`, which has some switches more."""
    if transposed:
        return _transposed_convolution(
            input, weight, bias, stride, padding, output_padding, groups, dilation
        )
    return _convolution(input, weight, bias, stride, padding, dilation, groups)


_WIDER: dict[Any, Callable[..., Tensor | None]] = {
    torch.conv2d: _convolution,
    torch.ops.aten.conv2d.default: _convolution,
    torch.conv_transpose2d: _transposed_convolution,
    torch.ops.aten.conv_transpose2d.input: _transposed_convolution,
    torch.ops.aten.convolution.default: _any_convolution,
    torch.ops.aten._convolution.default: _any_convolution,
    torch.ops.aten._convolution.deprecated: _any_convolution,
}


def _is_narrow(input: Tensor, weight: Tensor, channels: int, dilation: Sizes, groups: int) -> bool:
    return (
        channels <= MOST_CHANNELS
        and min(weight.shape[2:]) > 1
        and groups == 1
        and _pair(dilation) == (1, 1)
        and input.dim() == 4
        and input.dtype == weight.dtype == torch.float32
        and input.device.type == "cpu"
    )


def _pair(sizes: Sizes) -> tuple[int, int]:
    if isinstance(sizes, int):
        return sizes, sizes
    return (sizes[0], sizes[-1])


def _in_blocks(
    input: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int]
) -> Tensor | None:
    """A convolution of stride 1 by one whose stride, and block of pixels, has several."""
    channels, _, height, width = weight.shape
    rows = input.shape[2] + 2 * padding[0] - height + 1
    columns = input.shape[3] + 2 * padding[1] - width + 1
    for side in BLOCK_SIDES:
        fits = side * side * channels <= CHANNELS_AT_A_TIME
        if fits and rows % side == columns % side == 0:
            break
    else:
        return None
    before_and_after = [(first, side - 1 - first) for first in range(side)]
    repeated = torch.stack(
        [functional.pad(weight, (0, 0, *some)) for some in before_and_after], dim=1
    )
    repeated = torch.stack([functional.pad(repeated, some) for some in before_and_after], dim=2)
    wide = functional.conv2d(
        input,
        _stored_as(weight, repeated.flatten(0, 2)),
        None if bias is None else bias.repeat_interleave(side * side),
        stride=side,
        padding=padding,
    )
    return _interleaved(wide, side, (0, 0), (rows, columns))


def _in_phases(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int,
    cropped: tuple[int, int],
    added: tuple[int, int],
) -> Tensor | None:
    """A transposed convolution by one convolution for each place between the input's pixels.

    Along one axis output pixel q = s·i + r is Σ_t input[i − t] · weight[r + s·t].
    """
    inputs, channels, *kernel = weight.shape
    taps = [-(-length // stride) for length in kernel]
    size, available = [], []
    for count, length, tap, off, more in zip(
        input.shape[2:], kernel, taps, cropped, added, strict=True
    ):
        size.append((count - 1) * stride - 2 * off + length + more)
        available.append((count + tap - 1) * stride - off)
    if size[0] > available[0] or size[1] > available[1]:
        return None
    short = taps[0] * stride - kernel[0], taps[1] * stride - kernel[1]
    filled = functional.pad(weight, (0, short[1], 0, short[0]))
    phases = filled.reshape(inputs, channels, taps[0], stride, taps[1], stride).flip(2, 4)
    wide = functional.conv2d(
        input,
        _stored_as(weight, phases.permute(1, 3, 5, 0, 2, 4).flatten(0, 2)),
        None if bias is None else bias.repeat_interleave(stride * stride),
        padding=(taps[0] - 1, taps[1] - 1),
    )
    return _interleaved(wide, stride, cropped, size)


def _interleaved(wide: Tensor, side: int, cropped: tuple[int, int], size: Sequence[int]) -> Tensor:
    """Blocks of side² pixels side by side, less what is cropped above and to the left.

    As `pixel_shuffle` and a slice, in half their time.
    """
    blocks = wide.unflatten(1, (-1, side, side))
    image = wide.new_empty(len(wide), blocks.shape[1], *size)
    for row, column in product(range(side), repeat=2):
        first_row, row_in_block = divmod(row + cropped[0], side)
        first_column, column_in_block = divmod(column + cropped[1], side)
        pixels = image[:, :, row::side, column::side]
        rows = slice(first_row, first_row + pixels.shape[2])
        columns = slice(first_column, first_column + pixels.shape[3])
        pixels.copy_(blocks[:, :, row_in_block, column_in_block, rows, columns])
    return image


def _stored_as(weight: Tensor, wider: Tensor) -> Tensor:
    """The wider weight in the memory format of the model's, which decides that of the output."""
    return wider.contiguous(memory_format=_memory_format(weight))


def _memory_format(tensor: Tensor) -> torch.memory_format:
    return torch.channels_last if tensor.stride(1) == 1 else torch.contiguous_format
