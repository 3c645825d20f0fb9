"""Paths through a program's graph, from the image to the reconstruction."""

from __future__ import annotations

import operator

from torch import fx

from reportgen.loading.graph.measure import Measurement
from reportgen.loading.graph.operators import base_name
from reportgen.loading.graph.program import Program, ancestors, title, value_inputs


def data_nodes(program: Program) -> set[fx.Node]:
    """Nodes whose values, not only shapes, depend on the image."""
    found = {program.input}
    for node in program.graph.nodes:
        if node.op == "call_function" and any(source in found for source in value_inputs(node)):
            found.add(node)
    return found


def nodes_between(program: Program, output: fx.Node) -> list[fx.Node]:
    """Data nodes whose values the output needs, in topological order."""
    needed = ancestors([output], value_inputs)
    data = data_nodes(program)
    return [node for node in program.graph.nodes if node in needed and node in data]


def data_users(node: fx.Node, path: set[fx.Node]) -> list[fx.Node]:
    """Return the nodes of a path that use a node."""
    return [user for user in node.users if user in path]


def crossed_by_all(path: list[fx.Node]) -> list[fx.Node]:
    """Nodes that no edge jumps over, in order; one pass over the edges."""
    place = {node: index for index, node in enumerate(path)}
    inside = set(path)
    crossed = []
    farthest = 0
    for index, node in enumerate(path):
        if farthest <= index:
            crossed.append(node)
        users = data_users(node, inside)
        farthest = max([farthest, *(place[user] for user in users)])
    return crossed


def holds_code(node: fx.Node, measured: Measurement) -> bool:
    """Tell whether a node holds floating-point numbers for each image."""
    return measured.is_float(node) and measured.size(node) > 0


def bypass(path: list[fx.Node], node: fx.Node) -> str:
    """One edge that jumps over a node, in words; the longest."""
    place = {step: index for index, step in enumerate(path)}
    inside = set(path)
    here = place[node]
    jumps = [
        (place[user] - place[step], step, user)
        for step in path[:here]
        for user in data_users(step, inside)
        if place[user] > here
    ]
    if not jumps:
        return "nothing"
    _, start, end = max(jumps, key=lambda jump: jump[0])
    while end.target is operator.getitem and data_users(end, inside):
        # One of several results, such as where each maximum stood: say what takes it.
        end = data_users(end, inside)[-1]
    return f"the connection from {title(start)} to {title(end)} ({base_name(end.target)})"
