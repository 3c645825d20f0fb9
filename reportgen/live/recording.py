"""A function of one tensor as the ATen operations it runs, recorded while it runs once.

`torch.fx.experimental.proxy_tensor.make_fx` records more kinds of functions, and torch imports its
compiler for it, which takes more than a second.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_aggregate
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from reportgen.live.program import NotLiveError


def record(function: Callable[[Tensor], Tensor], argument: Tensor) -> fx.GraphModule:
    """The operations that depend on the argument, without writes in place, on the CPU.

    What does not depend on it is a constant of the graph, with the value that it had. Raises
    NotLiveError where a number is read out of what depends on the argument, or where an array is
    read again after a part of it was overwritten; and whatever `function` raises.
    """
    recording = _Recording(argument)
    with torch.no_grad(), recording:
        result = function(argument)
    return recording.returning(result)


class _Recording(TorchDispatchMode):
    """A context whose operations become nodes where an input of theirs has one."""

    def __init__(self, argument: Tensor) -> None:
        super().__init__()
        self._graph = fx.Graph()
        self._root = nn.Module()
        # By identity, which is a tensor's own only while it lives; None for what was overwritten.
        self._nodes: dict[int, tuple[Tensor, fx.Node | None]] = {}
        self._constants: dict[int, tuple[Tensor, fx.Node]] = {}
        self._keep(argument, self._graph.placeholder("code"))

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise torch imports its compiler here too.
        return False

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        keywords = kwargs or {}
        # Inference mode passes on what autograd would have taken apart.
        with self:
            parts = function.decompose(*args, **keywords)
        if parts is not NotImplemented:
            return parts
        result = function(*args, **keywords)
        if not any(id(value) in self._nodes for value in tree_leaves((args, keywords))):
            return result
        if torch.Tag.data_dependent_output in function.tags:
            raise NotLiveError("what the decoder does depends on the numbers it computes")
        inputs, options = map_aggregate((args, keywords), self._argument)
        if function._schema.is_mutable:
            function = self._overwriting(function, args[0])
        node = self._graph.call_function(function, inputs, options)
        if isinstance(result, Tensor):
            self._keep(result, node)
        else:
            for place, part in enumerate(result):
                self._keep(part, self._graph.call_function(operator.getitem, (node, place)))
        return result

    def _keep(self, tensor: Tensor, node: fx.Node) -> None:
        self._nodes[id(tensor)] = tensor, node

    def _overwriting(self, function: Any, target: Tensor) -> Any:
        """The operation that gives what this one writes; whatever shares its memory is gone."""
        name = function.overloadpacket.__name__
        pure = getattr(torch.ops.aten, name.removesuffix("_"), None)
        if id(target) not in self._nodes or pure is None or not name.endswith("_"):
            raise NotLiveError(f"the decoder uses `{name}`")
        memory = target.untyped_storage().data_ptr()
        for place, (tensor, _) in self._nodes.items():
            if tensor.untyped_storage().data_ptr() == memory:
                self._nodes[place] = tensor, None
        return getattr(pure, function._overloadname)

    def _argument(self, value: Any) -> Any:
        """A tensor's node, its own or a constant's; devices are the CPU."""
        if isinstance(value, torch.device):
            return torch.device("cpu")
        if not isinstance(value, Tensor):
            return value
        if id(value) in self._nodes:
            node = self._nodes[id(value)][1]
            if node is None:
                raise NotLiveError("the decoder reads an array after a part of it was overwritten")
            return node
        if id(value) not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._root.register_buffer(name, value.detach().cpu())
            self._constants[id(value)] = value, self._graph.get_attr(name)
        return self._constants[id(value)][1]

    def returning(self, result: Tensor) -> fx.GraphModule:
        """The graph, with this as its output."""
        self._graph.output(self._argument(result))
        self._graph.eliminate_dead_code()
        return fx.GraphModule(self._root, self._graph)
