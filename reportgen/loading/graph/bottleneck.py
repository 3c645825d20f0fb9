"""Finds the node that holds the code: at the model's own boundary, else where it is narrowest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import fx

from reportgen.errors import ModelError
from reportgen.loading.graph.boundary import (
    ARRANGEMENTS,
    OwnHalves,
    Route,
    Sampling,
    followed,
    own_boundary,
)
from reportgen.loading.graph.measure import Measurement
from reportgen.loading.graph.operators import REARRANGEMENTS, base_name, names
from reportgen.loading.graph.paths import (
    bypass,
    crossed_by_all,
    data_users,
    holds_code,
    nodes_between,
)
from reportgen.loading.graph.program import Program, module_path, origin, title
from reportgen.loading.sentences import no_autoencoder, shape_text

# A bypassed activation this many times narrower than the code: the skip carries the image.
NARROWER = 4
ESTIMATOR = ARRANGEMENTS | names("add sub")
NARROWEST = "found as the narrowest point that every path crosses"


@dataclass(frozen=True)
class Bottleneck:
    """The place where a program is cut.

    Attributes
    ----------
    code : the node that holds the code.
    shape : the shape of one image's code.
    output : the leaf that holds the reconstruction.
    how : why there, in words.
    """

    code: fx.Node
    shape: tuple[int, ...]
    output: fx.Node
    how: str = NARROWEST


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
    returned = [measured.per_image(leaf) for leaf in leaves]
    shapes = ", ".join(map(_shape_text, returned))
    raise ModelError(f"{no_autoencoder(shapes, image_shape, returned)}.")


def _shape_text(shape: tuple[int, ...] | None) -> str:
    return shape_text(shape) if shape else "a value without a batch dimension"


def find_bottleneck(
    program: Program,
    measured: Measurement,
    image_shape: tuple[int, ...],
    named: str | int | None = None,
    sampling: Sampling | None = None,
    own_halves: Sequence[OwnHalves] = (),
) -> Bottleneck:
    """The node that holds the code: every path from image to reconstruction crosses it.

    That is so exactly if, in topological order, no edge jumps over it. It is where the model shows
    it (`own_boundary`), by the noise it draws (`sampling`) and more; else the narrowest, and among
    equally narrow ones the last before the model widens. `named` overrides the search: the name of
    a node or submodule, or the number of an output of the program.

    Raises ModelError where skip connections carry the image past every narrow node.
    """
    output = find_output(program, measured, image_shape)
    path = nodes_between(program, output)
    if output not in path or program.input not in path:
        raise ModelError("the model's output does not depend on its input; it cannot be studied.")
    crossed = crossed_by_all(path)
    route = Route(program, path, crossed, measured)
    how = NARROWEST
    if isinstance(named, int):
        code, how = program.leaves[named], "as the file says"
        _refuse_bypassed(path, crossed, code)
    elif named is not None:
        code, how = _named_node(route, named), "named by you"
        _refuse_bypassed(path, crossed, code)
    else:
        own = own_boundary(route, sampling or Sampling(), math.prod(image_shape), own_halves)
        if own is not None:
            code, how = own.code, own.how
        else:
            code = _narrowest(path, crossed, measured, image_shape)
            _refuse_skips(path, code, measured)
    shape = measured.per_image(code)
    if shape is None:
        raise ModelError(f"the node {title(code)} does not hold one code for each image.")
    return Bottleneck(code, shape, output, how)


def _named_node(route: Route, named: str) -> fx.Node:
    """The last node of this name, or of the submodule of this name and those inside it.

    What a submodule gives is followed through what only arranges it otherwise, and through the
    straight-through estimator of a code book, whose own edge jumps over it.
    """
    path = route.path
    matching = [
        node for node in path if named in (node.name, title(node), title(node).split(" in ")[0])
    ]
    if matching:
        return matching[-1]
    matching = [node for node in path if is_inside(module_path(node), named)]
    if not matching:
        known = ", ".join(title(node) for node in crossed_by_all(path)[1:-1][:12])
        raise ModelError(
            f"the model has no node or submodule {named!r}; among those that it could be cut at "
            f"are {known}."
        )
    code = matching[-1]
    if code not in route.crossed:
        behind = [n for n in route.inner if route.place[n] > route.place[code]]
        same = behind and route.size(behind[0]) in (0, route.measured.size(code))
        start = route.place[code]
        if same:
            stretch = path[start + 1 : route.place[behind[0]] + 1]
            if all(base_name(step.target) in ESTIMATOR for step in stretch):
                code = behind[0]
    return followed(route, code, ARRANGEMENTS) if code in route.crossed else code


def is_inside(path: str, named: str) -> bool:
    """Tell whether a submodule's path is a name, ends with it, or lies inside such a one."""
    return f".{path}.".find(f".{named}.") >= 0


def _refuse_bypassed(path: list[fx.Node], crossed: list[fx.Node], code: fx.Node) -> None:
    if code not in path:
        raise ModelError(f"the reconstruction is not computed from the node {title(code)}.")
    if code not in crossed:
        raise ModelError(
            f"the node {title(code)} is bypassed by {bypass(path, code)}, so the image cannot be "
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
        if node is not path[0] and node is not path[-1] and holds_code(node, measured)
    ]
    limit = math.prod(image_shape)
    narrowest = min((measured.size(node) for node in candidates), default=limit)
    if narrowest >= limit:
        narrow = [node for node in path if holds_code(node, measured)]
        smallest = min(narrow, key=measured.size, default=None)
        if smallest is not None and measured.size(smallest) < limit:
            raise ModelError(
                f"the model has no bottleneck: its narrowest activation, {title(smallest)} with "
                f"{measured.size(smallest)} numbers, is bypassed by {bypass(path, smallest)}."
            )
        raise ModelError(
            f"the model has no bottleneck: nothing in it is smaller than the image "
            f"({_shape_text(image_shape)}, {limit} numbers)."
        )
    start = next(node for node in candidates if measured.size(node) == narrowest)
    return _last_of_equals(candidates, start, measured)


def _last_of_equals(candidates: list[fx.Node], start: fx.Node, measured: Measurement) -> fx.Node:
    """The last equally narrow node before the model widens, not counting rearrangements."""
    code = start
    for node in candidates[candidates.index(start) + 1 :]:
        if measured.size(node) != measured.size(start):
            break
        if base_name(node.target) not in REARRANGEMENTS:
            code = node
    return code


def _refuse_skips(path: list[fx.Node], code: fx.Node, measured: Measurement) -> None:
    """Raise ModelError where a much narrower activation is bypassed by a skip."""
    crossed = set(crossed_by_all(path))
    carries = _carrying(path, measured)
    narrow = [
        node
        for node in path
        if node not in crossed
        and node in carries
        and holds_code(node, measured)
        and measured.size(node) * NARROWER <= measured.size(code)
    ]
    if narrow:
        smallest = min(narrow, key=measured.size)
        raise ModelError(
            f"the model's narrowest activation, {title(smallest)} with {measured.size(smallest)} "
            f"numbers, is bypassed by {bypass(path, smallest)}, as in a U-Net; what is "
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
        for user in data_users(node, inside):
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
