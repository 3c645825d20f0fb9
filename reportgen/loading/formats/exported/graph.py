"""The JSON of a torch.export archive → a `Program`, operator by operator."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor, fx

from reportgen.errors import ModelError
from reportgen.loading.graph.label_input import (
    IMAGES_AND_LABELS,
    LabelInput,
    add_label_input,
    more_inputs,
)
from reportgen.loading.graph.operators import ASSERTIONS, SIZE_FUNCTIONS, resolve_aten
from reportgen.loading.graph.program import Program, ProgramBuilder
from reportgen.shown import quoted

MEMORY_FORMATS = {
    1: torch.contiguous_format,
    2: torch.channels_last,
    3: torch.channels_last_3d,
    4: torch.preserve_format,
}
# They run a subgraph under a setting that does not matter here: no gradients are kept, and
# autocast is never used.
TRANSPARENT = frozenset(
    {
        "torch.ops.higher_order.wrap_with_set_grad_enabled",
        "torch.ops.higher_order.wrap_with_autocast",
    }
)


def build_program(
    model: dict[str, Any],
    tensors: dict[str, Tensor],
    dtypes: dict[int, torch.dtype],
    wrapper: str = "",
) -> Program:
    """Rebuild a serialised ExportedProgram.

    Parameters
    ----------
    model : the parsed JSON.
    tensors : weights, buffers and constants by name.
    dtypes : dtype by its number in the file.
    wrapper : what names of submodules and weights begin with, and is not shown.

    Raises ModelError for operators off the allow-list and inputs that are no image; KeyError,
    TypeError, ValueError for JSON that does not follow the schema.
    """
    return _Reader(model["graph_module"], tensors, dtypes, wrapper).read()


class _Reader:
    def __init__(
        self,
        graph_module: dict[str, Any],
        tensors: dict[str, Tensor],
        dtypes: dict[int, torch.dtype],
        wrapper: str,
    ) -> None:
        self.graph = graph_module["graph"]
        self.signature = graph_module["signature"]
        self.tensors = tensors
        self.dtypes = dtypes
        self.wrapper = wrapper
        self.builder = ProgramBuilder()
        self.values: dict[str, Any] = {}

    def read(self) -> Program:
        shape = self._read_inputs()
        self._read_nodes(self.graph)
        leaves = [
            self.values[spec["user_output"]["arg"]["as_tensor"]["name"]]
            for spec in self.signature["output_specs"]
            if "as_tensor" in spec.get("user_output", {}).get("arg", {})
        ]
        return self.builder.finish(leaves, shape)

    def _read_inputs(self) -> tuple[int | None, ...] | None:
        user_inputs = []
        # The placeholder comes first, so that a decoder cut from the graph keeps the order.
        for spec in self.signature["input_specs"]:
            (kind,) = spec
            if kind == "user_input":
                user_inputs.append(spec[kind]["arg"])
            elif kind == "custom_obj":
                raise ModelError(
                    "the model holds a custom object, which could run code; export it without."
                )
        images = self._image_input(user_inputs)
        for spec in self.signature["input_specs"]:
            ((kind, value),) = spec.items()
            name_field = {
                "parameter": "parameter_name",
                "buffer": "buffer_name",
                "tensor_constant": "tensor_constant_name",
            }.get(kind)
            if name_field is not None:
                name = value[name_field]
                self.values[value["arg"]["name"]] = self.builder.constant(
                    self.tensors[name], str(name).removeprefix(self.wrapper)
                )
            elif kind == "constant_input":
                self.values[value["name"]] = next(iter(value["value"].values()))
        return self._declared_shape(images)

    def _image_input(self, user_inputs: list[dict[str, Any]]) -> str:
        tensors = [argument for argument in user_inputs if "as_tensor" in argument]
        names = [str(argument["as_tensor"]["name"]) for argument in tensors]
        if not 1 <= len(names) <= IMAGES_AND_LABELS:
            raise more_inputs(names, "export")
        images = self.values[names[0]] = self.builder.image_input()
        for name in names[1:]:
            dtype = self.dtypes.get(self.graph["tensor_values"][name]["dtype"])
            label = LabelInput(name, dtype, self._declared_shape(name)[1:])
            self.values[name] = add_label_input(self.builder, images, label)
        return names[0]

    def _declared_shape(self, name: str) -> tuple[int | None, ...]:
        sizes = self.graph["tensor_values"][name]["sizes"]
        return tuple(size.get("as_int") for size in sizes)

    def _read_nodes(self, graph: dict[str, Any]) -> None:
        for node in graph["nodes"]:
            self._read_node(node)

    def _read_node(self, node: dict[str, Any]) -> None:
        target = node["target"]
        if target in TRANSPARENT:
            self._inline(node)
            return
        if target in SIZE_FUNCTIONS:
            args = tuple(self._value(entry["arg"]) for entry in node["inputs"])
            call = self.builder.call(SIZE_FUNCTIONS[target], args)
        else:
            found = self._read_operator(node, target)
            if found is None:
                return
            call = found
        call.meta["title"] = _title(node, self.wrapper)
        self._name_outputs(node["outputs"], call)

    def _read_operator(self, node: dict[str, Any], target: str) -> fx.Node | None:
        parts = target.split(".")
        overload = None
        if len(parts) == 5 and parts[:3] == ["torch", "ops", "aten"]:
            if parts[3] in ASSERTIONS:
                return None
            overload = resolve_aten(parts[3], parts[4], trust=False)
        if overload is None:
            raise ModelError(
                f"the model uses the operator {quoted(target)}, which is not among those that are "
                "known to be safe; load it as weights with --model-class, or pass --trust if you "
                "trust the file's origin."
            )
        given = {entry["name"]: self._value(entry["arg"]) for entry in node["inputs"]}
        args, kwargs = _place(overload, given)
        return self.builder.call(overload, args, kwargs)

    def _inline(self, node: dict[str, Any]) -> None:
        arguments = [entry["arg"] for entry in node["inputs"]]
        place = next(i for i, argument in enumerate(arguments) if "as_graph" in argument)
        subgraph = arguments[place]["as_graph"]["graph"]
        operands = [self._value(argument) for argument in arguments[place + 1 :]]
        outer = self.values
        names = [_output_name(argument) for argument in subgraph["inputs"]]
        self.values = {
            name: operand for name, operand in zip(names, operands, strict=True) if name is not None
        }
        self._read_nodes(subgraph)
        results = [self._value(output) for output in subgraph["outputs"]]
        self.values = outer
        for output, result in zip(_flat(node["outputs"]), results, strict=True):
            self.values[output] = result

    def _name_outputs(self, outputs: list[dict[str, Any]], call: fx.Node) -> None:
        if not outputs:
            return
        single = len(outputs) == 1 and "as_tensors" not in outputs[0]
        if single:
            name = _output_name(outputs[0])
            if name is not None:
                self.values[name] = call
            return
        entries = outputs[0]["as_tensors"] if len(outputs) == 1 else outputs
        for place, entry in enumerate(entries):
            name = entry["name"] if "name" in entry else _output_name(entry)
            if name is not None:
                item = self.builder.call(operator.getitem, (call, place), title=str(name))
                self.values[name] = item

    def _value(self, argument: dict[str, Any]) -> Any:
        ((kind, value),) = argument.items()
        match kind:
            case "as_none":
                return None
            case "as_tensor":
                return self.values[value["name"]]
            case "as_tensors":
                return [self.values[entry["name"]] for entry in value]
            case "as_optional_tensors" | "as_sym_ints" | "as_sym_floats" | "as_sym_bools":
                return [self._value_or_size(entry) for entry in value]
            case "as_optional_tensor" | "as_sym_int" | "as_sym_float" | "as_sym_bool":
                return self._value_or_size(value)
            case "as_int" | "as_float" | "as_bool" | "as_string":
                return _plain(value)
            case "as_ints" | "as_floats" | "as_bools" | "as_strings":
                return [_plain(entry) for entry in value]
            case "as_scalar_type":
                return self.dtypes[value]
            case "as_memory_format":
                return MEMORY_FORMATS[value]
            case "as_layout":
                return torch.strided
            case "as_device":
                return torch.device("cpu")
        raise ModelError(
            f"the model uses an argument of kind {quoted(kind)}, which cannot be read here."
        )

    def _value_or_size(self, entry: dict[str, Any]) -> Any:
        ((kind, value),) = entry.items()
        if kind == "as_name":
            return self.values[value]
        if kind == "as_none":
            return None
        return self._value(entry) if kind == "as_tensor" else _plain(value)


def _plain(value: Any) -> Any:
    # Non-finite floats are written as strings.
    if isinstance(value, str) and value in ("Infinity", "-Infinity", "NaN"):
        return float(value.replace("Infinity", "inf"))
    if not isinstance(value, bool | int | float | str):
        raise TypeError("an argument is not a plain value")
    return value


def _place(
    overload: torch._ops.OpOverload, given: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Named arguments → (positional, keyword), as the operator's schema orders them."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    schema = overload._schema.arguments
    positional = [argument for argument in schema if not argument.kwarg_only]
    last = max((i for i, argument in enumerate(positional) if argument.name in given), default=-1)
    for argument in positional[: last + 1]:
        if argument.name in given:
            args.append(given.pop(argument.name))
        else:
            args.append(argument.default_value)
    for argument in schema:
        if argument.kwarg_only and argument.name in given:
            kwargs[argument.name] = given.pop(argument.name)
    if given:
        raise ValueError(f"{overload} takes no argument {sorted(given)[0]!r}")
    return tuple(args), kwargs


def _output_name(output: dict[str, Any]) -> str | None:
    ((kind, value),) = output.items()
    name: str | None = None
    if kind == "as_tensor":
        name = value["name"]
    elif kind in ("as_sym_int", "as_sym_float", "as_sym_bool"):
        name = value.get("as_name")
    return name


def _flat(outputs: list[dict[str, Any]]) -> list[str]:
    names: list[str] = []
    for output in outputs:
        if "as_tensors" in output:
            names.extend(entry["name"] for entry in output["as_tensors"])
        else:
            name = _output_name(output)
            if name is None:
                raise ValueError("a subgraph returns something that is no tensor")
            names.append(name)
    return names


def _title(node: dict[str, Any], wrapper: str) -> str:
    """The node's name with the submodule it comes from, as "linear_3 in encoder.7"."""
    name = node.get("name")
    if not name and node["outputs"]:
        name = _output_name(node["outputs"][0])
    stack = (node.get("metadata") or {}).get("nn_module_stack", "")
    path = stack.rsplit(";", 1)[-1].split(",")
    place = path[1].removeprefix(wrapper) if len(path) > 1 else ""
    if place and place != wrapper.rstrip("."):
        return f"{name} in {place}"
    return str(name or "")
