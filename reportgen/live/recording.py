"""Records the ATen operations of a function of one tensor while it runs once.

`torch.fx.experimental.proxy_tensor.make_fx` does the same, but makes torch import its compiler,
which takes more than a second.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_aggregate
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from reportgen.live.program import NotLiveError
from reportgen.process.watched_operations import UncompiledMode


class OverwrittenError(NotLiveError):
    """An error for arrays that are used after something else has written into them."""


def record(function: Callable[[Tensor], Tensor], argument: Tensor) -> fx.GraphModule:
    """Return the graph of the operations that depend on the argument, without writes in place.

    All tensors that do not depend on it are constants of the graph, on the CPU. Raises NotLiveError
    where a number is taken out of a tensor that depends on the argument, or where constants that
    the function did not make are written to; and whatever `function` raises.
    """
    try:
        return _recorded(function, argument)
    except OverwrittenError:
        # Torch can tell apart what an array was before and after, at the price of that import.
        return _recorded(torch.func.functionalize(function), argument)


def _recorded(function: Callable[[Tensor], Tensor], argument: Tensor) -> fx.GraphModule:
    recording = _Recording(argument.clone())
    with torch.no_grad(), _NumbersStay(recording), recording:
        result = function(recording.argument)
    return recording.returning(result)


class _NumbersStay(TorchFunctionMode):
    """A context that refuses calls by which recorded numbers leave torch, such as `tolist`."""

    def __init__(self, recording: _Recording) -> None:
        super().__init__()
        self._recording = recording

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        leaves_torch = function in (Tensor.tolist, Tensor.numpy, Tensor.__array__)
        if leaves_torch and self._recording.depends(args[0]):
            raise NotLiveError("the decoder takes what it computes out of torch")
        return function(*args, **(kwargs or {}))


class _Recording(UncompiledMode):
    """A context that makes a node of every operation of which an input has a node."""

    def __init__(self, argument: Tensor) -> None:
        super().__init__()
        self._graph = fx.Graph()
        self._root = nn.Module()
        # By identity, which is a tensor's own only while it lives; None for what was overwritten.
        self._nodes: dict[int, tuple[Tensor, fx.Node | None]] = {}
        self._constants: dict[int, tuple[Tensor, fx.Node]] = {}
        self.argument = argument
        self._keep(argument, self._graph.placeholder("code"))

    def depends(self, tensor: Tensor) -> bool:
        """Tell whether a tensor depends on the argument, as far as `functionalize` shows that."""
        return id(tensor) in self._nodes or torch._is_functional_tensor(tensor)

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
            self._refuse_known_constants(function, args, keywords)
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
        """Return the operation without its write; tensors that share the memory are forgotten."""
        name = function.overloadpacket.__name__
        pure = getattr(torch.ops.aten, name.removesuffix("_"), None)
        if id(target) not in self._nodes or pure is None or not name.endswith("_"):
            raise OverwrittenError(f"the decoder uses `{name}`")
        memory = _memory(target)
        for place, (tensor, _) in self._nodes.items():
            if _memory(tensor) == memory:
                self._nodes[place] = tensor, None
        return getattr(pure, function._overloadname)

    def _refuse_known_constants(self, function: Any, args: Any, keywords: Any) -> None:
        """Raise OverwrittenError for a write to a constant, which earlier reads would see too."""
        for place, argument in enumerate(function._schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                written = args[place] if place < len(args) else keywords.get(argument.name)
                known = {_memory(tensor) for tensor, _ in self._constants.values()}
                if isinstance(written, Tensor) and _memory(written) in known:
                    raise OverwrittenError("the decoder overwrites its constants")

    def _argument(self, value: Any) -> Any:
        """The node of a tensor, its own or a constant's; a device becomes the CPU."""
        if isinstance(value, torch.device):
            return torch.device("cpu")
        if not isinstance(value, Tensor):
            return value
        if id(value) in self._nodes:
            node = self._nodes[id(value)][1]
            if node is None:
                raise OverwrittenError("the decoder reads an array after a part was overwritten")
            return node
        if id(value) not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._root.register_buffer(name, value.detach().cpu())
            self._constants[id(value)] = value, self._graph.get_attr(name)
        return self._constants[id(value)][1]

    def returning(self, result: Tensor) -> fx.GraphModule:
        """Finish the graph, with this tensor as its output."""
        self._graph.output(self._argument(result))
        self._graph.eliminate_dead_code()
        return fx.GraphModule(self._root, self._graph)


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
