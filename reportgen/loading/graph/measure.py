"""Shapes of everything a program computes, from running it on a few images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from reportgen.errors import ModelError
from reportgen.loading.graph.argument_checks import check_arguments
from reportgen.loading.graph.memory_limit import memory_limit
from reportgen.loading.graph.program import Program, title
from reportgen.loading.sentences import first_line

BATCHES = (2, 3)
# A node of a real autoencoder holds some 10⁷ numbers for an image; files that claim more are bombs.
VALUES_LIMIT = 2**28


class DoesNotFitError(Exception):
    """An error for images whose shape or number a program cannot take; it says what torch said."""


@dataclass(frozen=True)
class Measurement:
    """The shape and dtype, or the number, that each node of a program holds at two batch sizes.

    Attributes
    ----------
    values : a dictionary by node for each of `batches`; a tensor is kept as (shape, dtype).
    batches : the batch sizes; two equal ones for a model exported for one batch size only.
    """

    values: tuple[dict[fx.Node, Any], dict[fx.Node, Any]]
    batches: tuple[int, int]

    def shape(self, node: fx.Node) -> tuple[int, ...] | None:
        """(n, …) at the first batch size; None where the node is no tensor."""
        value = self.values[0].get(node)
        return value[0] if isinstance(value, tuple) else None

    def is_float(self, node: fx.Node) -> bool:
        """Tell whether the node is a floating-point tensor."""
        value = self.values[0].get(node)
        return isinstance(value, tuple) and value[1].is_floating_point

    def per_image(self, node: fx.Node) -> tuple[int, ...] | None:
        """The shape of one image's part; None where the first dimension is not the batch."""
        for values, batch in zip(self.values, self.batches, strict=True):
            value = values.get(node)
            if not isinstance(value, tuple) or not value[0] or value[0][0] != batch:
                return None
        shapes = [values[node][0][1:] for values in self.values]
        return shapes[0] if shapes[0] == shapes[1] else None

    def size(self, node: fx.Node) -> int:
        """The count of numbers in one image's part; 0 where there is no such part."""
        shape = self.per_image(node)
        return 0 if shape is None else math.prod(shape)


def measure(program: Program, images: Tensor, batches: tuple[int, int] = BATCHES) -> Measurement:
    """Run a program for two batch sizes.

    Parameters
    ----------
    images : one or more, arranged as the model takes them; repeated to make a batch.

    Raises ModelError for nodes of absurd size, DoesNotFitError for shapes that do not fit.
    """
    first, second = (
        _recorded(program, images[torch.arange(batch) % len(images)]) for batch in batches
    )
    return Measurement((first, second), batches)


class _Recorder(fx.Interpreter):
    def __init__(self, program: Program) -> None:
        super().__init__(program.root, graph=program.graph)
        self.extra_traceback = False
        self.recorded: dict[fx.Node, Any] = {}

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        check_arguments(target, args, kwargs)
        return super().call_function(target, args, kwargs)

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, Tensor):
            if value.numel() > VALUES_LIMIT:
                raise ModelError(
                    f"the model's node {title(n)} holds {value.numel()} numbers for a few images; "
                    "refused as unsafe."
                )
            self.recorded[n] = (tuple(value.shape), value.dtype)
        elif isinstance(value, bool | int | float):
            self.recorded[n] = value
        return value


def _recorded(program: Program, images: Tensor) -> dict[fx.Node, Any]:
    recorder = _Recorder(program)
    try:
        with torch.inference_mode(), memory_limit():
            recorder.run(images.clone())
    except ModelError:
        raise
    except Exception as error:
        raise misfit(error) from error
    return recorder.recorded


def misfit(error: Exception) -> ModelError | DoesNotFitError:
    """The error to raise for one of an operator's, which may be of any kind for a wrong shape."""
    reason = first_line(error)
    if isinstance(error, MemoryError) or "allocate" in reason:
        return ModelError(
            f"the model asks for more memory than a few images can need ({reason}); refused as "
            "unsafe."
        )
    return DoesNotFitError(reason)
