"""Finds where a program's graph is narrowest: the node that holds the code."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass

from torch import fx

from reportgen.errors import ModelError
from reportgen.loading.graph.measure import Measurement
from reportgen.loading.graph.operators import (
    LINEAR_MAPS,
    LOOKUPS,
    REARRANGEMENTS,
    base_name,
)
from reportgen.loading.graph.program import Program, ancestors, origin, title, value_inputs
from reportgen.loading.sentences import no_autoencoder, shape_text

# A bypassed activation this many times narrower than the code: the skip carries the image.
NARROWER = 4


@dataclass(frozen=True)
class Bottleneck:
    """The place where a program is cut.

    Attributes
    ----------
    code : the node that holds the code.
    shape : the shape of one image's code.
    output : the leaf that holds the reconstruction.
    """

    code: fx.Node
    shape: tuple[int, ...]
    output: fx.Node


def is_shaped_like_code(node: fx.Node, measured: Measurement, bottleneck: Bottleneck) -> bool:
    """Tell whether a node has the code's sizes, but for sizes of 1, which views add and drop."""
    shape = measured.per_image(node)
    if shape is None:
        return False
    one, other = ([size for size in sizes if size != 1] for sizes in (shape, bottleneck.shape))
    return one == other


def find_output(program: Program, measured: Measurement, image_shape: tuple[int, ...]) -> fx.Node:
    """The leaf that holds the reconstruction: the first as large as the image, and not the image.

    Raises ModelError where there is none.
    """
    size = math.prod(image_shape)
    leaves = [leaf for leaf in program.leaves if isinstance(leaf, fx.Node)]
    found = [
        leaf
        for leaf in leaves
        if measured.size(leaf) == size
        and measured.is_float(leaf)
        and origin(leaf).op != "placeholder"
    ]
    exact = [leaf for leaf in found if measured.per_image(leaf) == image_shape]
    if found:
        return (exact or found)[0]
    shapes = ", ".join(_shape_text(measured.per_image(leaf)) for leaf in leaves)
    raise ModelError(f"{no_autoencoder(shapes, image_shape)}.")


def _shape_text(shape: tuple[int, ...] | None) -> str:
    return shape_text(shape) if shape else "a value without a batch dimension"


def data_nodes(program: Program) -> set[fx.Node]:
    """Nodes whose values, not only shapes, depend on the image."""
    found = {program.input}
    for node in program.graph.nodes:
        if node.op == "call_function" and any(source in found for source in value_inputs(node)):
            found.add(node)
    return found


def find_bottleneck(
    program: Program,
    measured: Measurement,
    image_shape: tuple[int, ...],
    named: str | int | None = None,
) -> Bottleneck:
    """The narrowest node that every path from image to reconstruction crosses.

    A node is crossed by every path exactly if, in topological order, no edge jumps over it. Among
    equally narrow ones the first is taken, and then followed through activations, normalisation
    and quantisation up to the next linear map or convolution. `named` overrides the search: the
    name of a node or submodule, or the number of an output of the program.

    Raises ModelError where skip connections carry the image past every narrow node.
    """
    output = find_output(program, measured, image_shape)
    path = _between(program, output)
    if output not in path or program.input not in path:
        raise ModelError("the model's output does not depend on its input; it cannot be studied.")
    crossed = _crossed_by_all(path)
    if named is not None:
        code = program.leaves[named] if isinstance(named, int) else _named_node(path, named)
        _refuse_bypassed(path, crossed, code)
    else:
        code = _narrowest(path, crossed, measured, image_shape)
        _refuse_skips(path, code, measured)
    shape = measured.per_image(code)
    if shape is None:
        raise ModelError(f"the node {title(code)} does not hold one code for each image.")
    return Bottleneck(code, shape, output)


def _between(program: Program, output: fx.Node) -> list[fx.Node]:
    """Data nodes whose values the output needs, in topological order."""
    needed = ancestors([output], value_inputs)
    data = data_nodes(program)
    return [node for node in program.graph.nodes if node in needed and node in data]


def _data_users(node: fx.Node, path: set[fx.Node]) -> list[fx.Node]:
    return [user for user in node.users if user in path]


def _crossed_by_all(path: list[fx.Node]) -> list[fx.Node]:
    """Nodes that no edge jumps over, in order; one pass over the edges."""
    place = {node: index for index, node in enumerate(path)}
    inside = set(path)
    crossed = []
    farthest = 0
    for index, node in enumerate(path):
        if farthest <= index:
            crossed.append(node)
        users = _data_users(node, inside)
        farthest = max([farthest, *(place[user] for user in users)])
    return crossed


def _named_node(path: list[fx.Node], named: str) -> fx.Node:
    matching = [
        node
        for node in path
        if named in (node.name, title(node), title(node).split(" in ")[0])
        or title(node).endswith(f" in {named}")
    ]
    if not matching:
        known = ", ".join(title(node) for node in _crossed_by_all(path)[1:-1][:12])
        raise ModelError(
            f"the model has no node or submodule {named!r}; among those that it could be cut at "
            f"are {known}."
        )
    return matching[-1]


def _refuse_bypassed(path: list[fx.Node], crossed: list[fx.Node], code: fx.Node) -> None:
    if code not in path:
        raise ModelError(f"the reconstruction is not computed from the node {title(code)}.")
    if code not in crossed:
        raise ModelError(
            f"the node {title(code)} is bypassed by {_bypass(path, code)}, so the image cannot be "
            "reconstructed from it alone."
        )


def _narrowest(
    path: list[fx.Node],
    crossed: list[fx.Node],
    measured: Measurement,
    image_shape: tuple[int, ...],
) -> fx.Node:
    candidates = [
        node
        for node in crossed
        if node is not path[0] and node is not path[-1] and _holds_code(node, measured)
    ]
    limit = math.prod(image_shape)
    narrowest = min((measured.size(node) for node in candidates), default=limit)
    if narrowest >= limit:
        narrow = [node for node in path if _holds_code(node, measured)]
        smallest = min(narrow, key=measured.size, default=None)
        if smallest is not None and measured.size(smallest) < limit:
            raise ModelError(
                f"the model has no bottleneck: its narrowest activation, {title(smallest)} with "
                f"{measured.size(smallest)} numbers, is bypassed by {_bypass(path, smallest)}."
            )
        raise ModelError(
            f"the model has no bottleneck: nothing in it is smaller than the image "
            f"({_shape_text(image_shape)}, {limit} numbers)."
        )
    start = next(node for node in candidates if measured.size(node) == narrowest)
    return _followed(path, candidates, start, measured)


def _holds_code(node: fx.Node, measured: Measurement) -> bool:
    return measured.is_float(node) and measured.size(node) > 0


def _followed(
    path: list[fx.Node], candidates: list[fx.Node], start: fx.Node, measured: Measurement
) -> fx.Node:
    """The last equally narrow node before the next linear map, not counting rearrangements."""
    place = {node: index for index, node in enumerate(path)}
    code = reached = start
    for node in candidates[candidates.index(start) + 1 :]:
        if measured.size(node) != measured.size(start):
            break
        stretch = {base_name(step.target) for step in path[place[reached] + 1 : place[node] + 1]}
        if stretch & LINEAR_MAPS and not stretch & LOOKUPS:
            break
        reached = node
        if base_name(node.target) not in REARRANGEMENTS:
            code = node
    return code


def _bypass(path: list[fx.Node], node: fx.Node) -> str:
    """One edge that jumps over a node, in words; the longest."""
    place = {step: index for index, step in enumerate(path)}
    inside = set(path)
    here = place[node]
    jumps = [
        (place[user] - place[step], step, user)
        for step in path[:here]
        for user in _data_users(step, inside)
        if place[user] > here
    ]
    if not jumps:
        return "nothing"
    _, start, end = max(jumps, key=lambda jump: jump[0])
    while end.target is operator.getitem and _data_users(end, inside):
        # One of several results, such as where each maximum stood: say what takes it.
        end = _data_users(end, inside)[-1]
    return f"the connection from {title(start)} to {title(end)} ({base_name(end.target)})"


def _refuse_skips(path: list[fx.Node], code: fx.Node, measured: Measurement) -> None:
    """Raise ModelError where a much narrower activation is bypassed by a skip."""
    crossed = set(_crossed_by_all(path))
    carries = _carrying(path, measured)
    narrow = [
        node
        for node in path
        if node not in crossed
        and node in carries
        and _holds_code(node, measured)
        and measured.size(node) * NARROWER <= measured.size(code)
    ]
    if narrow:
        smallest = min(narrow, key=measured.size)
        raise ModelError(
            f"the model's narrowest activation, {title(smallest)} with {measured.size(smallest)} "
            f"numbers, is bypassed by {_bypass(path, smallest)}, as in a U-Net; what is "
            f"left to cut at has {measured.size(code)} numbers. Name a node with --bottleneck if "
            "that is meant."
        )


def _carrying(path: list[fx.Node], measured: Measurement) -> set[fx.Node]:
    """Nodes that reach the output by more than scaling something larger.

    Gates (squeeze-and-excitation), norms, attention weights and code book lookups are narrow and
    bypassed, yet carry no image past the code.
    """
    inside = set(path)
    carries = {path[-1]}
    for node in reversed(path):
        for user in _data_users(node, inside):
            if user in carries and not _only_scales(node, user, measured):
                carries.add(node)
                break
    return carries


def _only_scales(node: fx.Node, user: fx.Node, measured: Measurement) -> bool:
    name = base_name(user.target)
    if name in ("expand", "expand_as", "broadcast_to"):
        return measured.size(user) > measured.size(node)
    if name in ("mul", "div", "multiply", "divide", "sub", "clamp_min"):
        return measured.size(user) > measured.size(node)
    if name in ("embedding", "one_hot", "index_select", "gather", "index", "argmin", "argmax"):
        return True
    return name in ("softmax", "_softmax", "scaled_dot_product_attention")
