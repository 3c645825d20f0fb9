"""Rewrites a program for evaluation on one device in float32, with no effect beyond its output."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx, nn

from reportgen.loading.graph.operators import (
    ASSERTIONS,
    CONVOLUTIONS,
    base_name,
    names,
    resolve_aten,
)
from reportgen.loading.graph.program import Program, arguments, calls, remove_unused, set_arguments

_DROPOUTS = names(
    """
    dropout dropout_ feature_dropout feature_dropout_ alpha_dropout alpha_dropout_
    feature_alpha_dropout feature_alpha_dropout_
    """
)
_TRAINING_FLAGS = {
    "batch_norm": "training",
    "native_batch_norm": "training",
    "_native_batch_norm_legit": "training",
    "cudnn_batch_norm": "training",
    "rrelu": "training",
    "rrelu_": "training",
    "rrelu_with_noise": "training",
    "instance_norm": "use_input_stats",
}
_NORMS = frozenset(_TRAINING_FLAGS) - names("rrelu rrelu_ rrelu_with_noise")
# Layers that drop values inside.
_DROPOUT_ARGUMENTS: dict[str, dict[str, Any]] = {
    "native_dropout": {"train": False},
    "scaled_dot_product_attention": {"dropout_p": 0.0},
    "lstm": {"train": False},
    "gru": {"train": False},
    "rnn_tanh": {"train": False},
    "rnn_relu": {"train": False},
}
_NORM_ARGUMENTS = ("input", "weight", "bias", "running_mean", "running_var", "momentum", "eps")
_ACTIVATIONS = names("relu leaky_relu elu selu celu gelu silu mish sigmoid tanh hardtanh hardswish")
_MAKES_A_TENSOR = CONVOLUTIONS | names("linear addmm batch_norm group_norm layer_norm")
_FLOATS = (torch.float16, torch.bfloat16, torch.float64)


def evaluated(given: Program, device: str) -> Program:
    """A program in evaluation mode, in float32 on `device`; the one given stays as it is."""
    program = given.copy()
    program.root = nn.Module()
    _undo_in_place(program)
    for node in calls(program):
        if base_name(node.target) in ASSERTIONS and not node.users:
            program.graph.erase_node(node)
    _leave_training(program)
    for node in calls(program):
        node.args = localise(node.args, device)
        node.kwargs = localise(node.kwargs, device)
    _allow_any_memory_format(program)
    remove_unused(program)
    for name, tensor in given.root.named_buffers():
        wanted = tensor.float() if tensor.dtype in _FLOATS else tensor
        program.root.register_buffer(name, wanted.to(device))
    program.device = device
    return program


def use_channels_last(program: Program) -> None:
    """Store convolution weights in the memory format that is faster on this machine."""
    for node in calls(program, CONVOLUTIONS):
        weight = arguments(node).get("weight")
        if isinstance(weight, fx.Node) and weight.op == "get_attr":
            tensor = program.constant(weight)
            if tensor.dim() == 4:
                # A weight that can tell whether it has changed: see `rearranged_weights`.
                with torch.inference_mode(False):
                    tensor = tensor.contiguous(memory_format=torch.channels_last)
                program.root._buffers[str(weight.target)] = tensor


def activate_in_place(program: Program) -> None:
    """Let elementwise activations overwrite what a layer made for them alone.

    A second tensor as large as the layer's output takes longer than the activation itself.
    """
    for node in calls(program, _ACTIVATIONS):
        activation = node.target
        if not isinstance(activation, torch._ops.OpOverload) or not _is_alone_after_layer(node):
            continue
        name = f"{base_name(activation)}_"
        in_place = resolve_aten(name, activation._overloadname, trust=False)
        if in_place is not None:
            node.target = in_place


def _is_alone_after_layer(node: fx.Node) -> bool:
    layer = node.args[0] if node.args else None
    if not isinstance(layer, fx.Node) or len(layer.users) > 1:
        return False
    return base_name(layer.target) in _MAKES_A_TENSOR


def _undo_in_place(program: Program) -> None:
    """Later uses of a tensor that was overwritten become uses of what overwrote it."""
    order = {node: place for place, node in enumerate(program.graph.nodes)}
    for node in calls(program):
        if not isinstance(node.target, torch._ops.OpOverload):
            continue
        schema = node.target._schema.arguments
        if not schema or schema[0].alias_info is None or not schema[0].alias_info.is_write:
            continue
        overwritten = node.args[0]
        if isinstance(overwritten, fx.Node):
            for user in list(overwritten.users):
                if order[user] > order[node]:
                    user.replace_input_with(overwritten, node)
        name = node.target._opname.rstrip("_")
        functional = resolve_aten(name, node.target._overloadname, trust=True)
        if functional is not None and _same_arguments(functional, node.target):
            node.target = functional


def _same_arguments(one: torch._ops.OpOverload, other: torch._ops.OpOverload) -> bool:
    names = [argument.name for argument in one._schema.arguments]
    return names == [argument.name for argument in other._schema.arguments]


def _leave_training(program: Program) -> None:
    for node in calls(program):
        name = base_name(node.target)
        if name in _DROPOUTS:
            replacement = node.args[0]
            assert isinstance(replacement, fx.Node)
            node.replace_all_uses_with(replacement)
            program.graph.erase_node(node)
        elif name == "_native_batch_norm_legit_functional":
            # The form that training takes once it is written without in-place updates.
            bound = arguments(node)
            node.target = torch.ops.aten._native_batch_norm_legit_no_training.default
            node.args = tuple(bound[key] for key in _NORM_ARGUMENTS)
            node.kwargs = {}
        elif name in _TRAINING_FLAGS:
            # Without statistics of its own a norm uses the batch's; told not to, torch crashes.
            flag = _TRAINING_FLAGS[name]
            needs_batch = name in _NORMS and arguments(node).get("running_mean") is None
            set_arguments(node, **{flag: needs_batch})
        elif name in _DROPOUT_ARGUMENTS:
            set_arguments(node, **_DROPOUT_ARGUMENTS[name])


def localise(value: Any, device: str) -> Any:
    """An operator's argument with every device replaced, and every float type by float32."""

    def local(leaf: Any) -> Any:
        if isinstance(leaf, torch.device):
            return torch.device(device)
        return torch.float32 if isinstance(leaf, torch.dtype) and leaf in _FLOATS else leaf

    return fx.node.map_aggregate(value, local)


def _allow_any_memory_format(program: Program) -> None:
    """A view refuses tensors in channels-last order; a reshape takes them."""
    for node in calls(program, frozenset({"view", "_unsafe_view"})):
        if node.target in (torch.ops.aten.view.default, torch.ops.aten._unsafe_view.default):
            node.target = torch.ops.aten.reshape.default
