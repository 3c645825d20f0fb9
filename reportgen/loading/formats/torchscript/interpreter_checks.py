"""Checks of TorchScript code before torch's interpreter runs it as it is.

The interpreter trusts what the compiler says of types, and some operators on plain numbers trust
theirs. What the operators on tensors are given is checked while they run (`CheckedOperations`).
"""

from __future__ import annotations

from typing import Any

from reportgen.errors import ModelError

# Calls that were not put in line: of what they call, nothing is known.
CALLS = ("prim::CallMethod", "prim::CallFunction", "prim::fork", "prim::awaitable")
# Of plain numbers torch divides by nothing, which stops the processor; for `//` it looks first.
DIVISIONS = ("aten::remainder", "aten::fmod", "aten::div", "aten::floor_divide")
UNTYPED_COPIES = ("aten::to.prim_",)


def check_script(graph: Any) -> None:
    """Raise ModelError for a graph, all calls in line, that the interpreter should not run."""
    for kind in CALLS:
        if graph.findAllNodes(kind):
            raise _refused("calls what only the call itself decides")
    for node in graph.findAllNodes("prim::unchecked_cast"):
        (given,), made = list(node.inputs()), node.output().type().annotation_str
        # None in the place of a value is an error that the interpreter tells by itself.
        if given.type().annotation_str not in (made, f"Optional[{made}]", "NoneType"):
            raise _refused("takes a value for one of another type")
    for kind in DIVISIONS:
        for node in graph.findAllNodes(kind):
            inputs = list(node.inputs())
            of_integers = [each.type().kind() for each in inputs[:2]] == ["IntType", "IntType"]
            if of_integers and inputs[1].toIValue() in (None, 0, -1):
                raise _refused("divides whole numbers by one that may be nothing")
    for node in graph.findAllNodes("aten::to"):
        inputs = list(node.inputs())
        is_typed = any(each.type().kind() == "IntType" for each in inputs[1:])
        copies = inputs[-1].toIValue() is not False
        if node.schema().startswith(UNTYPED_COPIES) and copies and not is_typed:
            raise _refused("copies a tensor to no type")


def _refused(what: str) -> ModelError:
    return ModelError(
        f"the model's TorchScript {what}, which is not known to be safe; save the model with "
        "torch.export.save, or pass --trust if you trust the file's origin."
    )
