"""Programs as they are run many times."""

from __future__ import annotations

import weakref

import pytest
import torch
from torch import Tensor, fx

from reportgen.errors import ModelError
from reportgen.loading.graph.program import Program, ProgramBuilder

aten = torch.ops.aten


def program(*targets) -> Program:
    """One operator of one tensor after the other."""
    builder = ProgramBuilder()
    value = builder.image_input()
    for target in targets:
        value = builder.call(target, (value,))
    return builder.finish([value], None)


def test_a_compiled_program_gives_what_torchs_interpreter_gives() -> None:
    builder = ProgramBuilder()
    images = builder.image_input()
    weight = builder.constant(torch.randn(4, 5), "weight")
    product = builder.call(aten.mm.default, (images, weight))
    unused = builder.call(aten.relu.default, (product,))
    several = builder.call(aten.cat.default, ([product, images, product], 1))
    scaled = builder.call(aten.add.Tensor, (several, several), {"alpha": 2})
    made = builder.finish([scaled, weight, 7], None)
    given = torch.randn(3, 4)
    expected = fx.Interpreter(made.root, graph=made.graph).run(given)
    run = made.compiled()
    for _ in range(2):
        found = run(given)
        assert found[2] == expected[2] == 7
        assert all(torch.equal(*pair) for pair in zip(found[:2], expected[:2], strict=True))
    assert not unused.users


def test_what_no_operator_needs_any_more_is_given_back() -> None:
    seen: list[weakref.ref[Tensor]] = []
    alive: list[int] = []

    def doubled(values: Tensor) -> Tensor:
        alive.append(sum(value() is not None for value in seen))
        made = values * 2
        seen.append(weakref.ref(made))
        return made

    program(doubled, doubled, doubled, doubled).compiled()(torch.ones(2))
    assert alive == [0, 1, 1, 1]


def test_an_operator_in_place_does_not_reach_the_callers_tensor() -> None:
    given = torch.ones(3)
    (found,) = program(aten.neg_.default).compiled()(given)
    assert torch.equal(given, torch.ones(3))
    assert torch.equal(found, -given)


def test_a_compiled_program_stays_as_it_was_compiled() -> None:
    made = program(aten.neg.default)
    run = made.compiled()
    next(node for node in made.graph.nodes if node.op == "call_function").target = aten.abs.default
    assert torch.equal(run(torch.ones(1))[0], -torch.ones(1))
    assert torch.equal(made.compiled()(-torch.ones(1))[0], torch.ones(1))


def test_a_graph_of_more_operations_than_a_model_has_is_refused() -> None:
    builder = ProgramBuilder()
    value = builder.image_input()
    with pytest.raises(ModelError, match="more than 20,000 operations"):
        for _ in range(20_001):
            value = builder.call(torch.ops.aten.relu.default, (value,))
