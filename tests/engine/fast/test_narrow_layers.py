"""Convolutions to few channels: torch's own are the oracle."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from reportgen.engine.fast.narrow_layers import MOST_CHANNELS, NarrowLayers
from reportgen.process.watched_operations import WatchedOperations

FORMATS = (torch.contiguous_format, torch.channels_last)
INPUTS, BATCH = 16, 24


class Shapes(WatchedOperations):
    """Remembers the weights that convolutions run with, and their memory formats."""

    def __init__(self) -> None:
        super().__init__(self._remember)
        self.weights: list[tuple[int, ...]] = []
        self.channels_last: list[bool] = []

    def _remember(self, name: str, arguments, run):
        if "conv" in name:
            self.weights.append(tuple(arguments[1].shape))
            self.channels_last.append(arguments[1].stride(1) == 1)
        return run()


def images(height: int, width: int, layout: torch.memory_format) -> torch.Tensor:
    drawn = torch.randn(BATCH, INPUTS, height, width, generator=torch.Generator().manual_seed(1))
    return drawn.contiguous(memory_format=layout)


@torch.inference_mode()
def run(layer: Callable[..., torch.Tensor], *given: object, of_graph: bool = False):
    """What the layer gives in the mode, and the weights it ran with."""
    shapes = Shapes()
    with NarrowLayers(of_graph=of_graph), shapes:
        return layer(*given), shapes


@torch.inference_mode()
def assert_same(layer: nn.Module, layout: torch.memory_format, *, size: tuple[int, int]) -> bool:
    """Both outputs agree; whether another weight than the layer's own was used."""
    layer = layer.to(memory_format=layout)
    given = images(*size, layout)
    expected = layer(given)
    for of_graph in (False, True):
        found, shapes = run(layer, given, of_graph=of_graph)
        assert found.shape == expected.shape
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=3e-6)
    return shapes.weights != [tuple(layer.weight.shape)]


def transposed() -> Iterator[nn.ConvTranspose2d]:
    for kernel, stride, padding, added in product((2, 3, 4, 5, 7), (1, 2, 3, 4), (0, 1, 2), (0, 1)):
        if added < stride and 2 * padding < kernel:
            yield nn.ConvTranspose2d(INPUTS, 3, kernel, stride, padding, added)


@pytest.mark.slow
@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("size", [(12, 8), (9, 15)])
def test_transposed_convolutions_of_any_kernel_stride_and_padding_are_torchs(size, layout) -> None:
    torch.manual_seed(0)
    used = [assert_same(layer, layout, size=size) for layer in transposed()]
    assert sum(used) > len(used) / 2


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("size", [(8, 12), (14, 10)])
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
        nn.ConvTranspose2d(INPUTS, 1, 3, 1, 3),
        nn.ConvTranspose2d(INPUTS, 1, 9, 1),
        nn.ConvTranspose2d(INPUTS, 1, 16, 2),
        nn.ConvTranspose2d(INPUTS, 1, 9, 9),
    ],
)
def test_other_convolutions_run_as_they_are(layer) -> None:
    given = images(8, 8, torch.contiguous_format).to(layer.weight.dtype)
    found, shapes = run(layer, given)
    assert torch.equal(found, layer(given))
    assert shapes.weights == [tuple(layer.weight.shape)]


@pytest.mark.parametrize(
    ("layer", "size"),
    [
        (nn.ConvTranspose2d(INPUTS, 1, 28), (1, 1)),
        (nn.ConvTranspose2d(INPUTS, 3, 4, 2, 1), (1, 1)),
        (nn.Conv2d(4, 3, 3, padding=1), (16, 16)),
        (nn.Conv2d(2048, 1, 3, padding=1), (4, 4)),
    ],
)
def test_layers_that_would_be_slower_run_as_they_are(layer, size) -> None:
    given = torch.randn(4, layer.in_channels, *size)
    _, shapes = run(layer, given)
    assert shapes.weights == [tuple(layer.weight.shape)]


@pytest.mark.parametrize(("channels", "side"), [(1, 4), (2, 2), (3, 2), (4, 2)])
def test_blocks_are_as_large_as_sixteen_channels_allow(channels, side) -> None:
    layer = nn.Conv2d(INPUTS, channels, 3, padding=1)
    _, shapes = run(layer, images(32, 32, torch.contiguous_format))
    assert shapes.weights == [(channels * side**2, INPUTS, 2 + side, 2 + side)]


def test_the_operators_of_exported_programs_are_seen_as_modules_are() -> None:
    torch.manual_seed(0)
    up, plain = nn.ConvTranspose2d(INPUTS, 1, 4, 2, 1), nn.Conv2d(INPUTS, 1, 3, padding=1)
    given = images(8, 8, torch.contiguous_format)
    aten = torch.ops.aten
    no = (False, False, True)
    calls = [
        (up, aten.conv_transpose2d.input, ([2, 2], [1, 1])),
        (up, aten.convolution.default, ([2, 2], [1, 1], [1, 1], True, [0, 0], 1)),
        (up, aten._convolution.default, ([2, 2], [1, 1], [1, 1], True, [0, 0], 1, *no, True)),
        (up, aten._convolution.deprecated, ([2, 2], [1, 1], [1, 1], True, [0, 0], 1, *no)),
        (plain, aten.conv2d.default, ([1, 1], [1, 1])),
        (plain, aten.convolution.default, ([1, 1], [1, 1], [1, 1], False, [0, 0], 1)),
    ]
    for layer, operator, rest in calls:
        found, shapes = run(operator, given, layer.weight, layer.bias, *rest)
        torch.testing.assert_close(found, layer(given), rtol=1e-5, atol=3e-6)
        assert shapes.weights[0] != tuple(layer.weight.shape), operator


def test_sizes_may_be_numpys_and_switches_named() -> None:
    layer = nn.ConvTranspose2d(INPUTS, 1, 4, 2, 1)
    given = images(8, 8, torch.contiguous_format)
    sizes = {"stride": np.int64(2), "padding": [1, 1]}
    by_name = partial(functional.conv_transpose2d, given, layer.weight, layer.bias, **sizes)
    switches = {"benchmark": False, "deterministic": False, "cudnn_enabled": False}
    operator = partial(torch.ops.aten._convolution.default, **switches, allow_tf32=False)
    rest = (layer.weight, layer.bias, [2, 2], [1, 1], [1, 1], True, [0, 0], 1)
    for call in (by_name, partial(operator, given, *rest)):
        torch.testing.assert_close(run(call)[0], layer(given), rtol=1e-5, atol=3e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: functional.conv_transpose2d(x, torch.ones(INPUTS, 1, 4, 4), None, 2, 1, 2),
        lambda x: functional.conv_transpose2d(x, torch.ones(INPUTS + 1, 1, 4, 4), None, 2, 1),
        lambda x: functional.conv2d(x, torch.ones(1, INPUTS + 1, 3, 3)),
        lambda x: functional.conv2d(x, torch.ones(1, INPUTS, 3, 3), torch.ones(2)),
    ],
)
def test_what_torch_refuses_is_refused_in_torchs_words(call) -> None:
    given = images(8, 8, torch.contiguous_format)
    with pytest.raises(RuntimeError) as plain:
        call(given)
    with pytest.raises(RuntimeError) as found:
        run(call, given)
    assert str(found.value) == str(plain.value)


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(INPUTS, 1, 3, padding=1), nn.ConvTranspose2d(INPUTS, 3, 3, 2, 1, 1)]
)
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_an_infinite_activation_reaches_no_further_than_in_torch(layer, value) -> None:
    given = images(8, 8, torch.contiguous_format)
    given[0, 0, 3, 3] = value
    found, _ = run(layer, given)
    torch.testing.assert_close(found, layer(given), equal_nan=True, rtol=1e-5, atol=3e-6)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(INPUTS, 3, 3, padding=1),
        nn.ConvTranspose2d(INPUTS, 3, 4, 2, 1),
        nn.ConvTranspose2d(INPUTS, 3, 3, 1, 1),
    ],
)
@pytest.mark.parametrize("of_input", FORMATS)
@pytest.mark.parametrize("of_weight", FORMATS)
def test_images_have_torchs_memory_format_or_rows_first(layer, of_input, of_weight) -> None:
    layer = layer.to(memory_format=of_weight)
    given = images(8, 8, of_input)
    with torch.inference_mode():
        expected = layer(given)
    found, shapes = run(layer, given)
    assert found.stride() == expected.stride()
    assert shapes.channels_last == [of_weight == torch.channels_last]
    assert run(layer, given, of_graph=True)[0].is_contiguous()


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(INPUTS, 1, 3, padding=1), nn.ConvTranspose2d(INPUTS, 3, 4, 2, 1)]
)
@torch.inference_mode()
def test_weights_are_rearranged_once_and_again_when_they_change(layer) -> None:
    given, mode, made = images(8, 8, torch.contiguous_format), NarrowLayers(of_graph=True), []

    def watch(name: str, arguments, run):
        made.append(name)
        return run()

    def operations() -> int:
        made.clear()
        with mode, WatchedOperations(watch):
            found = layer(given)
        torch.testing.assert_close(found, layer(given), rtol=1e-5, atol=3e-6)
        return len(made)

    first, second = operations(), operations()
    assert second < first
    layer.weight.neg_()
    assert operations() > second
    layer.bias.mul_(-2)
    assert operations() > second
    # Another weight, which may come to lie where the first one lay.
    layer.weight = nn.Parameter(torch.randn_like(layer.weight) * layer.weight.std())
    assert operations() > second


@torch.inference_mode()
def test_weights_that_the_model_computes_are_rearranged_in_every_call() -> None:
    given, mode = images(8, 8, torch.contiguous_format), NarrowLayers(of_graph=True)
    weight = nn.Conv2d(INPUTS, 1, 3).weight.clone()
    for _ in range(3):
        with mode:
            found = functional.conv2d(given, weight, padding=1)
        expected = functional.conv2d(given, weight, padding=1)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=3e-6)
        weight.neg_()


def test_weights_that_an_authors_code_changes_unseen_are_not_kept() -> None:
    # Made outside inference mode, as an author's are: what is made in it is never kept.
    layer = nn.Conv2d(INPUTS, 1, 3, padding=1)
    given, mode = images(8, 8, torch.contiguous_format), NarrowLayers(of_graph=False)
    for _ in range(3):
        with torch.inference_mode():
            expected = layer(given)
            with mode:
                found = layer(given)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=3e-6)
        layer.weight.data.neg_()
        layer.bias.data.add_(0.5)


def test_nothing_is_kept_of_views_of_weights() -> None:
    """A view is a new tensor in every call: what was made of it would never be used again."""
    held = torch.randn(3, INPUTS, 3, 3)
    given, mode = images(8, 8, torch.contiguous_format), NarrowLayers(of_graph=True)
    gc.collect()
    # What other tests have left is not looked through.
    gc.freeze()
    try:
        alive = []
        for _ in range(4):
            with torch.inference_mode(), mode:
                functional.conv2d(given, held[:1], padding=1)
            gc.collect()
            alive.append(sum(type(one) is torch.Tensor for one in gc.get_objects()))
    finally:
        gc.unfreeze()
    assert len(set(alive)) == 1
