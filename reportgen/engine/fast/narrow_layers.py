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

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from reportgen.engine.fast.rearranged_weights import RearrangedWeights

# Measured: 64×64 pixels of 3 channels from 32 in two fifths of the time, of 16 channels in no less.
MOST_CHANNELS = 4
FEWEST_INPUTS = 8
CHANNELS_AT_A_TIME = 16
BLOCK_SIDES = (4, 2)
# Weights of an author's code are rearranged in every call, as are those that a graph computes; and
# blocks are put side by side pixel by pixel of a block.
INPUTS_PER_WEIGHT = 8
LARGEST_STRIDE = 8
Sizes = int | Sequence[int]


class NarrowLayers(TorchFunctionMode):
    """A context in which this thread's convolutions to few channels run as wider ones.

    Results differ by the rounding of float32 sums. Other operations run as they are, and so do
    convolutions that would not be faster.

    Parameters
    ----------
    of_graph : whether a graph runs, and not its author's code. In a graph the operators after a
        layer take an image in any memory format, and its constants never change, so that their
        rearranged copies are kept; an author's code gets images in the format that torch would
        give them.
    """

    def __init__(self, *, of_graph: bool) -> None:
        super().__init__()
        self._of_graph = of_graph
        self._rearranged = RearrangedWeights(keeps=of_graph)

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        keywords = kwargs or {}
        widen = _WIDER.get(function)
        blocks = widen(self._rearranged, *args, **keywords) if widen is not None else None
        if blocks is None:
            return function(*args, **keywords)
        image = blocks.side_by_side()
        return image if self._of_graph else image.contiguous(memory_format=_layout(blocks.wide))


@dataclass(frozen=True)
class _Blocks:
    """An image in blocks of pixels.

    Attributes
    ----------
    wide : (n, channels · side², rows, columns) of blocks.
    side : pixels of a block in each direction.
    cropped : rows and columns of pixels, above and to the left, that are not part of the image.
    size : (height, width) of the image.
    """

    wide: Tensor
    side: int
    cropped: tuple[int, int]
    size: tuple[int, int]

    def side_by_side(self) -> Tensor:
        """The image (n, channels, height, width), in half the time of `pixel_shuffle`."""
        blocks = self.wide.unflatten(1, (-1, self.side, self.side))
        image = self.wide.new_empty(len(blocks), blocks.shape[1], *self.size)
        if self.cropped == (0, 0) and max(length % self.side for length in self.size) == 0:
            pixels = image.unflatten(3, (-1, self.side)).unflatten(2, (-1, self.side))
            for column in range(self.side):
                pixels[..., column].copy_(blocks[:, :, :, column].movedim(2, 3))
            return image
        for row, column in product(range(self.side), repeat=2):
            first_row, row_in_block = divmod(row + self.cropped[0], self.side)
            first_column, column_in_block = divmod(column + self.cropped[1], self.side)
            pixels = image[:, :, row :: self.side, column :: self.side]
            rows = slice(first_row, first_row + pixels.shape[2])
            columns = slice(first_column, first_column + pixels.shape[3])
            pixels.copy_(blocks[:, :, row_in_block, column_in_block, rows, columns])
        return image


def _convolution(
    rearranged: RearrangedWeights,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> _Blocks | None:
    """Compute `torch.conv2d` in blocks of pixels; None where that would not be faster."""
    if groups != 1 or not _is_narrow(input, weight, bias, *weight.shape[:2]):
        return None
    if isinstance(padding, str) or _pair(stride) != (1, 1) or _pair(dilation) != (1, 1):
        return None
    return _repeated(rearranged, input, weight, bias, _pair(padding), mirrored=False)


def _transposed_convolution(
    rearranged: RearrangedWeights,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> _Blocks | None:
    """Compute `torch.conv_transpose2d` in blocks of pixels; None where that is not faster."""
    if groups != 1 or not _is_narrow(input, weight, bias, *weight.shape[1::-1]):
        return None
    steps, cropped, added = _pair(stride), _pair(padding), _pair(output_padding)
    if steps[0] != steps[1] or _pair(dilation) != (1, 1) or max(added) >= steps[0]:
        return None
    if steps[0] > 1:
        return _in_phases(rearranged, input, weight, bias, steps[0], cropped, added)
    around = weight.shape[2] - 1 - cropped[0], weight.shape[3] - 1 - cropped[1]
    # With more zeros around the input than input there is, most sums would be of zeros.
    if min(around) < 0 or around[0] >= input.shape[2] or around[1] >= input.shape[3]:
        return None
    return _repeated(rearranged, input, weight, bias, around, mirrored=True)


def _any_convolution(
    rearranged: RearrangedWeights,
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
    **more_switches: bool,
) -> _Blocks | None:
    """Compute `aten::convolution`, or `aten::_convolution`, which takes a few more switches."""
    if transposed:
        return _transposed_convolution(
            *(rearranged, input, weight, bias, stride, padding, output_padding, groups, dilation)
        )
    return _convolution(rearranged, input, weight, bias, stride, padding, dilation, groups)


_WIDER: dict[Any, Callable[..., _Blocks | None]] = {
    torch.conv2d: _convolution,
    torch.ops.aten.conv2d.default: _convolution,
    torch.conv_transpose2d: _transposed_convolution,
    torch.ops.aten.conv_transpose2d.input: _transposed_convolution,
    torch.ops.aten.convolution.default: _any_convolution,
    torch.ops.aten._convolution.default: _any_convolution,
    torch.ops.aten._convolution.deprecated: _any_convolution,
}


def _is_narrow(
    input: Tensor, weight: Tensor, bias: Tensor | None, channels: int, inputs: int
) -> bool:
    """Tell whether a convolution has few output channels, several pixels, and fitting arguments."""
    return (
        channels <= MOST_CHANNELS
        and inputs >= FEWEST_INPUTS
        and input.dim() == weight.dim() == 4
        and min(weight.shape[2:]) > 1
        and input.shape[1] == inputs
        and (bias is None or bias.shape == (channels,))
        and input.dtype == weight.dtype == torch.float32
        and input.layout == torch.strided
        and input.device.type == "cpu"
    )


def _pair(sizes: Sizes) -> tuple[int, int]:
    if isinstance(sizes, list | tuple):
        return int(sizes[0]), int(sizes[-1])
    return int(sizes), int(sizes)  # type: ignore[arg-type]


def _repeated(
    rearranged: RearrangedWeights,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    padding: tuple[int, int],
    *,
    mirrored: bool,
) -> _Blocks | None:
    """Compute a convolution of stride 1 as one of a larger stride that makes a block at each place.

    `mirrored` says that the weight is that of a transposed convolution.
    """
    channels, inputs, height, width = weight.shape
    if mirrored:
        channels, inputs = inputs, channels
    rows = input.shape[2] + 2 * padding[0] - height + 1
    columns = input.shape[3] + 2 * padding[1] - width + 1
    for side in BLOCK_SIDES:
        wide_channels = side * side * channels
        weights = wide_channels * inputs * (height + side - 1) * (width + side - 1)
        fits = wide_channels <= CHANNELS_AT_A_TIME and _is_worth_it(weights, input)
        if fits and min(rows, columns) > 0 and rows % side == columns % side == 0:
            break
    else:
        return None

    def repeated() -> Tensor:
        kernel = weight.transpose(0, 1).flip(2, 3) if mirrored else weight
        around = [(first, side - 1 - first) for first in range(side)]
        rows = torch.stack([functional.pad(kernel, (0, 0, *zeros)) for zeros in around], dim=1)
        blocks = torch.stack([functional.pad(rows, zeros) for zeros in around], dim=2)
        return blocks.flatten(0, 2).contiguous(memory_format=_layout(weight))

    wide = functional.conv2d(
        input,
        rearranged.of(weight, f"repeated {side}, mirrored {mirrored}", repeated),
        _for_each_pixel(rearranged, bias, side),
        stride=side,
        padding=padding,
    )
    return _Blocks(wide, side, (0, 0), (rows, columns)) if _is_finite(wide) else None


def _in_phases(
    rearranged: RearrangedWeights,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int,
    cropped: tuple[int, int],
    added: tuple[int, int],
) -> _Blocks | None:
    """Compute a transposed convolution as one convolution for each place between input pixels.

    Along one axis and for stride s, output pixel q = s·i + r is Σ_t input[i − t] · weight[r + s·t].
    """
    inputs, channels, *kernel = weight.shape
    taps = [-(-length // stride) for length in kernel]
    size, worth_it = [], stride <= LARGEST_STRIDE
    for count, length, tap, off, more in zip(
        input.shape[2:], kernel, taps, cropped, added, strict=True
    ):
        size.append((count - 1) * stride - 2 * off + length + more)
        made = (count + tap - 1) * stride - off
        worth_it &= 2 * tap <= count and 0 < size[-1] <= made
    weights = inputs * channels * stride * stride * taps[0] * taps[1]
    if not worth_it or not _is_worth_it(weights, input):
        return None
    short = taps[0] * stride - kernel[0], taps[1] * stride - kernel[1]

    def phases() -> Tensor:
        filled = functional.pad(weight, (0, short[1], 0, short[0]))
        apart = filled.reshape(inputs, channels, taps[0], stride, taps[1], stride).flip(2, 4)
        together = apart.permute(1, 3, 5, 0, 2, 4).flatten(0, 2)
        return together.contiguous(memory_format=_layout(weight))

    wide = functional.conv2d(
        input,
        rearranged.of(weight, f"phases {stride}", phases),
        _for_each_pixel(rearranged, bias, stride),
        padding=(taps[0] - 1, taps[1] - 1),
    )
    if max(short) > 0 and not _is_finite(wide):
        return None
    return _Blocks(wide, stride, cropped, (size[0], size[1]))


def _for_each_pixel(rearranged: RearrangedWeights, bias: Tensor | None, side: int) -> Tensor | None:
    """The bias of each channel, repeated for every pixel of a block."""
    if bias is None:
        return None
    return rearranged.of(bias, f"pixels {side}", lambda: bias.repeat_interleave(side * side))


def _is_worth_it(weights: int, input: Tensor) -> bool:
    return INPUTS_PER_WEIGHT * weights <= input.numel()


def _is_finite(wide: Tensor) -> bool:
    """Tell whether all is finite, so that the kernel's added zeros added nothing: 0 · ∞ is NaN."""
    return math.isfinite(wide.sum().item())


def _layout(tensor: Tensor) -> torch.memory_format:
    return torch.channels_last if tensor.stride(1) == 1 else torch.contiguous_format
