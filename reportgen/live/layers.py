"""Layers with weights: products, convolutions and normalisations."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from reportgen.live.emission import Call, Handler

BATCH_NORMS = frozenset(
    {
        "native_batch_norm",
        "_native_batch_norm_legit",
        "_native_batch_norm_legit_no_training",
        "cudnn_batch_norm",
    }
)


def linear(bias: str | None, first: str, second: str) -> Handler:
    """The handler of a product with a constant matrix; arguments are given by schema name."""

    def handle(call: Call) -> int:
        weight = call.constant(second)
        assert weight is not None
        if weight.ndim == 3 and len(weight) > 1:
            raise call.unsupported("of several matrices")
        weight = weight.reshape(weight.shape[-2:])
        weights = {"weight": weight.T}
        if bias is not None:
            if not call.value("beta") == call.value("alpha") == 1:
                raise call.unsupported("with factors")
            shift = call.constant(bias)
            assert shift is not None
            if shift.ndim == 2 and len(shift) > 1:
                raise call.unsupported("with a matrix added")
            weights["bias"] = shift.reshape(-1).expand(weight.shape[1])
        call.emitter.multiplications += call.result.numel() * len(weight)
        return call.step("linear", [call.place(first)], {"inputs": len(weight)}, weights)

    return handle


def convolution(call: Call) -> int:
    """Emit a convolution, plain or transposed, in one dimension or two."""
    weight, bias = call.constant("weight"), call.constant("bias")
    assert weight is not None
    sides = weight.ndim - 2
    if sides not in (1, 2):
        raise call.unsupported(f"in {sides} dimensions")
    # One dimension is two, the first of size 1.
    ones, zeros = [1] * (2 - sides), [0] * (2 - sides)
    before, after = call.value("input").shape, call.result.shape
    kernel = [*ones, *weight.shape[2:]]
    numbers = {
        "transposed": int(call.value("transposed")),
        "groups": call.value("groups"),
        "stride": ones + list(call.value("stride")),
        "padding": zeros + list(call.value("padding")),
        "dilation": ones + list(call.value("dilation")),
        "kernel": kernel,
        "input": [before[1], *ones, *before[2:]],
        "output": [after[1], *ones, *after[2:]],
    }
    smaller = before if call.value("transposed") else after
    call.emitter.multiplications += weight.numel() * math.prod(smaller[2:])
    weights = {"weight": weight} | ({} if bias is None else {"bias": bias})
    return call.step("convolution", [call.place("input")], numbers, weights)


def _affine(call: Call, place: int, scale: Tensor | None, shift: Tensor | None, inner: int) -> int:
    """Emit x · scale + shift, where each entry of the two holds for `inner` values in a row."""
    if scale is None and shift is None:
        return place
    count = len(scale if scale is not None else shift)  # type: ignore[arg-type]
    scale = torch.ones(count) if scale is None else scale.reshape(-1)
    shift = torch.zeros(count) if shift is None else shift.reshape(-1)
    return call.step("affine", [place], {"inner": inner}, {"scale": scale, "shift": shift})


def batch_norm(call: Call) -> int:
    """Emit a scale and a shift for each channel, made of the running statistics."""
    weight, bias = call.constant("weight"), call.constant("bias")
    eps = call.value("eps") if call.value("eps") is not None else call.value("epsilon")
    place, inner = call.place("input"), math.prod(call.result.shape[2:])
    mean, variance = call.value("running_mean"), call.value("running_var")
    if call.value("training") or mean is None:
        # Of one image alone: an instance norm.
        place = call.step("normalise", [place], {"size": inner, "eps": eps})
        return _affine(call, place, weight, bias, inner)
    scale = torch.rsqrt(variance.double() + eps)
    scale = scale if weight is None else scale * weight
    shift = -mean * scale
    return _affine(call, place, scale, shift if bias is None else shift + bias, inner)


def group_norm(call: Call) -> int:
    """Emit each group of channels brought to mean 0 and variance 1, then a scale and a shift."""
    size = call.result.numel() // call.value("group")
    numbers = {"size": size, "eps": call.value("eps")}
    place = call.step("normalise", [call.place("input")], numbers)
    weight, bias = call.constant("weight"), call.constant("bias")
    return _affine(call, place, weight, bias, math.prod(call.result.shape[2:]))


def layer_norm(call: Call) -> int:
    """Emit the last dimensions brought to mean 0 and variance 1, then a scale and a shift."""
    numbers = {"size": math.prod(call.value("normalized_shape")), "eps": call.value("eps")}
    place = call.step("normalise", [call.place("input")], numbers)
    weight, bias = call.constant("weight"), call.constant("bias")
    flat = [None if part is None else part.reshape(-1) for part in (weight, bias)]
    return _affine(call, place, flat[0], flat[1], 1)
