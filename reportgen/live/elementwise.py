"""Functions of each value, and arithmetic on two arrays or an array and a number."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from reportgen.live.emission import Call, Handler


def function(name: str, *settings: str) -> Handler:
    """The handler of a function of each value alone; `settings` are arguments by schema name."""

    def handle(call: Call) -> int:
        given = {setting: call.value(setting) for setting in settings}
        numbers = {key: value for key, value in given.items() if value is not None}
        return call.step(name, [call.place("self")], numbers)

    return handle


def gelu(call: Call) -> int:
    """Emit a GELU, with the error function or its approximation by tanh."""
    name = "gelu_tanh" if call.value("approximate") == "tanh" else "gelu"
    return call.step(name, [call.place("self")])


def _operand(call: Call, node: Any) -> int | float:
    """One side of a binary operator: a place with the result's full size, or a number."""
    value = call.values[node] if isinstance(node, fx.Node) else node
    if not torch.is_tensor(value):
        return float(value)
    place = call.places.get(node)
    if place is None:
        if value.numel() == 1:
            return float(value)
        constant = {"values": value}
        place = call.emitter.step("constant", [], value.shape, None, constant)
    if value.shape == call.result.shape:
        return place
    view = torch.empty(value.shape).expand(call.result.shape)
    return call.emitter.strided(place, view)


def binary(name: str, first: str = "self", second: str = "other") -> Handler:
    """The handler of arithmetic on two arrays, or on an array and a number on either side."""

    def handle(call: Call) -> int:
        if call.value("rounding_mode") is not None:
            raise call.unsupported("with rounding")
        left, right = _operand(call, call.node_of(first)), _operand(call, call.node_of(second))
        numbers: dict[str, Any] = {}
        if call.value("alpha") not in (None, 1):
            numbers["alpha"] = call.value("alpha")
        inputs = []
        for key, side in (("left", left), ("right", right)):
            if isinstance(side, float):
                numbers[key] = side
            else:
                inputs.append(side)
        return call.step(name, inputs, numbers)

    return handle


def reversed_subtraction(call: Call) -> int:
    """Emit other − self."""
    if call.value("alpha") != 1:
        raise call.unsupported("with a factor")
    return binary("sub", "other", "self")(call)


def power(call: Call) -> int:
    """Emit an array to a fixed power."""
    exponent = call.value("exponent")
    if exponent is None:
        exponent = 2
    if torch.is_tensor(exponent):
        raise call.unsupported("of two arrays")
    return call.step("pow", [call.place("self")], {"exponent": exponent})
