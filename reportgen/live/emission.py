"""The steps of a decoder while they are collected, and a traced operation with its arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from reportgen.live.program import NotLiveError, Step


class Emitter:
    """Collects the steps of a `LiveDecoder` and their constants."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.multiplications = 0
        self.weight_count = 0
        self._constants: list[np.ndarray] = []

    def step(
        self,
        operator: str,
        inputs: Sequence[int],
        shape: Sequence[int],
        numbers: dict[str, Any] | None = None,
        weights: dict[str, Tensor] | None = None,
    ) -> int:
        """Add a step; return the place of its result."""
        self.steps.append(
            Step(
                operator,
                tuple(inputs),
                tuple(int(size) for size in shape),
                {name: _floats(value) for name, value in (numbers or {}).items()},
                {name: self._constant(value) for name, value in (weights or {}).items()},
            )
        )
        return len(self.steps)

    def _constant(self, values: Tensor) -> tuple[int, int]:
        flat = values.detach().to(torch.float32).contiguous().reshape(-1).numpy()
        start = self.weight_count
        with np.errstate(over="ignore"):
            self._constants.append(flat.astype(np.float16))
        self.weight_count += len(flat)
        return start, len(flat)

    def weights(self) -> np.ndarray:
        """(n,) float16, every constant in the order of the steps."""
        return np.concatenate([np.zeros(0, np.float16), *self._constants])

    def finish(self, place: int, image: Tensor) -> None:
        """Return the decoder whose image is the last step's result."""
        if place != len(self.steps) or place == 0:
            self.strided(place, image.reshape(-1))

    def strided(self, place: int, view: Tensor) -> int:
        """A step that reads an array through the sizes, strides and offset of `view`."""
        numbers = {"strides": view.stride(), "offset": view.storage_offset()}
        return self.step("strided", [place], view.shape, numbers)


@dataclass(frozen=True)
class Call:
    """One node of the traced decoder, with the values that its arguments had."""

    node: fx.Node
    values: dict[fx.Node, Any]
    places: dict[fx.Node, int]
    emitter: Emitter

    @property
    def result(self) -> Tensor:
        """The tensor that the operation gave; of several, the first."""
        value = self.values[self.node]
        return value if torch.is_tensor(value) else value[0]

    def node_of(self, name: str) -> Any:
        """An argument by its name in the operator's schema: a node or a plain value."""
        assert isinstance(self.node.target, torch._ops.OpOverload)
        for position, argument in enumerate(self.node.target._schema.arguments):
            if argument.name == name:
                if position < len(self.node.args):
                    return self.node.args[position]
                return self.node.kwargs.get(name, argument.default_value)
        return None

    def value(self, name: str) -> Any:
        """An argument's value."""
        return fx.map_arg(self.node_of(name), self.values.__getitem__)

    def place(self, name: str) -> int:
        """The place of the array that is this argument, which depends on the code."""
        node = self.node_of(name)
        if node not in self.places:
            raise self.unsupported("of a constant")
        return self.places[node]

    def constant(self, name: str) -> Tensor | None:
        """The value of an argument. Raises NotLiveError where it depends on the code."""
        if self.node_of(name) in self.places:
            raise self.unsupported("of two arrays that depend on the code")
        constant: Tensor | None = self.value(name)
        return constant

    def unsupported(self, why: str) -> NotLiveError:
        """The error for this operator in a form that no step covers; `why` completes its name."""
        target: Any = self.node.target
        return NotLiveError(f"the decoder uses `{target.overloadpacket.__name__}` {why}")

    def step(
        self,
        operator: str,
        inputs: Sequence[int],
        numbers: dict[str, Any] | None = None,
        weights: dict[str, Tensor] | None = None,
    ) -> int:
        """Add a step whose result has the shape of this node's; return the result's place."""
        return self.emitter.step(operator, inputs, self.result.shape, numbers, weights)


def _floats(value: Any) -> tuple[float, ...]:
    values = value if isinstance(value, list | tuple | torch.Size) else (value,)
    return tuple(float(entry) for entry in values)


Handler = Callable[[Call], int]
