"""Translates ATen operators into steps of a `LiveDecoder`, for a batch of one."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, fx

from reportgen.live.elementwise import binary, function, gelu, power, reversed_subtraction
from reportgen.live.emission import Call, Handler
from reportgen.live.layers import (
    BATCH_NORMS,
    batch_norm,
    convolution,
    group_norm,
    layer_norm,
    linear,
)
from reportgen.live.resampling import separable_weights


def _identity(call: Call) -> int:
    if call.result.dtype != call.value("self").dtype:
        raise call.unsupported(f"to {call.result.dtype}")
    return call.place("self")


def _view(call: Call) -> int:
    """Emit an operator that only looks at its input in another way: its strides say how."""
    name = "input" if call.node_of("self") is None else "self"
    place, before = call.place(name), call.value(name)
    probe = torch.empty(before.shape, dtype=before.dtype)
    arguments = list(call.node.args)
    arguments[0] = probe
    target: Any = call.node.target
    view = target(*fx.map_arg(arguments, call.values.__getitem__), **call.node.kwargs)
    if view.untyped_storage().data_ptr() != probe.untyped_storage().data_ptr():
        raise call.unsupported("with a copy")
    if view.numel() == probe.numel() and view.is_contiguous():
        return place
    return call.emitter.strided(place, view)


def part_of(call: Call, which: int) -> int:
    """Emit one of the parts, by its number, that an operator splits an array into."""
    arguments = list(call.node.args)
    arguments[0] = torch.empty(call.value("self").shape)
    target: Any = call.node.target
    parts = target(*fx.map_arg(arguments, call.values.__getitem__), **call.node.kwargs)
    return call.emitter.strided(call.place("self"), parts[which])


def _pixel_shuffle(call: Call) -> int:
    factor = call.value("upscale_factor")
    before = call.value("self")
    _, channels, height, width = before.shape
    split = torch.empty(channels // factor**2, factor, factor, height, width)
    return call.emitter.strided(call.place("self"), split.permute(0, 3, 1, 4, 2))


def _concatenate(call: Call) -> int:
    dimension = call.value("dim") % call.result.ndim
    inputs, blocks = [], []
    for node in call.node_of("tensors"):
        value, place = call.values[node], call.places.get(node)
        if place is None:
            place = call.emitter.step("constant", [], value.shape, None, {"values": value})
        inputs.append(place)
        blocks.append(math.prod(value.shape[dimension:]))
    return call.step("concatenate", inputs, {"blocks": blocks})


def _mean(call: Call) -> int:
    before = call.value("self")
    averaged = call.value("dim") or range(before.ndim)
    dimensions = sorted(dimension % before.ndim for dimension in averaged)
    if dimensions != list(range(before.ndim - len(dimensions), before.ndim)):
        raise call.unsupported("over other than the last dimensions")
    size = before.numel() // call.result.numel()
    return call.step("mean", [call.place("self")], {"size": size})


def _softmax(call: Call) -> int:
    before = call.value("self")
    if call.value("dim") % before.ndim != before.ndim - 1:
        raise call.unsupported("over other than the last dimension")
    return call.step("softmax", [call.place("self")], {"size": before.shape[-1]})


def _resample(call: Call) -> int:
    """Emit resizing, pooling or padding: linear maps of the input's rows and of its columns."""
    name = "input" if call.node_of("self") is None else "self"
    place, before = call.place(name), call.value(name)
    if before.ndim != 4 or _mixes(call):
        raise call.unsupported("of other than planes")
    target: Any = call.node.target
    others = fx.map_arg(call.node.args[1:], call.values.__getitem__)

    def run(planes: Tensor) -> Tensor:
        resampled: Tensor = target(planes, *others, **call.node.kwargs)
        return resampled

    found = separable_weights(run, before.shape[2], before.shape[3])
    if found is None:
        raise call.unsupported("that mixes rows and columns")
    numbers: dict[str, Any] = {"input": before.shape[1:], "output": call.result.shape[1:]}
    for side, taps in zip(("row", "column"), found, strict=True):
        numbers |= {f"{side}_counts": taps.counts, f"{side}_places": taps.places}
        numbers[f"{side}_factors"] = taps.factors
    return call.step("resample", [place], numbers)


def _max_pool(call: Call) -> int:
    """Emit the largest of each window of a plane; where they lie is not told."""
    numbers: dict[str, Any] = {
        "input": call.value("self").shape[1:],
        "output": call.result.shape[1:],
        "kernel": _both(call.value("kernel_size")),
        "stride": _both(call.value("stride") or call.value("kernel_size")),
        "padding": _both(call.value("padding")),
        "dilation": _both(call.value("dilation")),
    }
    return call.step("max_pool", [call.place("self")], numbers)


def _both(sides: Any) -> list[int]:
    """Down and across; one number stands for both."""
    listed: list[int] = [*sides] if isinstance(sides, list | tuple) else [sides]
    return listed * 2 if len(listed) == 1 else listed


def _mixes(call: Call) -> bool:
    """Tell whether more than one argument depends on the code."""
    return sum(node in call.places for node in call.node.all_input_nodes) > 1


IDENTITIES = ("clone", "detach", "lift_fresh", "lift_fresh_copy", "contiguous", "_to_copy")
# Operators whose results are parts of their input, told apart by `part_of`.
SPLITS = "split", "split_with_sizes", "chunk", "unbind", "tensor_split"
VIEWS = (
    *("view", "_unsafe_view", "_reshape_alias", "reshape", "unflatten", "flatten", "alias"),
    *("t", "transpose", "permute", "expand", "slice", "select", "squeeze", "unsqueeze"),
    *("as_strided", "diagonal", "unfold"),
)
RESAMPLERS = (
    *("upsample_nearest2d", "_upsample_nearest_exact2d", "upsample_bilinear2d"),
    *("_upsample_bilinear2d_aa", "upsample_bicubic2d", "avg_pool2d", "_adaptive_avg_pool2d"),
    *("reflection_pad2d", "replication_pad2d", "constant_pad_nd", "flip", "roll"),
    *("index", "_unsafe_index"),
)
FUNCTIONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("relu", "sigmoid", "tanh", "silu", "mish", "exp", "log", "sqrt"), ()),
    **dict.fromkeys(("rsqrt", "neg", "abs", "sin", "cos", "reciprocal"), ()),
    **dict.fromkeys(("hardswish", "hardsigmoid", "log_sigmoid_forward", "log1p"), ()),
    "leaky_relu": ("negative_slope",),
    "elu": ("alpha", "scale", "input_scale"),
    "softplus": ("beta", "threshold"),
}
HANDLERS: dict[str, Handler] = {
    **dict.fromkeys((*IDENTITIES, *SPLITS), _identity),
    **dict.fromkeys(VIEWS, _view),
    **dict.fromkeys(RESAMPLERS, _resample),
    **dict.fromkeys(BATCH_NORMS, batch_norm),
    **{name: function(name, *settings) for name, settings in FUNCTIONS.items()},
    **{name: binary(name) for name in ("add", "sub", "mul", "div", "maximum", "minimum")},
    "hardtanh": function("clamp", "min_val", "max_val"),
    "clamp": function("clamp", "min", "max"),
    "clamp_min": function("clamp", "min"),
    "gelu": gelu,
    "pow": power,
    "rsub": reversed_subtraction,
    "_prelu_kernel": binary("prelu", "self", "weight"),
    "addmm": linear("self", "mat1", "mat2"),
    "mm": linear(None, "self", "mat2"),
    "bmm": linear(None, "self", "mat2"),
    "convolution": convolution,
    "native_group_norm": group_norm,
    "native_layer_norm": layer_norm,
    "cat": _concatenate,
    "mean": _mean,
    "_softmax": _softmax,
    "pixel_shuffle": _pixel_shuffle,
    "max_pool2d_with_indices": _max_pool,
}
