"""Cuts a program at its code into an encoder and a decoder."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx

from reportgen.errors import ModelError
from reportgen.loading.graph.bottleneck import Bottleneck
from reportgen.loading.graph.measure import Measurement
from reportgen.loading.graph.operators import SHAPE_ONLY, base_name
from reportgen.loading.graph.program import (
    Program,
    ancestors,
    remove_unused,
    title,
    value_inputs,
)


def cut(program: Program, bottleneck: Bottleneck, measured: Measurement) -> tuple[Program, Program]:
    """Encoder (images → code) and decoder (code → reconstruction) of a program."""
    encoder = program.copy()
    places = dict(zip(program.graph.nodes, encoder.graph.nodes, strict=True))
    _return_only(encoder, places[bottleneck.code])
    return encoder, _decoder(program, bottleneck, measured)


def returning(program: Program, leaf: fx.Node) -> Program:
    """The part of a program that computes one of its nodes."""
    part = program.copy()
    places = dict(zip(program.graph.nodes, part.graph.nodes, strict=True))
    _return_only(part, places[leaf])
    return part


def values_of(program: Program, nodes: Sequence[fx.Node], images: Tensor) -> tuple[Tensor, ...]:
    """Compute what nodes of a program hold for images, arranged as it takes them."""
    part = program.copy()
    places = dict(zip(program.graph.nodes, part.graph.nodes, strict=True))
    part.output.args = (tuple(places[node] for node in nodes),)
    remove_unused(part)
    return part.compiled()(images)


def _return_only(program: Program, leaf: fx.Node) -> None:
    program.output.args = ((leaf,),)
    remove_unused(program)


def _decoder(program: Program, bottleneck: Bottleneck, measured: Measurement) -> Program:
    graph = fx.Graph()
    code = graph.placeholder("code")
    batch = graph.call_function(torch.ops.aten.sym_size.int, (code, 0))
    copied: dict[fx.Node, fx.Node] = {bottleneck.code: code}
    sizes: dict[fx.Node, Any] = {}
    needed = _needed_after(bottleneck, measured)
    for node in program.graph.nodes:
        if node not in needed or node is bottleneck.code:
            continue
        value = measured.values[0].get(node)
        if isinstance(value, bool | int | float):
            sizes[node] = _size_from_code(graph, batch, node, measured)
        elif base_name(node.target) in SHAPE_ONLY and _needs_encoder(node, copied):
            copied[node] = _same_shape(program, graph, batch, node, measured)
        else:
            copied[node] = graph.node_copy(
                node, lambda old: sizes[old] if old in sizes else copied[old]
            )
    graph.output((copied[bottleneck.output],))
    decoder = Program(graph, program.root, device=program.device)
    remove_unused(decoder)
    return decoder


def _needed_after(bottleneck: Bottleneck, measured: Measurement) -> set[fx.Node]:
    """The nodes that the output needs after the code; sizes come from the code, not the image."""

    def inputs(node: fx.Node) -> list[fx.Node]:
        is_size = isinstance(measured.values[0].get(node), bool | int | float)
        return [] if is_size or node is bottleneck.code else value_inputs(node)

    return ancestors([bottleneck.output], inputs)


def _needs_encoder(node: fx.Node, copied: dict[fx.Node, fx.Node]) -> bool:
    return any(source not in copied for source in node.all_input_nodes)


def _size_from_code(graph: fx.Graph, batch: fx.Node, node: fx.Node, measured: Measurement) -> Any:
    """Compute from the code's batch size a number that the graph computes from the image's."""
    first, second = (values[node] for values in measured.values)
    small, large = measured.batches
    if first == second:
        return first
    if first * large == second * small and first % small == 0:
        factor = first // small
        return batch if factor == 1 else graph.call_function(operator.mul, (batch, factor))
    raise ModelError(
        f"the model's node {title(node)} depends on the batch size in a way that cannot be "
        "computed from codes alone; give the model methods encode(images) and decode(code)."
    )


def _same_shape(
    program: Program, graph: fx.Graph, batch: fx.Node, node: fx.Node, measured: Measurement
) -> fx.Node:
    """Make a tensor of zeros or ones in the shape of one that only the encoder has."""
    name = base_name(node.target)
    shape = measured.shape(node)
    fills = {"zeros_like": 0.0, "new_zeros": 0.0, "ones_like": 1.0, "new_ones": 1.0}
    value = node.args[1] if name == "full_like" else fills.get(name)
    if shape is None or value is None:
        raise ModelError(
            f"the model's node {title(node)} needs a tensor that only the encoder has, so that "
            "codes alone cannot be decoded; give the model methods encode(images) and decode(code)."
        )
    sizes = [batch if measured.per_image(node) is not None else shape[0], *shape[1:]]
    options = {"dtype": measured.values[0][node][1], "device": torch.device(program.device)}
    return graph.call_function(torch.ops.aten.full.default, (sizes, value), options)
