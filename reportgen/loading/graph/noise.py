"""Takes the sampling out of a program: what is left computes with the posterior mean."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx

from reportgen.errors import ModelError
from reportgen.loading.graph.boundary import Sampling
from reportgen.loading.graph.operators import GAUSSIAN, RANDOM, REARRANGEMENTS, base_name, names
from reportgen.loading.graph.program import (
    Program,
    arguments,
    calls,
    origin,
    remove_unused,
    title,
)

aten = torch.ops.aten
_KEEPS_ZERO = REARRANGEMENTS | names(
    "neg expand expand_as broadcast_to permute transpose t select slice sum mean repeat"
)
_ZEROS = frozenset({"zeros", "zeros_like", "new_zeros"})
_ONES = frozenset({"ones", "ones_like", "new_ones"})
_SAME_NUMBERS = REARRANGEMENTS | names("expand broadcast_to expand_as")


def remove_noise(program: Program) -> Sampling:
    """Replace Gaussian noise by its mean; the program is changed in place.

    What multiplied the noise becomes further leaves of the program; it is returned with the means
    that the noise was added to.

    Raises ModelError for randomness that is not Gaussian and reaches the output.
    """
    zeros: set[fx.Node] = set()
    means: list[fx.Node] = []
    scales: list[fx.Node] = []
    for node in calls(program):
        name = base_name(node.target)
        if name in GAUSSIAN:
            _replace_gaussian(program, node, zeros, means, scales)
        else:
            _fold_zero(program, node, zeros, means, scales)
    kept = [node for node in dict.fromkeys(scales) if node.op == "call_function"]
    program.output.args = ((*program.leaves, *kept),)
    _replace_uninitialised(program)
    return Sampling(means, kept)


def random_nodes(program: Program) -> list[fx.Node]:
    """The random operators that the output depends on."""
    return list(calls(program, RANDOM))


def refuse_random(program: Program) -> None:
    """Raise ModelError for random operators that are left."""
    left = random_nodes(program)
    if left:
        drawn = ", ".join(f"{title(node)} ({base_name(node.target)})" for node in left[:3])
        raise ModelError(
            f"the model's output is random in evaluation mode ({drawn}), and not by Gaussian "
            "sampling of a code; save a model whose forward draws nothing."
        )


def _replace_gaussian(
    program: Program,
    node: fx.Node,
    zeros: set[fx.Node],
    means: list[fx.Node],
    scales: list[fx.Node],
) -> None:
    bound = arguments(node)
    mean, std = bound.get("mean", 0.0), bound.get("std", 1.0)
    if isinstance(std, fx.Node) and not _holds_only(program, std, 1.0):
        scales.append(std)
    if isinstance(mean, fx.Node):
        if _holds_only(program, mean, 0.0):
            zeros.add(mean)
        else:
            means.append(mean)
        node.replace_all_uses_with(mean)
        return
    with program.graph.inserting_before(node):
        if "size" in bound:
            target, args = aten.full.default, (bound["size"], float(mean))
            options = {key: bound.get(key) for key in ("dtype", "device")}
        else:
            source = bound.get("self", std)
            target, args = aten.full_like.default, (source, float(mean))
            options = {}
        constant = program.graph.call_function(target, args, options)
    constant.meta["title"] = title(node)
    node.replace_all_uses_with(constant)
    if mean == 0:
        zeros.add(constant)


def _holds_only(program: Program, node: fx.Node, number: float) -> bool:
    """Tell whether every element is this number, 0 or 1, from the way the tensor is made."""
    node = origin(node, _SAME_NUMBERS)
    if node.op == "get_attr":
        return bool((program.constant(node) == number).all())
    name = base_name(node.target)
    if name in ("full", "full_like", "new_full"):
        return bool(arguments(node).get("fill_value") == number)
    return name in (_ONES if number else _ZEROS)


def _fold_zero(
    program: Program,
    node: fx.Node,
    zeros: set[fx.Node],
    means: list[fx.Node],
    scales: list[fx.Node],
) -> None:
    """Follow zeros through a node: into products, collecting the other factors, out of sums."""
    name = base_name(node.target)
    bound = arguments(node)
    first, second = bound.get("self"), bound.get("other")
    if name in ("mul", "multiply") and (first in zeros or second in zeros):
        other = second if first in zeros else first
        if isinstance(other, fx.Node):
            scales.append(other)
        zeros.add(node)
    elif _passes_zero(node, name, first, bound, zeros):
        zeros.add(node)
    elif name in ("add", "sub") and (first in zeros or second in zeros):
        if first in zeros and second in zeros:
            zeros.add(node)
        elif second in zeros and isinstance(first, fx.Node):
            means.append(first)
            node.replace_all_uses_with(first)
        elif name == "add" and isinstance(second, fx.Node) and bound.get("alpha", 1) == 1:
            means.append(second)
            node.replace_all_uses_with(second)
    elif name == "addcmul" and (bound["tensor1"] in zeros or bound["tensor2"] in zeros):
        other = bound["tensor2"] if bound["tensor1"] in zeros else bound["tensor1"]
        scales.append(other)
        assert isinstance(first, fx.Node)
        means.append(first)
        node.replace_all_uses_with(first)


def _passes_zero(
    node: fx.Node, name: str, first: Any, bound: dict[str, Any], zeros: set[fx.Node]
) -> bool:
    if node.target is operator.getitem:
        return node.args[0] in zeros
    if name in ("matmul", "bmm", "mm"):
        return first in zeros or bound.get("mat2", bound.get("other")) in zeros
    if name == "div" or name in _KEEPS_ZERO:
        return first in zeros or bound.get("input") in zeros
    return False


def _replace_uninitialised(program: Program) -> None:
    """Make memory that nothing has filled read as zero, not as whatever was there before."""
    remove_unused(program)
    for node in calls(program):
        name = base_name(node.target)
        bound = arguments(node)
        args: tuple[Any, ...]
        if name == "empty":
            target, args = aten.zeros.default, (bound["size"],)
            options = {key: bound.get(key) for key in ("dtype", "device")}
        elif name == "new_empty":
            target, args = aten.new_zeros.default, (bound["self"], bound["size"])
            options = {"dtype": bound.get("dtype")}
        elif name == "empty_like":
            target, args, options = aten.zeros_like.default, (bound["self"],), {}
        else:
            continue
        node.target, node.args, node.kwargs = target, args, options
