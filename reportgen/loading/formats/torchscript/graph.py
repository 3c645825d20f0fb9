"""The graph of a TorchScript method → a `Program`.

The graph is walked with two example images: every operator becomes a node and also runs, so that
conditions and loops over sizes, which exported graphs do not have, resolve to what they are for
images of this shape. Conditions on pixel values are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, fx

from reportgen.errors import ModelError
from reportgen.loading.formats.torchscript.numbers import (
    ON_NUMBERS,
    SAME,
    SKIPPED,
    readable_argument,
)
from reportgen.loading.formats.torchscript.values import STRUCTURE, ShadowedGraph
from reportgen.loading.graph.label_input import IMAGES_AND_LABELS, Labels, more_inputs
from reportgen.loading.graph.measure import DoesNotFitError
from reportgen.loading.graph.memory_limit import memory_limit
from reportgen.loading.graph.operators import ASSERTIONS, resolve_aten
from reportgen.loading.graph.program import Program

UNROLLED_LIMIT = 10_000
MISSING = object()


def program_of_graph(
    module: Any, graph: Any, example: Tensor, labels: Labels | None = None
) -> Program:
    """Convert an inlined torch._C.Graph whose inputs are `module` and images.

    `labels` gives the classes of as many images as it is asked for, where they are a third.

    Raises ModelError for operators off the allow-list and for control flow on pixel values.
    """
    return _Converter(module, example).convert(graph, labels)


@dataclass(frozen=True)
class _Part:
    """A part of the module, and its path in it, such as "encoder.2"; "" for the whole."""

    script: Any
    path: str

    def path_of(self, name: str) -> str:
        return f"{self.path}.{name}".lstrip(".")


class _Converter:
    def __init__(self, module: Any, example: Tensor) -> None:
        self.module = _Part(module._c, "")
        self.graph = ShadowedGraph(example)
        self.values: dict[int, Any] = {}
        # Attributes that the code writes: the module stays as it is.
        self.written: dict[str, Any] = {}

    def convert(self, graph: Any, labels: Labels | None) -> Program:
        module, *given = graph.inputs()
        wanted = 1 if labels is None else IMAGES_AND_LABELS
        if len(given) != wanted or not all("Tensor" in str(value.type()) for value in given):
            raise more_inputs([value.debugName() for value in given], "save")
        self.values[module.unique()] = self.module
        self.values[given[0].unique()] = self.graph.images
        with torch.no_grad(), memory_limit():
            if labels is not None:
                self.values[given[1].unique()] = self.graph.labels(given[1].debugName(), labels)
            self._block(graph)
        leaves: list[fx.Node] = []
        fx.map_arg(tuple(self._value(output) for output in graph.outputs()), leaves.append)
        return self.graph.builder.finish(leaves, None)

    def _value(self, value: Any) -> Any:
        found = self.values.get(value.unique(), MISSING)
        if found is MISSING:
            raise ModelError(
                f"the TorchScript value {value.debugName()} cannot be followed; save the model "
                "with torch.export.save instead."
            )
        return found

    def _block(self, block: Any) -> None:
        for node in block.nodes():
            self._node(node)

    def _node(self, node: Any) -> None:
        namespace, _, name = node.kind().partition("::")
        if name in SKIPPED or name in ASSERTIONS:
            return
        if namespace == "prim":
            self._prim(node, name)
        elif namespace == "aten":
            outputs = list(node.outputs())
            result = self._aten(node, name, [self._value(value) for value in node.inputs()])
            if len(outputs) == 1:
                self._set(outputs[0], result)
            else:
                for place, output in enumerate(outputs):
                    self._set(output, self.graph.item(result, place))
        else:
            raise _unknown(node.kind())

    def _set(self, value: Any, result: Any) -> None:
        self.values[value.unique()] = result

    def _prim(self, node: Any, name: str) -> None:
        inputs, outputs = list(node.inputs()), list(node.outputs())
        match name:
            case "SetAttr":
                owner, value = self._value(inputs[0]), self._value(inputs[1])
                if isinstance(owner, _Part):
                    self.written[owner.path_of(node.s("name"))] = value
                else:
                    setattr(owner, node.s("name"), value)
            case "Enter" | "Exit":
                # Contexts such as no_grad; their methods are in the graph already.
                for output in outputs:
                    self._set(output, None)
            case "TupleUnpack" | "ListUnpack":
                parts = self._value(inputs[0])
                for place, output in enumerate(outputs):
                    self._set(output, self.graph.item(parts, place))
            case "If":
                self._branch(node, inputs[0], outputs)
            case "Loop":
                self._loop(node, inputs, outputs)
            case "RaiseException":
                raise DoesNotFitError("the model raises an error of its own")
            case "Constant":
                self._set(outputs[0], self._constant(outputs[0]))
            case _:
                values = [self._value(value) for value in inputs]
                self._set(outputs[0], self._made(node, name, values))

    def _made(self, node: Any, name: str, values: list[Any]) -> Any:
        """The result of an operation that is TorchScript's own and no operator on tensors."""
        match name:
            case "CreateObject":
                return SimpleNamespace()
            case "Uninitialized":
                return None
            case "type":
                return values[0].type
            case "GetAttr":
                return self._attribute(node, values[0])
            case "ListConstruct":
                return values
            case "TupleConstruct":
                return tuple(values)
            case "DictConstruct":
                return dict(zip(values[::2], values[1::2], strict=True))
            case "TupleIndex":
                return self.graph.item(*values)
            case "dtype":
                return self.graph.shadow(values[0]).dtype
            case "device":
                return torch.device("cpu")
            case "layout":
                return torch.strided
            case "shape":
                return self.graph.sizes(values[0])
            case "is_nested" | "is_sparse" | "is_quantized" | "is_mkldnn" | "is_meta" | "is_cuda":
                return False
            case "min" | "max" | "abs":
                return self.graph.on_numbers(name, values)
            case _ if name in SAME:
                return values[0]
        raise _unknown(node.kind())

    def _constant(self, value: Any) -> Any:
        constant = value.toIValue()
        if isinstance(constant, Tensor):
            return self.graph.tensor(constant, value.debugName())
        return constant

    def _attribute(self, node: Any, owner: Any) -> Any:
        """A part, a weight or a flag of the module, or what its code has written there."""
        name = node.s("name")
        if not isinstance(owner, _Part):
            return getattr(owner, name)
        path = owner.path_of(name)
        if path in self.written:
            return self.written[path]
        value = owner.script.getattr(name)
        if isinstance(value, torch._C.ScriptModule):
            return _Part(value, path)
        return self.graph.tensor(value, path) if isinstance(value, Tensor) else value

    def _branch(self, node: Any, condition: Any, outputs: list[Any]) -> None:
        taken = self.graph.decided(self._value(condition))
        block = list(node.blocks())[0 if taken else 1]
        self._block(block)
        for output, result in zip(outputs, block.outputs(), strict=True):
            self._set(output, self._value(result))

    def _loop(self, node: Any, inputs: list[Any], outputs: list[Any]) -> None:
        trips = self.graph.decided(self._value(inputs[0]))
        going = self.graph.decided(self._value(inputs[1]))
        carried = [self._value(value) for value in inputs[2:]]
        (block,) = node.blocks()
        trip = 0
        while going and trip < trips:
            if trip >= UNROLLED_LIMIT:
                raise ModelError("the model loops without end for images of this shape.")
            for value, given in zip(block.inputs(), [trip, *carried], strict=True):
                self._set(value, given)
            self._block(block)
            results = [self._value(value) for value in block.outputs()]
            going, carried = self.graph.decided(results[0]), results[1:]
            trip += 1
        for output, result in zip(outputs, carried, strict=True):
            self._set(output, result)

    def _aten(self, node: Any, name: str, values: list[Any]) -> Any:
        if name in ON_NUMBERS or name in SAME:
            values = [self.graph.as_number(value) for value in values]
        if name in SAME and not self.graph.is_tensor(values[0]):
            return values[0]
        if name in ("Int", "IntImplicit", "Float", "Bool", "ScalarImplicit", "item"):
            raise ModelError("the model's forward turns pixels into numbers; it cannot be cut.")
        if name in STRUCTURE:
            return STRUCTURE[name](self.graph, *values)
        numbers = name in ON_NUMBERS and not any(self.graph.is_tensor(value) for value in values)
        if numbers:
            return self.graph.on_numbers(name, values[:2] if name in ("add", "sub") else values)
        if name in ("__is__", "__isnot__"):
            return (values[0] is values[1]) is (name == "__is__")
        if name == "__not__":
            return not self.graph.decided(values[0])
        return self._operator(node, name, values)

    def _operator(self, node: Any, name: str, values: list[Any]) -> fx.Node:
        schema = torch._C.parse_schema(node.schema())
        overload = resolve_aten(name, schema.overload_name or "default", trust=False)
        if overload is None:
            raise _unknown(node.kind())
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for argument, value in zip(overload._schema.arguments, values, strict=True):
            given = readable_argument(argument.name, value)
            if argument.kwarg_only:
                kwargs[argument.name] = given
            else:
                args.append(given)
        scope = node.scopeName().rsplit("/", 1)[-1].removeprefix("__module.")
        return self.graph.call(overload, tuple(args), kwargs, scope)


def _unknown(kind: str) -> ModelError:
    return ModelError(
        f"the model uses the TorchScript operation {kind}, which cannot be cut; save it with "
        "torch.export.save instead."
    )
