"""Takes out of a program the edges along which no pixel values flow.

`y.view_as(x)` and its relatives read the shape of their second tensor alone, and a loss that is
computed beside the reconstruction broadcasts both to a shape that they have already. As edges of
the graph they would look like connections from the image past the code.
"""

from __future__ import annotations

import operator

import torch
from torch import fx

from reportgen.loading.graph.measure import Measurement
from reportgen.loading.graph.operators import base_name, names
from reportgen.loading.graph.program import Program, calls

aten = torch.ops.aten
_RESHAPED_LIKE = names("view_as reshape_as")


def drop_shape_references(program: Program, measured: Measurement) -> None:
    """Write measured shapes into operators that read a tensor's shape alone; changes the program.

    Every node that is left keeps its measurement.
    """
    for node in calls(program):
        name = base_name(node.target)
        if name in _RESHAPED_LIKE:
            _reshape(node, measured)
        elif name == "expand_as":
            _expand(program, node, measured)
        elif name == "type_as":
            _convert(node, measured)
        elif node.target is operator.getitem:
            _skip_broadcast(node, measured)


def _reshape(node: fx.Node, measured: Measurement) -> None:
    shape = measured.per_image(node)
    if shape is not None:
        node.target, node.args = aten.reshape.default, (node.args[0], [-1, *shape])


def _expand(program: Program, node: fx.Node, measured: Measurement) -> None:
    first, second = node.args[:2]
    shape = measured.per_image(node)
    if shape is None or not isinstance(first, fx.Node) or not isinstance(second, fx.Node):
        return
    rows: int | fx.Node = -1
    if measured.per_image(first) is None:
        with program.graph.inserting_before(node):
            rows = program.graph.call_function(aten.sym_size.int, (second, 0))
        for values, batch in zip(measured.values, measured.batches, strict=True):
            values[rows] = batch
    node.target, node.args = aten.expand.default, (first, [rows, *shape])


def _convert(node: fx.Node, measured: Measurement) -> None:
    node.target = aten.to.dtype
    node.args = (node.args[0], measured.values[0][node][1])


def _skip_broadcast(node: fx.Node, measured: Measurement) -> None:
    whole, place = node.args
    assert isinstance(whole, fx.Node)
    if base_name(whole.target) != "broadcast_tensors" or not isinstance(place, int):
        return
    tensors = whole.args[0]
    assert isinstance(tensors, list | tuple)
    source = tensors[place]
    if isinstance(source, fx.Node) and all(
        values.get(source) == values.get(node) for values in measured.values
    ):
        node.replace_all_uses_with(source)
