"""Makes a `Program` of a module in Python, through torch.export."""

from __future__ import annotations

import contextlib
import logging
import operator
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import Dim, ExportedProgram
from torch.export.graph_signature import ConstantArgument, InputKind, OutputKind, TensorArgument

from reportgen.errors import ModelError
from reportgen.loading.graph.label_input import (
    IMAGES_AND_LABELS,
    LabelInput,
    Labels,
    add_label_input,
    fed,
    more_inputs,
)
from reportgen.loading.graph.program import Program, ProgramBuilder
from reportgen.loading.modules.returned import distribution_mean, flatten, is_distribution
from reportgen.shown import quoted

# They run a subgraph without gradients or autocast, neither of which is ever on here.
TRANSPARENT = ("wrap_with_set_grad_enabled", "wrap_with_autocast")


def program_of_module(module: nn.Module, example: Tensor, labels: Labels | None = None) -> Program:
    """Trace a module whose forward takes images alone, or images and their classes.

    Parameters
    ----------
    module : in evaluation mode.
    example : two images, arranged as the module takes them.
    labels : gives the classes of as many images as it is asked for; None for images alone.

    Raises ModelError where its forward cannot be traced.
    """
    if labels is None:
        return program_of_export(export_module(module, example))
    return fed(program_of_export(export_module(module, example, labels(len(example)))), labels)


def export_module(module: nn.Module, *example: Tensor, flattened: bool = True) -> ExportedProgram:
    """torch.export of a module with a free batch size, or with a fixed one where that fails.

    `flattened` returns its tensors as a plain tuple, whatever type it returns them in.

    Raises ModelError where its forward cannot be traced.
    """
    if flattened:
        module = _TensorsAlone(module)
    batch = Dim("batch", min=1)
    free: Any = tuple({0: batch} for _ in example)
    if flattened:
        # The arguments that it takes are one, a tuple of them.
        free = (free,)
    with _quiet_export():
        try:
            return torch.export.export(module, example, dynamic_shapes=free, strict=False)
        except Exception as error:
            # Tracing runs the user's code with stand-ins for tensors; anything may be raised.
            return _fixed_batch(module, example, error)


class _TensorsAlone(nn.Module):
    """A module that returns its tensors as a tuple, in place of types that export does not know."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        returned = flatten(self.module(*given))
        means = [distribution_mean(leaf) if is_distribution(leaf) else leaf for leaf in returned]
        return tuple(leaf for leaf in means if isinstance(leaf, Tensor))


def _fixed_batch(
    module: nn.Module, example: tuple[Tensor, ...], error: Exception
) -> ExportedProgram:
    try:
        return torch.export.export(module, example, strict=False)
    except Exception:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(
            f"the model has no encoder and decoder that can be told apart, and its graph cannot be "
            f"traced ({reason}); give it methods encode(images) and decode(code)."
        ) from error


@contextlib.contextmanager
def _quiet_export() -> Iterator[None]:
    """Switch off, within this block, value checks that cannot be traced, and logs of failures."""
    checks = torch.distributions.Distribution._validate_args
    logger = logging.getLogger("torch")
    level = logger.level
    torch.distributions.Distribution.set_default_validate_args(False)
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        torch.distributions.Distribution.set_default_validate_args(checks)
        logger.setLevel(level)


def program_of_export(exported: ExportedProgram) -> Program:
    """The program of an ExportedProgram.

    Raises ModelError for models that take anything besides images.
    """
    return _Converter(exported).convert()


class _Converter:
    def __init__(self, exported: ExportedProgram) -> None:
        self.exported = exported
        self.builder = ProgramBuilder()
        self.values: dict[fx.Node, Any] = {}

    def convert(self) -> Program:
        shape = self._inputs()
        self._body(self.exported.graph, self.exported.graph_module)
        output = next(n for n in self.exported.graph.nodes if n.op == "output")
        leaves = [
            self.values[leaf]
            for leaf, spec in zip(
                output.args[0], self.exported.graph_signature.output_specs, strict=True
            )
            if spec.kind is OutputKind.USER_OUTPUT and isinstance(leaf, fx.Node)
        ]
        return self.builder.finish(leaves, shape)

    def _inputs(self) -> tuple[int | None, ...]:
        placeholders = {n.name: n for n in self.exported.graph.nodes if n.op == "placeholder"}
        specs = self.exported.graph_signature.input_specs
        given = [
            spec.arg.name
            for spec in specs
            if spec.kind is InputKind.USER_INPUT and isinstance(spec.arg, TensorArgument)
        ]
        if not 1 <= len(given) <= IMAGES_AND_LABELS:
            raise more_inputs(given, "export")
        image = placeholders[given[0]]
        images = self.values[image] = self.builder.image_input()
        for name in given[1:]:
            label = placeholders[name]
            declared = LabelInput(name, label.meta["val"].dtype, _sizes(label)[1:])
            self.values[label] = add_label_input(self.builder, images, declared)
        tensors = {**self.exported.state_dict, **self.exported.constants}
        for spec in specs:
            node = placeholders[spec.arg.name]
            if isinstance(spec.arg, ConstantArgument):
                self.values[node] = spec.arg.value
            elif spec.kind is not InputKind.USER_INPUT:
                tensor = tensors.get(str(spec.target))
                if not isinstance(tensor, Tensor):
                    raise ModelError(
                        f"the model holds {quoted(spec.target)}, which is no tensor; export "
                        "it without."
                    )
                self.values[node] = self.builder.constant(
                    tensor, str(spec.target).removeprefix("module.")
                )
        return _sizes(image)

    def _body(self, graph: fx.Graph, owner: nn.Module) -> None:
        for node in graph.nodes:
            if node.op != "call_function" or node in self.values:
                continue
            if isinstance(node.target, torch._ops.HigherOrderOperator):
                self._inline(node, owner)
                continue
            args = fx.map_arg(node.args, lambda old: self.values[old])
            kwargs = fx.map_arg(node.kwargs, lambda old: self.values[old])
            self.values[node] = self.builder.call(node.target, args, kwargs, _title(node))

    def _inline(self, node: fx.Node, owner: nn.Module) -> None:
        assert isinstance(node.target, torch._ops.HigherOrderOperator)
        if node.target.__name__ not in TRANSPARENT:
            raise ModelError(
                f"the model's forward has control flow ({node.target.__name__}), which cannot be "
                "cut; give it methods encode(images) and decode(code)."
            )
        args: list[Any] = list(node.args)
        place = next(i for i, arg in enumerate(args) if getattr(arg, "op", "") == "get_attr")
        inner = getattr(owner, str(args[place].target))
        placeholders = [n for n in inner.graph.nodes if n.op == "placeholder"]
        for placeholder, operand in zip(placeholders, args[place + 1 :], strict=True):
            self.values[placeholder] = self.values[operand]
        self._body(inner.graph, inner)
        output = next(n for n in inner.graph.nodes if n.op == "output")
        results = tuple(self.values[result] for result in output.args[0])
        for user in node.users:
            if user.target is operator.getitem:
                item: Any = user.args[1]
                self.values[user] = results[item]
        self.values[node] = results


def _sizes(placeholder: fx.Node) -> tuple[int | None, ...]:
    """A tensor's sizes; None for those that are free."""
    return tuple(s if isinstance(s, int) else None for s in placeholder.meta["val"].shape)


def _title(node: fx.Node) -> str:
    """The node's name with the submodule it comes from, as "linear_3 in encoder.7"."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path = str(stack[-1][0]).removeprefix("module").removeprefix(".") if stack else ""
    return f"{node.name} in {path}" if path else node.name
