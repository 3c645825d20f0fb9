"""Convolutions to few channels: torch's own are the oracle."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from reportgen.narrow_layers import MOST_CHANNELS, NarrowLayers

FORMATS = (torch.contiguous_format, torch.channels_last)
INPUTS = 5


class Shapes(TorchDispatchMode):
    """Remembers the weights that convolutions run with."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[tuple[int, ...]] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.overloadpacket.__name__ in ("convolution", "conv2d", "conv_transpose2d"):
            self.weights.append(tuple(args[1].shape))
        return function(*args, **(kwargs or {}))


def images(height: int, width: int, layout: torch.memory_format) -> torch.Tensor:
    drawn = torch.randn(3, INPUTS, height, width, generator=torch.Generator().manual_seed(1))
    return drawn.contiguous(memory_format=layout)


@torch.inference_mode()
def assert_same(layer: nn.Module, layout: torch.memory_format, *, size: tuple[int, int]) -> bool:
    """Both outputs agree; whether another weight than the layer's own was used."""
    layer = layer.to(memory_format=layout)
    given = images(*size, layout)
    expected = layer(given)
    shapes = Shapes()
    with NarrowLayers(), shapes:
        found = layer(given)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    return shapes.weights != [tuple(layer.weight.shape)]


def transposed() -> Iterator[nn.ConvTranspose2d]:
    for kernel, stride, padding, added in product((2, 3, 4, 5, 7), (1, 2, 3, 4), (0, 1, 2), (0, 1)):
        if added < stride and 2 * padding < kernel:
            yield nn.ConvTranspose2d(INPUTS, 3, kernel, stride, padding, added)


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("size", [(4, 6), (7, 5)])
def test_transposed_convolutions_of_any_kernel_stride_and_padding_are_torchs(size, layout) -> None:
    torch.manual_seed(0)
    used = [assert_same(layer, layout, size=size) for layer in transposed()]
    assert sum(used) > len(used) / 2


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("size", [(8, 12), (6, 10)])
@pytest.mark.parametrize("channels", range(1, MOST_CHANNELS + 1))
def test_convolutions_of_any_kernel_and_padding_are_torchs(channels, size, layout) -> None:
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(INPUTS, channels, kernel, 1, padding)
        for kernel, padding in product((2, 3, 5), (0, 1, 2))
    ]
    used = [assert_same(layer, layout, size=size) for layer in layers]
    assert any(used)


@pytest.mark.parametrize(
    "layer",
    [
        nn.ConvTranspose2d(INPUTS, 3, (4, 3), 2, (1, 0)),
        nn.ConvTranspose2d(INPUTS, 1, (3, 5), 1, (1, 2)),
        nn.ConvTranspose2d(INPUTS, 1, 4, 2, 1, bias=False),
        nn.Conv2d(INPUTS, 1, (3, 5), padding=(1, 2)),
        nn.Conv2d(INPUTS, 1, 3, padding=1, bias=False),
    ],
)
def test_kernels_that_are_not_square_and_layers_without_bias_are_torchs(layer) -> None:
    assert assert_same(layer, torch.channels_last, size=(8, 8))


@pytest.mark.parametrize(
    "layer",
    [
        nn.ConvTranspose2d(INPUTS, MOST_CHANNELS + 1, 4, 2, 1),
        nn.ConvTranspose2d(INPUTS, 1, 3, (2, 1), 1),
        nn.ConvTranspose2d(INPUTS, 1, 3, 2, 1, dilation=2),
        nn.ConvTranspose2d(INPUTS, INPUTS, 3, 2, 1, groups=INPUTS),
        nn.Conv2d(INPUTS, 1, 1),
        nn.Conv2d(INPUTS, 1, 3, stride=2, padding=1),
        nn.Conv2d(INPUTS, 1, 3, padding="same"),
        nn.Conv2d(INPUTS, 1, 3, padding=2, dilation=2),
        nn.Conv2d(INPUTS, 1, 3, padding=1).double(),
    ],
)
def test_other_convolutions_run_as_they_are(layer) -> None:
    given = images(8, 8, torch.contiguous_format).to(layer.weight.dtype)
    with torch.inference_mode():
        expected = layer(given)
        shapes = Shapes()
        with NarrowLayers(), shapes:
            found = layer(given)
    assert torch.equal(found, expected)
    assert shapes.weights == [tuple(layer.weight.shape)]


def test_the_operators_of_exported_programs_are_seen_as_modules_are() -> None:
    torch.manual_seed(0)
    up, plain = nn.ConvTranspose2d(INPUTS, 1, 4, 2, 1), nn.Conv2d(INPUTS, 1, 3, padding=1)
    given = images(8, 8, torch.contiguous_format)
    aten = torch.ops.aten
    no = (False, False, True, True)
    calls = [
        (up, aten.conv_transpose2d.input, ([2, 2], [1, 1])),
        (up, aten.convolution.default, ([2, 2], [1, 1], [1, 1], True, [0, 0], 1)),
        (up, aten._convolution.default, ([2, 2], [1, 1], [1, 1], True, [0, 0], 1, *no)),
        (plain, aten.conv2d.default, ([1, 1], [1, 1])),
        (plain, aten.convolution.default, ([1, 1], [1, 1], [1, 1], False, [0, 0], 1)),
    ]
    with torch.inference_mode():
        for layer, operator, rest in calls:
            shapes = Shapes()
            with NarrowLayers(), shapes:
                found = operator(given, layer.weight, layer.bias, *rest)
            torch.testing.assert_close(found, layer(given), rtol=1e-5, atol=1e-6)
            assert shapes.weights != [tuple(layer.weight.shape)], operator


def test_the_image_can_be_viewed_as_rows_of_pixels_as_torchs_can() -> None:
    layer = nn.ConvTranspose2d(INPUTS, 3, 4, 2, 1)
    with torch.inference_mode(), NarrowLayers():
        image = layer(images(4, 4, torch.contiguous_format))
    assert image.view(3, -1).shape == (3, 3 * 8 * 8)
