"""The frozen graph of a TorchScript method → a `Program`.

The graph is walked with two example images: every operator becomes a node and also runs, so that
conditions and loops over sizes, which exported graphs do not have, resolve to what they are for
images of this shape. Conditions on pixel values are refused.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, fx

from reportgen.errors import ModelError
from reportgen.loading.measure import DoesNotFitError
from reportgen.loading.operators import ASSERTIONS, names, resolve_aten
from reportgen.loading.program import Program, ProgramBuilder

UNROLLED_LIMIT = 10_000
# Numbers of c10::ScalarType, which TorchScript writes for dtypes.
DTYPES = {
    0: torch.uint8,
    1: torch.int8,
    2: torch.int16,
    3: torch.int32,
    4: torch.int64,
    5: torch.float16,
    6: torch.float32,
    7: torch.float64,
    11: torch.bool,
    15: torch.bfloat16,
}
MEMORY_FORMATS = {
    0: torch.contiguous_format,
    1: torch.preserve_format,
    2: torch.channels_last,
    3: torch.channels_last_3d,
}
_ON_NUMBERS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "true_divide": operator.truediv,
    "floordiv": operator.floordiv,
    "floor_divide": operator.floordiv,
    "remainder": operator.mod,
    "mod": operator.mod,
    "neg": operator.neg,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "ceil": math.ceil,
    "floor": math.floor,
    "sqrt": math.sqrt,
    "round": round,
    "abs": abs,
    "min": min,
    "max": max,
}
_DIVISIONS: dict[str | None, Callable[..., Any]] = {
    None: operator.truediv,
    "floor": operator.floordiv,
    "trunc": lambda dividend, divisor: int(dividend / divisor),
}
_SAME = names(
    """
    Int Float Bool IntImplicit FloatImplicit ScalarImplicit NumToTensor unchecked_cast
    unchecked_unwrap_optional annotate
    """
)
_SKIPPED = names("warn Print _assert set_grad_enabled")
MISSING = object()


def program_of_graph(module: Any, graph: Any, example: Tensor) -> Program:
    """Convert a frozen, inlined torch._C.Graph whose inputs are `module` and one tensor.

    Raises ModelError for operators off the allow-list and for control flow on pixel values.
    """
    return _Converter(module, example).convert(graph)


class _Converter:
    def __init__(self, module: Any, example: Tensor) -> None:
        self.module = module
        self.example = example
        self.builder = ProgramBuilder()
        self.values: dict[int, Any] = {}
        self.shadows: dict[fx.Node, Any] = {}
        self.constants: dict[int, fx.Node] = {}

    def convert(self, graph: Any) -> Program:
        inputs = list(graph.inputs())
        tensors = [value for value in inputs[1:] if "Tensor" in str(value.type())]
        if len(tensors) != 1 or len(inputs) != 2:
            given = ", ".join(value.debugName() for value in inputs[1:])
            raise ModelError(
                f"the model takes {len(inputs) - 1} inputs ({given}) and not images alone."
            )
        images = self.builder.image_input()
        self.shadows[images] = self.example
        self.values[inputs[0].unique()] = self.module
        self.values[inputs[1].unique()] = images
        with torch.no_grad():
            self._block(graph)
        leaves = _leaves([self._value(output) for output in graph.outputs()])
        return self.builder.finish(leaves, None)

    def _value(self, value: Any) -> Any:
        found = self.values.get(value.unique(), MISSING)
        if found is MISSING:
            raise ModelError(f"the TorchScript value {value.debugName()} cannot be followed.")
        return found

    def _block(self, block: Any) -> None:
        for node in block.nodes():
            self._node(node)

    def _node(self, node: Any) -> None:
        namespace, _, name = node.kind().partition("::")
        if name in _SKIPPED or name in ASSERTIONS:
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
                    self._set(output, self._item(result, place))
        else:
            raise _unknown(node.kind())

    def _set(self, value: Any, result: Any) -> None:
        self.values[value.unique()] = result

    def _prim(self, node: Any, name: str) -> None:
        inputs = list(node.inputs())
        outputs = list(node.outputs())
        match name:
            case "Constant":
                self._set(outputs[0], self._constant(outputs[0]))
            case "CreateObject":
                self._set(outputs[0], SimpleNamespace())
            case "SetAttr":
                setattr(self._value(inputs[0]), node.s("name"), self._value(inputs[1]))
            case "Enter" | "Exit":
                # Contexts such as no_grad; their methods are in the graph already.
                for output in outputs:
                    self._set(output, None)
            case "type":
                self._set(outputs[0], self._value(inputs[0]).type)
            case "GetAttr":
                self._set(outputs[0], self._attribute(node, self._value(inputs[0])))
            case "ListConstruct":
                self._set(outputs[0], [self._value(value) for value in inputs])
            case "TupleConstruct":
                self._set(outputs[0], tuple(self._value(value) for value in inputs))
            case "DictConstruct":
                items = [self._value(value) for value in inputs]
                self._set(outputs[0], dict(zip(items[::2], items[1::2], strict=True)))
            case "TupleUnpack" | "ListUnpack":
                parts = self._value(inputs[0])
                for place, output in enumerate(outputs):
                    self._set(output, self._item(parts, place))
            case "TupleIndex":
                self._set(outputs[0], self._item(*(self._value(value) for value in inputs)))
            case "If":
                self._branch(node, inputs[0], outputs)
            case "Loop":
                self._loop(node, inputs, outputs)
            case "RaiseException":
                raise DoesNotFitError("the model raises an error of its own")
            case "Uninitialized":
                self._set(outputs[0], None)
            case "dtype":
                self._set(outputs[0], self._shadow(self._value(inputs[0])).dtype)
            case "device":
                self._set(outputs[0], torch.device("cpu"))
            case "layout":
                self._set(outputs[0], torch.strided)
            case "shape":
                self._set(outputs[0], self._sizes(self._value(inputs[0])))
            case "min" | "max" | "abs":
                values = [self._value(value) for value in inputs]
                self._set(outputs[0], self._on_numbers(name, values))
            case _ if name in _SAME:
                self._set(outputs[0], self._value(inputs[0]))
            case _:
                raise _unknown(node.kind())

    def _constant(self, value: Any) -> Any:
        constant = value.toIValue()
        if isinstance(constant, Tensor):
            return self._tensor(constant, value.debugName())
        return constant

    def _attribute(self, node: Any, owner: Any) -> Any:
        """Something that freezing left in the module, such as a flag; or of a created object."""
        value = getattr(owner, node.s("name"))
        if isinstance(value, Tensor):
            return self._tensor(value, node.s("name"))
        return value

    def _tensor(self, tensor: Tensor, title: str) -> fx.Node:
        key = tensor.data_ptr()
        node = self.constants.get(key) if tensor.numel() else None
        if node is None or self.shadows[node].shape != tensor.shape:
            node = self.builder.constant(tensor, title.removeprefix("self."))
            self.shadows[node] = tensor
            self.constants[key] = node
        return node

    def _branch(self, node: Any, condition: Any, outputs: list[Any]) -> None:
        taken = self._decided(self._value(condition))
        block = list(node.blocks())[0 if taken else 1]
        self._block(block)
        for output, result in zip(outputs, block.outputs(), strict=True):
            self._set(output, self._value(result))

    def _loop(self, node: Any, inputs: list[Any], outputs: list[Any]) -> None:
        trips = self._decided(self._value(inputs[0]))
        going = self._decided(self._value(inputs[1]))
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
            going, carried = self._decided(results[0]), results[1:]
            trip += 1
        for output, result in zip(outputs, carried, strict=True):
            self._set(output, result)

    def _decided(self, value: Any) -> Any:
        """A condition's or count's value, which may depend on sizes and not on pixels."""
        if not isinstance(value, fx.Node):
            return value
        shadow = self.shadows[value]
        if isinstance(shadow, Tensor):
            raise ModelError(
                "the model's forward branches on pixel values, so its graph cannot be cut."
            )
        return shadow

    def _aten(self, node: Any, name: str, values: list[Any]) -> Any:
        if name in _ON_NUMBERS or name in _SAME:
            values = [self._as_number(value) for value in values]
        if name in _SAME and not self._is_tensor(values[0]):
            return values[0]
        if name in ("Int", "IntImplicit", "Float", "Bool", "ScalarImplicit", "item"):
            raise ModelError("the model's forward turns pixels into numbers; it cannot be cut.")
        if name in _STRUCTURE:
            return _STRUCTURE[name](self, *values)
        numbers = name in _ON_NUMBERS and not any(self._is_tensor(value) for value in values)
        if numbers:
            return self._on_numbers(name, values[:2] if name in ("add", "sub") else values)
        if name in ("__is__", "__isnot__"):
            return (values[0] is values[1]) is (name == "__is__")
        if name == "__not__":
            return not self._decided(values[0])
        return self._operator(node, name, values)

    def _operator(self, node: Any, name: str, values: list[Any]) -> fx.Node:
        schema = torch._C.parse_schema(node.schema())
        overload = resolve_aten(name, schema.overload_name or "default", trust=False)
        if overload is None:
            raise _unknown(node.kind())
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for argument, value in zip(overload._schema.arguments, values, strict=True):
            readable = _readable(argument.name, value)
            if argument.kwarg_only:
                kwargs[argument.name] = readable
            else:
                args.append(readable)
        scope = node.scopeName().rsplit("/", 1)[-1].removeprefix("__module.")
        return self._call(overload, tuple(args), kwargs, scope)

    def _call(
        self,
        target: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None = None,
        scope: str = "",
    ) -> fx.Node:
        call = self.builder.call(target, args, kwargs)
        call.meta["title"] = f"{call.name} in {scope}" if scope else call.name
        shadow_args = fx.map_arg(args, self.shadows.__getitem__)
        shadow_kwargs = fx.map_arg(kwargs or {}, self.shadows.__getitem__)
        try:
            self.shadows[call] = target(*shadow_args, **shadow_kwargs)
        except Exception as error:
            # torch raises anything for shapes that an operator does not take.
            raise DoesNotFitError(str(error).strip().partition("\n")[0]) from error
        return call

    def _on_numbers(self, name: str, values: list[Any]) -> Any:
        function = _ON_NUMBERS[name]
        if name == "div" and len(values) == 3:
            function = _DIVISIONS[values.pop()]
        if not any(isinstance(value, fx.Node) for value in values):
            return function(*values)
        if function is _DIVISIONS["trunc"] or name in (
            "ceil",
            "floor",
            "sqrt",
            "round",
            "abs",
            "min",
            "max",
        ):
            return function(*(self._decided(value) for value in values))
        return self._call(function, tuple(values))

    def _is_tensor(self, value: Any) -> bool:
        return isinstance(value, fx.Node) and isinstance(self.shadows[value], Tensor)

    def _as_number(self, value: Any) -> Any:
        """A constant that a trace wrote as a tensor of no dimensions."""
        if isinstance(value, fx.Node) and value.op == "get_attr":
            tensor = self.shadows[value]
            if tensor.dim() == 0 and not tensor.is_floating_point():
                return tensor.item()
        return value

    def _shadow(self, value: Any) -> Any:
        return self.shadows[value] if isinstance(value, fx.Node) else value

    def _item(self, parts: Any, place: int) -> Any:
        if isinstance(parts, fx.Node):
            return self._call(operator.getitem, (parts, place))
        return parts[place]

    def _sizes(self, value: Any, *dimension: Any) -> Any:
        size = torch.ops.aten.sym_size.int
        if dimension:
            return self._call(size, (value, self._decided(dimension[0])))
        count = self._shadow(value).dim()
        return [self._call(size, (value, place)) for place in range(count)]

    def _length(self, value: Any) -> Any:
        if isinstance(value, fx.Node):
            shadow = self.shadows[value]
            return self._sizes(value, 0) if isinstance(shadow, Tensor) else len(shadow)
        return len(value)

    def _get(self, parts: Any, place: Any) -> Any:
        return self._item(parts, self._decided(place))

    def _dim(self, value: Any) -> int:
        return int(self._shadow(value).dim())

    def _append(self, parts: list[Any], value: Any) -> list[Any]:
        parts.append(value)
        return parts

    def _slice(self, value: Any, *rest: Any) -> Any:
        if self._is_tensor(value):
            overload = torch.ops.aten.slice.Tensor
            return self._call(overload, (value, *rest))
        start, end, step = (self._decided(entry) for entry in rest)
        return value[start:end:step]

    def _format(self, *values: Any) -> str:
        return "the model's message"

    def _false(self, *values: Any) -> bool:
        return False


_STRUCTURE: dict[str, Callable[..., Any]] = {
    "size": _Converter._sizes,
    "len": _Converter._length,
    "__getitem__": _Converter._get,
    "dim": _Converter._dim,
    "append": _Converter._append,
    "slice": _Converter._slice,
    "format": _Converter._format,
    "__contains__": lambda converter, parts, key: key in parts,
    "list": lambda converter, value: list(value),
    "is_floating_point": lambda converter, value: converter._shadow(value).is_floating_point(),
    "is_grad_enabled": _Converter._false,
    "is_autocast_enabled": _Converter._false,
    "is_autocast_cpu_enabled": _Converter._false,
}


def _readable(name: str, value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        if name == "dtype":
            return DTYPES[value]
        if name == "memory_format":
            return MEMORY_FORMATS[value]
        if name == "layout":
            return torch.strided
    if name == "device" and value is not None:
        return torch.device("cpu")
    return value


def _leaves(values: Any) -> list[Any]:
    if isinstance(values, tuple | list):
        return [leaf for value in values for leaf in _leaves(value)]
    if isinstance(values, dict):
        return [leaf for value in values.values() for leaf in _leaves(value)]
    return [values] if isinstance(values, fx.Node) else []


def _unknown(kind: str) -> ModelError:
    return ModelError(
        f"the model uses the TorchScript operation {kind}, which cannot be cut; save it with "
        "torch.export.save instead."
    )
