"""Activations in place: only where nobody else reads what they overwrite."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from reportgen.loading.evaluation_mode import activate_in_place
from reportgen.loading.operators import base_name
from reportgen.loading.program import Program, ProgramBuilder, calls

aten = torch.ops.aten
WEIGHT = torch.tensor([[1.0, -2.0], [3.0, -4.0], [-5.0, 6.0]])
GIVEN = torch.tensor([[1.0, 2.0], [-3.0, 4.0]])


def program(activation: torch._ops.OpOverload, *rest: float, layer_is_read: bool) -> Program:
    """act(W x), and W x itself as a second output where it is read."""
    builder = ProgramBuilder()
    given, weight = builder.image_input(), builder.constant(WEIGHT, "weight")
    layer = builder.call(aten.linear.default, (given, weight))
    activated = builder.call(activation, (layer, *rest))
    return builder.finish([activated, layer] if layer_is_read else [activated], None)


def operators(of: Program) -> list[str]:
    return [base_name(node.target) for node in calls(of)]


@pytest.mark.parametrize(
    ("activation", "rest", "expected"),
    [
        (aten.relu.default, (), torch.relu),
        (aten.sigmoid.default, (), torch.sigmoid),
        (aten.tanh.default, (), torch.tanh),
        (aten.leaky_relu.default, (0.2,), lambda x: torch.where(x > 0, x, 0.2 * x)),
        (aten.elu.default, (), torch.nn.functional.elu),
        (aten.gelu.default, (), torch.nn.functional.gelu),
        (aten.silu.default, (), torch.nn.functional.silu),
    ],
)
def test_an_activation_overwrites_the_layer_that_only_it_reads(activation, rest, expected) -> None:
    made = program(activation, *rest, layer_is_read=False)
    activate_in_place(made)
    assert operators(made) == ["linear", f"{base_name(activation)}_"]
    torch.testing.assert_close(made.run(GIVEN)[0], expected(GIVEN @ WEIGHT.T))


def test_a_layer_that_something_else_reads_is_not_overwritten() -> None:
    made = program(aten.relu.default, layer_is_read=True)
    activate_in_place(made)
    assert operators(made) == ["linear", "relu"]
    activated, layer = made.run(GIVEN)
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
    found: tuple[Tensor, ...] = made.run(GIVEN)
    assert torch.equal(found[1], -GIVEN)
