"""The values of a TorchScript graph while it is walked: nodes of the new graph, with their shadows.

Every node has a shadow, its value for two example images, so that sizes are known where a condition
or a loop needs them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx

from reportgen.errors import ModelError
from reportgen.loading.formats.torchscript.numbers import DIVISIONS, ON_NUMBERS
from reportgen.loading.graph.argument_checks import check_arguments
from reportgen.loading.graph.evaluation_mode import localise
from reportgen.loading.graph.label_input import LabelInput, Labels, fitted
from reportgen.loading.graph.measure import misfit
from reportgen.loading.graph.program import ProgramBuilder

_DECIDED_ALONE = ("ceil", "floor", "sqrt", "round", "abs", "min", "max")


class ShadowedGraph:
    """Builds a program node by node and runs each node on two example images.

    A value is a node, a plain Python value, or a list, tuple or dictionary of values.
    """

    def __init__(self, example: Tensor) -> None:
        self.builder = ProgramBuilder()
        self.images = self.builder.image_input()
        self._shadows: dict[fx.Node, Any] = {self.images: example}
        self._constants: dict[int, fx.Node] = {}

    def labels(self, name: str, labels: Labels) -> fx.Node:
        """The node of the images' classes, which a function gives for as many as it is asked."""
        count = self.sizes(self.images, 0)
        node = self.call(fitted(labels, LabelInput(name)), (count,))
        node.meta["title"] = name
        return node

    def tensor(self, tensor: Tensor, title: str) -> fx.Node:
        """The node of a constant; one for each tensor, however often it is met."""
        key = tensor.data_ptr()
        if tensor.is_floating_point():
            tensor = tensor.float()
        node = self._constants.get(key) if tensor.numel() else None
        if node is None or self._shadows[node].shape != tensor.shape:
            node = self.builder.constant(tensor, title.removeprefix("self."))
            # What runs here, such as batch norm in training, may write into it.
            self._shadows[node] = tensor.detach().clone()
            self._constants[key] = node
        return node

    def decided(self, value: Any) -> Any:
        """The value of a condition or count, which may depend on sizes and not on pixels."""
        if not isinstance(value, fx.Node):
            return value
        shadow = self._shadows[value]
        if isinstance(shadow, Tensor):
            raise ModelError(
                "the model's forward branches on pixel values, so its graph cannot be cut."
            )
        return shadow

    def call(
        self,
        target: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None = None,
        scope: str = "",
    ) -> fx.Node:
        """A node for one operator, and its shadow."""
        call = self.builder.call(target, args, kwargs)
        call.meta["title"] = f"{call.name} in {scope}" if scope else call.name
        # Models run in float32, whatever type they were written for.
        shadow_args = fx.map_arg(localise(args, "cpu"), self._shadows.__getitem__)
        shadow_kwargs = fx.map_arg(localise(kwargs or {}, "cpu"), self._shadows.__getitem__)
        try:
            check_arguments(target, shadow_args, shadow_kwargs)
            self._shadows[call] = target(*shadow_args, **shadow_kwargs)
        except ModelError:
            raise
        except Exception as error:
            raise misfit(error) from error
        return call

    def on_numbers(self, name: str, values: list[Any]) -> Any:
        """Arithmetic on sizes and other numbers."""
        function = ON_NUMBERS[name]
        if name == "div" and len(values) == 3:
            function = DIVISIONS[values.pop()]
        if not any(isinstance(value, fx.Node) for value in values):
            return function(*values)
        if function is DIVISIONS["trunc"] or name in _DECIDED_ALONE:
            return function(*(self.decided(value) for value in values))
        return self.call(function, tuple(values))

    def is_tensor(self, value: Any) -> bool:
        """Tell whether a value is a node that holds a tensor."""
        return isinstance(value, fx.Node) and isinstance(self._shadows[value], Tensor)

    def as_number(self, value: Any) -> Any:
        """A constant that a trace wrote as a tensor of no dimensions."""
        if isinstance(value, fx.Node) and value.op == "get_attr":
            tensor = self._shadows[value]
            if tensor.dim() == 0 and not tensor.is_floating_point():
                return tensor.item()
        return value

    def shadow(self, value: Any) -> Any:
        """The value that a node has for the example images; a plain value as it is."""
        return self._shadows[value] if isinstance(value, fx.Node) else value

    def item(self, parts: Any, place: int) -> Any:
        """One part of a list, a tuple, or a node that holds several."""
        if isinstance(parts, fx.Node):
            return self.call(operator.getitem, (parts, place))
        return parts[place]

    def sizes(self, value: Any, *dimension: Any) -> Any:
        """All sizes of a tensor, or the one of a dimension."""
        size = torch.ops.aten.sym_size.int
        if dimension:
            return self.call(size, (value, self.decided(dimension[0])))
        count = self.shadow(value).dim()
        return [self.call(size, (value, place)) for place in range(count)]

    def _length(self, value: Any) -> Any:
        if isinstance(value, fx.Node):
            shadow = self._shadows[value]
            return self.sizes(value, 0) if isinstance(shadow, Tensor) else len(shadow)
        return len(value)

    def _slice(self, value: Any, *rest: Any) -> Any:
        if self.is_tensor(value):
            overload = torch.ops.aten.slice.Tensor
            return self.call(overload, (value, *rest))
        start, end, step = (self.decided(entry) for entry in rest)
        return value[start:end:step]

    def _append(self, parts: list[Any], value: Any) -> list[Any]:
        parts.append(value)
        return parts


# Operations on sizes, lists and other values that are no tensors.
STRUCTURE: dict[str, Callable[..., Any]] = {
    "size": ShadowedGraph.sizes,
    "len": ShadowedGraph._length,
    "__getitem__": lambda graph, parts, place: graph.item(parts, graph.decided(place)),
    "dim": lambda graph, value: int(graph.shadow(value).dim()),
    "append": ShadowedGraph._append,
    "slice": ShadowedGraph._slice,
    "format": lambda graph, *values: "the model's message",
    "__contains__": lambda graph, parts, key: key in parts,
    "list": lambda graph, value: list(value),
    "is_floating_point": lambda graph, value: graph.shadow(value).is_floating_point(),
    **dict.fromkeys(
        ("is_grad_enabled", "is_autocast_enabled", "is_autocast_cpu_enabled"),
        lambda graph, *values: False,
    ),
}
