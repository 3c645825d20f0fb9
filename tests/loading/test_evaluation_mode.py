"""Activations in place: only where nobody else reads what they overwrite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from reportgen.loading.graph.evaluation_mode import activate_in_place
from reportgen.loading.graph.operators import base_name
from reportgen.loading.graph.program import Program, ProgramBuilder, calls
from reportgen.process.watched_operations import WatchedOperations
from tests.loading.files import exported, scripted
from tests.loading.image_array import random_images
from tests.loading.zoo import MEMBERS

aten = torch.ops.aten
ACTIVATIONS = (
    *("relu", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish"),
    *("sigmoid", "tanh", "hardtanh", "hardswish"),
)
WEIGHT = torch.tensor([[1.0, -2.0], [3.0, -4.0], [-5.0, 6.0]])
GIVEN = torch.tensor([[1.0, 2.0], [-3.0, 4.0]])


def program(activation: torch._ops.OpOverload, *, layer_is_read: bool) -> Program:
    """act(W x), and W x itself as a second output where it is read."""
    builder = ProgramBuilder()
    given, weight = builder.image_input(), builder.constant(WEIGHT, "weight")
    layer = builder.call(aten.linear.default, (given, weight))
    activated = builder.call(activation, (layer,))
    return builder.finish([activated, layer] if layer_is_read else [activated], None)


def operators(of: Program) -> list[str]:
    return [base_name(node.target) for node in calls(of)]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_overwrites_the_layer_that_only_it_reads(name: str) -> None:
    made = program(getattr(aten, name).default, layer_is_read=False)
    activate_in_place(made)
    assert operators(made) == ["linear", f"{name}_"]
    expected = getattr(functional, name)(GIVEN @ WEIGHT.T)
    torch.testing.assert_close(made.compiled()(GIVEN)[0], expected)


def test_a_layer_that_something_else_reads_is_not_overwritten() -> None:
    made = program(aten.relu.default, layer_is_read=True)
    activate_in_place(made)
    assert operators(made) == ["linear", "relu"]
    activated, layer = made.compiled()(GIVEN)
    assert torch.equal(layer, GIVEN @ WEIGHT.T)
    assert torch.equal(activated, torch.relu(layer))


def test_what_is_only_another_view_of_a_tensor_is_not_overwritten() -> None:
    builder = ProgramBuilder()
    given = builder.image_input()
    flat = builder.call(aten.view.default, (given, [4]))
    activated = builder.call(aten.relu.default, (flat,))
    made = builder.finish([activated, builder.call(aten.neg.default, (given,))], None)
    activate_in_place(made)
    assert "relu_" not in operators(made)
    found: tuple[Tensor, ...] = made.compiled()(GIVEN)
    assert torch.equal(found[1], -GIVEN)


@pytest.mark.parametrize("save", [exported, scripted])
def test_both_parts_of_a_file_activate_in_place_and_the_whole_model_does_not(
    save, tmp_path: Path
) -> None:
    member = next(member for member in MEMBERS if member.name == "Dense")
    images = random_images(member.shape)
    autoencoder = save(member, tmp_path, images)
    given = torch.rand(2, *member.shape)

    def operators_in(function: Callable[[Tensor], Tensor], values: Tensor) -> set[str]:
        seen: set[str] = set()

        def watch(name: str, arguments: Any, run: Callable[[], Any]) -> Any:
            seen.add(name)
            return run()

        with torch.inference_mode(), WatchedOperations(watch):
            function(values)
        return seen & {"relu", "relu_"}

    assert operators_in(autoencoder.encode, given) == {"relu_"}
    assert operators_in(autoencoder.decode, autoencoder.encode(given)) == {"relu_"}
    assert autoencoder.forward is not None
    assert operators_in(autoencoder.forward, given) == {"relu"}
