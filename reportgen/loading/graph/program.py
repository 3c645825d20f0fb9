"""`Program`: a model as a graph of aten operators, which can be inspected, cut and run."""

from __future__ import annotations

import operator
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

from reportgen.errors import ModelError
from reportgen.loading.graph.operators import REARRANGEMENTS, SHAPE_ONLY, base_name
from reportgen.loading.options import LoadingOptions
from reportgen.shown import shown

# The largest models have some thousands; the search takes longer than linear time.
MOST_CALLS = 20_000


@dataclass(frozen=True)
class Description:
    """The description of its model in a file that `reportgen.save` wrote.

    Attributes
    ----------
    code_output, sd_output : the places of the code and the posterior sd among the outputs, or None.
    said : all other options; what the user says goes before them.
    """

    code_output: int | None = None
    sd_output: int | None = None
    said: LoadingOptions = field(default_factory=LoadingOptions)


@dataclass
class Program:
    """A graph with one image input, its constants, and the tensors it returns.

    Attributes
    ----------
    graph : one placeholder (the images, or the code of a decoder), get_attr nodes for constants,
        call_function nodes for operators, and one output node.
    root : holds the constants that the get_attr nodes name.
    declared_shape : shape of the example the model was exported with, None for dynamic sizes.
    device : where the constants live.
    description : what the file says of itself; empty for files that `save` did not write.
    """

    graph: fx.Graph
    root: nn.Module
    declared_shape: tuple[int | None, ...] | None = None
    device: str = "cpu"
    description: Description = field(default_factory=Description)

    @property
    def input(self) -> fx.Node:
        """The placeholder, which stands for the images or the code."""
        node: fx.Node = next(node for node in self.graph.nodes if node.op == "placeholder")
        return node

    @property
    def output(self) -> fx.Node:
        """The output node; its one argument is the tuple of leaves."""
        node: fx.Node = next(node for node in reversed(self.graph.nodes) if node.op == "output")
        return node

    @property
    def leaves(self) -> tuple[fx.Node | Any, ...]:
        """The values that the program returns, flattened."""
        leaves: Any = self.output.args[0]
        return tuple(leaves)

    def constant(self, node: fx.Node) -> Tensor:
        """The tensor of a get_attr node."""
        tensor: Tensor = getattr(self.root, str(node.target))
        return tensor

    def compiled(self) -> Callable[[Tensor], tuple[Any, ...]]:
        """The program as it is now, as a function from images to all leaves that is fast to call.

        `fx.Interpreter` would spend a millisecond a call around the operators of a small decoder,
        and hold Python's lock; generated code would hold names from the file.
        """
        constants = {
            node: self.constant(node) for node in self.graph.nodes if node.op == "get_attr"
        }
        placeholder, leaves = self.input, self.leaves
        steps = _steps(self.graph, keep={*constants, *self.output.all_input_nodes})

        def run(images: Tensor) -> tuple[Any, ...]:
            # In-place operators of the model must not reach the caller's tensor.
            values: dict[fx.Node, Any] = {**constants, placeholder: images.clone()}
            value_of = values.__getitem__
            for node, target, arguments, used_up in steps:
                args, kwargs = fx.map_arg(arguments, value_of)
                values[node] = target(*args, **kwargs)
                # Else the last operator's input would live until it has left its own.
                del args, kwargs
                for earlier in used_up:
                    del values[earlier]
            return fx.map_arg(leaves, value_of)

        return run

    def copy(self) -> Program:
        """The same program with a graph of its own; constants are shared."""
        graph = fx.Graph()
        copied: dict[fx.Node, fx.Node] = {}
        graph.output(graph.graph_copy(self.graph, copied))
        return Program(graph, self.root, self.declared_shape, self.device, self.description)


def _steps(
    graph: fx.Graph, keep: Container[fx.Node]
) -> list[tuple[fx.Node, Callable[..., Any], Any, list[fx.Node]]]:
    """Operator nodes in order, each with its operator, arguments and the nodes that it uses up."""
    needed = set()
    steps = []
    for node in reversed(graph.nodes):
        if node.op != "call_function":
            continue
        used_up = [n for n in (*node.all_input_nodes, node) if n not in needed and n not in keep]
        needed.update(used_up)
        steps.append((node, node.target, (node.args, node.kwargs), used_up))
    return steps[::-1]


@dataclass
class ProgramBuilder:
    """Builds a program node by node; names from files never become names in the graph."""

    graph: fx.Graph = field(default_factory=fx.Graph)
    root: nn.Module = field(default_factory=nn.Module)
    _constants: int = 0
    _calls: int = 0

    def image_input(self) -> fx.Node:
        """The one placeholder."""
        return self.graph.placeholder("images")

    def constant(self, tensor: Tensor, title: str) -> fx.Node:
        """A node for a weight, buffer or literal."""
        name = f"constant_{self._constants}"
        self._constants += 1
        self.root.register_buffer(name, tensor.detach())
        node = self.graph.create_node("get_attr", name)
        node.meta["title"] = title
        return node

    def call(
        self,
        target: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None = None,
        title: str = "",
    ) -> fx.Node:
        """A node for one operator. Raises ModelError for more than a model has."""
        self._calls += 1
        if self._calls > MOST_CALLS:
            raise ModelError(
                f"the model's graph has more than {MOST_CALLS:,} operations; refused as unsafe."
            )
        node = self.graph.call_function(target, args, kwargs or {})
        node.meta["title"] = title
        return node

    def finish(
        self, leaves: Sequence[Any], declared_shape: tuple[int | None, ...] | None
    ) -> Program:
        """The program that returns these leaves."""
        self.graph.output(tuple(leaves))
        return Program(self.graph, self.root, declared_shape)


def title(node: fx.Node) -> str:
    """The name of a node for users: as in the model file, else as in the graph."""
    named = shown(node.meta.get("title") or node.name)
    whole = node.args[0] if node.target is operator.getitem else None
    if isinstance(whole, fx.Node):
        return f"{named.partition(' in ')[0]} of {title(whole)}"
    return named


def module_path(node: fx.Node) -> str:
    """The submodule that a node comes from, as "encoder.7"; "" where that is not known."""
    whole = node.args[0] if node.target is operator.getitem else None
    if isinstance(whole, fx.Node):
        return module_path(whole)
    return str(node.meta.get("path") or title(node).partition(" in ")[2])


def arguments(node: fx.Node) -> dict[str, Any]:
    """The arguments of an aten node by name, with defaults filled in."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return {str(place): value for place, value in enumerate(node.args)}
    bound: dict[str, Any] = {}
    for place, argument in enumerate(node.target._schema.arguments):
        if place < len(node.args) and not argument.kwarg_only:
            bound[argument.name] = node.args[place]
        elif argument.name in node.kwargs:
            bound[argument.name] = node.kwargs[argument.name]
        elif argument.has_default_value():
            bound[argument.name] = argument.default_value
    return bound


def set_arguments(node: fx.Node, **changed: Any) -> None:
    """Give an aten node new values for some arguments, by name."""
    args, kwargs = list(node.args), dict(node.kwargs)
    assert isinstance(node.target, torch._ops.OpOverload)
    bound = arguments(node)
    for place, argument in enumerate(node.target._schema.arguments):
        if argument.name not in changed:
            continue
        if argument.kwarg_only:
            kwargs[argument.name] = changed[argument.name]
            continue
        while len(args) <= place:
            skipped = node.target._schema.arguments[len(args)].name
            args.append(kwargs.pop(skipped, bound.get(skipped)))
        args[place] = changed[argument.name]
    node.args, node.kwargs = tuple(args), kwargs


def ancestors(
    nodes: Iterable[fx.Node],
    inputs: Callable[[fx.Node], Iterable[fx.Node]] = lambda node: node.all_input_nodes,
) -> set[fx.Node]:
    """These nodes and everything they are computed from; `inputs` says what one is."""
    found: set[fx.Node] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(inputs(node))
    return found


def value_inputs(node: fx.Node) -> list[fx.Node]:
    """The nodes from which a node's values are computed; none where it reads shapes alone."""
    return [] if base_name(node.target) in SHAPE_ONLY else node.all_input_nodes


def origin(node: fx.Node, through: Container[str] = REARRANGEMENTS) -> fx.Node:
    """The node that computes a node's numbers, found back through operators that rearrange them."""
    while base_name(node.target) in through and isinstance(node.args[0], fx.Node):
        node = node.args[0]
    return node


def remove_unused(program: Program) -> None:
    """Erase every node that no leaf needs."""
    needed = ancestors([program.output])
    for node in reversed(list(program.graph.nodes)):
        if node not in needed and node.op != "placeholder":
            program.graph.erase_node(node)


def calls(program: Program, names: frozenset[str] | None = None) -> Iterator[fx.Node]:
    """Operator nodes in order; only those whose base name is in `names`, if given."""
    for node in list(program.graph.nodes):
        if node.op == "call_function" and (names is None or base_name(node.target) in names):
            yield node
